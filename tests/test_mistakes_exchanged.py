"""Layers, steps and records in each other's place, in networks written by hand: named exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare.contracts.between import Between
from compare.diagnosis.gradients import diagnose
from compare.examine.dump.dump import check_dump
from manual_mlp import loss_and_gradients

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shared_passes")]
Array = NDArray[Any]
Arrays = dict[str, Array]


def entropy(o: Array, t: Array) -> tuple[Any, Array]:
    o = o - o.max(axis=1, keepdims=True)
    log_p = o - np.log(np.exp(o).sum(axis=1, keepdims=True))
    return -(t * log_p).sum() / len(t), (np.exp(log_p) - t) / len(t)


def with_masks(which: Callable[[int, int], int], activation: str = "relu") -> Any:
    """Return a network that takes the derivative of layer `which(layer, hidden layers)`."""

    def f(z: Array) -> Array:
        return np.asarray(np.maximum(z, 0) if activation == "relu" else np.tanh(z))

    def slope(h: Array) -> Array:
        return np.asarray(h > 0 if activation == "relu" else 1 - h * h)

    def code(p: Arrays, x: Array, t: Array) -> Any:
        depth, h = len(p) // 2, [x]
        for i in range(1, depth):
            h.append(f(h[-1] @ p[f"w{i}"] + p[f"b{i}"]))
        loss, d = entropy(h[-1] @ p[f"w{depth}"] + p[f"b{depth}"], t)
        g = {}
        for i in range(depth, 0, -1):
            g[f"w{i}"], g[f"b{i}"] = h[i - 1].T @ d, d.sum(axis=0)
            if i > 1:
                other = h[which(i - 1, depth - 1)]
                mask = slope(other if other.shape == h[i - 1].shape else h[i - 1])
                d = d @ p[f"w{i}"].T * mask
        return loss, g

    return code


DEEP = ((6, 8, 8, 8, 5), (7, 8, 8, 8, 8, 4), (5, 9, 7, 9, 9, 3))
MASKS = {
    "derivative-of-the-first-layer": lambda i, last: 1,
    "derivative-of-the-last-layer": lambda i, last: last,
    "derivatives-in-the-order-of-the-forward-pass": lambda i, last: last + 1 - i,
}


def names(code: Any, sizes: tuple[int, ...], **options: Any) -> list[str]:
    with np.errstate(all="ignore"):
        return [one.mistake for one in diagnose(code, sizes=sizes, **options)]


@pytest.mark.parametrize("name", MASKS)
def test_derivatives_of_another_layer_are_named(name: str) -> None:
    for sizes, activation in zip(DEEP, ("relu", "tanh", "relu"), strict=True):
        code = with_masks(MASKS[name], activation)
        assert names(code, sizes, activation=activation) == [name], sizes


def test_of_two_hidden_layers_the_other_one_is_the_neighbour() -> None:
    assert names(with_masks(lambda i, last: 1), (6, 8, 8, 4)) == ["mask-from-another-layer"]
    assert names(with_masks(lambda i, last: i), (6, 8, 8, 4)) == []


def normalised(axis: int, *, after: bool, back_after: bool) -> Any:
    """Return a network of tanh units normalised along an axis, before or after the activation."""

    def over(a: Array) -> Array:
        return np.asarray(a.mean(axis=axis, keepdims=True))

    def code(p: Arrays, x: Array, t: Array, context: Any = None) -> Any:
        depth = sum(name[0] == "w" for name in p)
        h, kept = x, []
        for i in range(1, depth):
            z = h @ p[f"w{i}"] + p[f"b{i}"]
            q = np.tanh(z) if after else z
            r = 1 / np.sqrt(((q - over(q)) ** 2).mean(axis=axis, keepdims=True) + 1e-5)
            s = (q - over(q)) * r
            n = p[f"gamma{i}"] * s + p[f"beta{i}"]
            kept.append((h, z, s, r, n))
            h = n if after else np.tanh(n)
        loss, d = entropy(h @ p[f"w{depth}"] + p[f"b{depth}"], t)
        g = {f"w{depth}": h.T @ d, f"b{depth}": d.sum(axis=0)}
        for i in range(depth - 1, 0, -1):
            h, z, s, r, n = kept[i - 1]
            d = d @ p[f"w{i + 1}"].T
            slope = 1 - np.tanh(z if after else n) ** 2
            dn = d if back_after else d * slope
            g[f"gamma{i}"], g[f"beta{i}"] = (dn * s).sum(axis=0), dn.sum(axis=0)
            ds = dn * p[f"gamma{i}"]
            d = r * (ds - over(ds) - s * over(ds * s)) * (slope if back_after else 1)
            g[f"w{i}"], g[f"b{i}"] = h.T @ d, d.sum(axis=0)
        return loss, {name: g[name] for name in p}

    return code


ORDERS: dict[str, tuple[bool, bool]] = {
    "normalisation-after-activation": (True, True),
    "normalisation-and-activation-exchanged-backward": (False, True),
    "": (False, False),
}


@pytest.mark.parametrize("name", ORDERS)
def test_normalisation_and_activation_in_each_others_place_are_named(name: str) -> None:
    after, back_after = ORDERS[name]
    for sizes, kind in (((6, 7, 4), "layer"), ((5, 8, 6, 3), "batch"), ((9, 6, 5), "layer")):
        code = normalised(int(kind == "layer"), after=after, back_after=back_after)
        told = names(code, sizes, activation="tanh", between=Between(kind), evaluates=False)
        assert told == ([name] if name else []), sizes


C = 0.3
Clip = Callable[[Arrays], Arrays]


def length(g: Arrays) -> float:
    return float(np.sqrt(sum((a * a).sum() for a in g.values())))


CLIPS: dict[str, tuple[Clip, str]] = {
    "norm-clip-with-guard": (
        lambda g: {k: a * min(1, C / (length(g) + 1e-6)) for k, a in g.items()}, "clip_norm"
    ),
    "norm-clip": (
        lambda g: {k: a * min(1, C / length(g)) for k, a in g.items()}, "clip_norm"
    ),
    "value-clip": (lambda g: {k: np.clip(a, -C, C) for k, a in g.items()}, "clip_value"),
    "norm-clip-each": (
        lambda g: {k: a * min(1, C / np.linalg.norm(a)) for k, a in g.items()}, "clip_norm"
    ),
}  # fmt: skip


def dumped(folder: Path, clip: Clip, option: str, *, late: bool) -> list[str]:
    """Record a training that clips its gradients, before or (late) after that."""
    generator = np.random.default_rng(0)
    p = {"w1": generator.normal(size=(6, 7)), "b1": generator.normal(size=7)}
    p |= {"w2": generator.normal(size=(7, 4)), "b2": generator.normal(size=4)}
    folder.mkdir()
    run = {"format": 1, "activation": "relu", "reduction": "mean", "learning_rate": 0.1,
           "momentum": 0.0, "dtype": "float64", option: C}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(run))
    for step in range(3):
        x, t = 3 * generator.normal(size=(8, 6)), np.eye(4)[generator.integers(4, size=8)]
        loss, g, *_ = loss_and_gradients(p, x, t)
        taken = clip(g)
        shown = {f"d{k}": a for k, a in (taken if late else g).items()}
        np.savez(folder / f"step_{step:05d}.npz", loss=loss, x=x, targets=t, **p, **shown)  # type: ignore[arg-type]
        p = {k: p[k] - 0.1 * taken[k] for k in p}
    return [one.mistake for one in check_dump(folder).diagnosis]


@pytest.mark.parametrize("name", CLIPS)
def test_gradients_recorded_after_clipping_are_named(name: str, tmp_path: Path) -> None:
    assert dumped(tmp_path / "late", *CLIPS[name], late=True)[0] == name
    right = name != "norm-clip-each"
    assert not right or dumped(tmp_path / "right", *CLIPS[name], late=False) == []

"""What only shows at the edges of a normalised or a dropout network is seen there, and named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.between.__main__ import KINDS
from compare import check
from compare.contracts.between import Between
from compare.contracts.result import Result, Verdict
from compare.points.edges import ALIKE, AROUND, LARGE, LOUD, NEAR, STILL, edge_probes

pytestmark = pytest.mark.slow

Array = NDArray[Any]
Slope = Callable[[Array], Array]
EPS = 1e-5


def relu(n: Array) -> Array:
    return np.maximum(n, 0)


def mask(n: Array, above: float = 0.0) -> Array:
    return (n > above) * 1.0


def sigmoid(n: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-n)))


def softmax_top(o: Array, t: Array, eps: float) -> tuple[float, Array]:
    o = o - o.max(axis=1, keepdims=True)
    p = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)
    log_p = np.log(p + eps) if eps else o - np.log(np.exp(o).sum(axis=1, keepdims=True))
    return float(-(t * log_p).sum() / len(t)), (p - t) / len(t)


def network(
    kind: str,
    rate: float,
    value: Slope = relu,
    slope: Slope = mask,
    clip: float = np.inf,
    floor: float = 0.0,
    in_log: float = 0.0,
) -> Callable[..., Any]:
    """Return one hidden layer with normalisation and dropout, right or with one of the slips."""
    axis = {"layer": 1, "batch": 0, "none": 1}[kind]

    def loss_and_gradients(p: Any, x: Array, targets: Array, context: Any) -> tuple[float, Any]:
        training = bool(context["training"])
        past = kind == "batch" and not training
        kept = context["mask1"] / x.dtype.type(1 - rate) if rate and training else 1.0
        n = z = x @ p["w1"] + p["b1"]  # (N, H)
        if kind != "none":
            mu = context["running_mean1"] if past else z.mean(axis, keepdims=True)
            v = context["running_var1"] if past else z.var(axis, keepdims=True)
            r = 1 / np.sqrt(np.maximum(v, floor) + EPS)
            s = (z - mu) * r
            n = p["gamma1"] * s + p["beta1"]
        h = value(n) * kept
        loss, dlogits = softmax_top(h @ p["w2"] + p["b2"], targets, in_log)
        dn = dlogits @ p["w2"].T * kept * slope(n)
        g = {"w2": h.T @ dlogits, "b2": dlogits.sum(axis=0)}
        dz = dn
        if kind != "none":
            ds, g["gamma1"], g["beta1"] = dn * p["gamma1"], (dn * s).sum(axis=0), dn.sum(axis=0)
            means = ds.mean(axis, keepdims=True), (ds * s).mean(axis, keepdims=True)
            dz = ds * r if past else r * (ds - means[0] - s * means[1])
        g["w1"], g["b1"] = np.clip(x.T @ dz, -clip, clip), dz.sum(axis=0)
        return loss, {name: g[name].astype(x.dtype) for name in p}

    return loss_and_gradients


def checked(kind: str, rate: float, activation: str = "relu", **slip: Any) -> Result:
    options: dict[str, Any] = {"activation": activation, "normalisation": kind, "dropout": rate}
    return check(network(kind, rate, **slip), inputs=7, hidden=(9,), classes=4, **options)


@pytest.mark.parametrize(("kind", "rate"), KINDS)
def test_right_code_agrees_at_its_edges(kind: str, rate: float) -> None:
    found = checked(kind, rate)
    assert found.verdict is Verdict.AGREES
    assert max(entry.ratio for entry in found.worst.values()) <= 0.5


@pytest.mark.parametrize(("kind", "rate"), KINDS)
@pytest.mark.parametrize("above", [1e-5, 1e-10])
def test_a_mask_with_a_threshold_is_named(kind: str, rate: float, above: float) -> None:
    found = checked(kind, rate, slope=partial(mask, above=above))
    assert found.verdict is Verdict.DISAGREES
    assert found.diagnosis[0].mistake == "mask-threshold"
    assert f"(an edge: {NEAR})" in found.sentence


@pytest.mark.parametrize(("kind", "rate"), KINDS)
def test_a_relu6_without_its_bound_in_the_mask_is_named(kind: str, rate: float) -> None:
    def bounded(n: Array) -> Array:
        return np.clip(n, 0, 6)

    def inside(n: Array) -> Array:
        return ((n > 0) & (n < 6)) * 1.0

    assert checked(kind, rate, "relu6", value=bounded, slope=inside).verdict is Verdict.AGREES
    wrong = checked(kind, rate, "relu6", value=bounded)
    assert wrong.verdict is Verdict.DISAGREES
    assert wrong.diagnosis[0].mistake == "relu6-without-upper-bound"


@pytest.mark.parametrize(("kind", "rate"), KINDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_activation_of_what_is_clipped_is_named(kind: str, rate: float, dtype: str) -> None:
    """In float32 the losses are equal: the names tell that it is another function."""

    def clipped(bound: float) -> dict[str, Any]:
        def value(n: Array) -> Array:
            return sigmoid(np.clip(n, -bound, bound)).astype(n.dtype)

        return {"value": value, "slope": lambda n: value(n) * (1 - value(n))}

    options: dict[str, Any] = {"normalisation": kind, "dropout": rate, "dtype": dtype}
    held: Any = partial(check, inputs=7, hidden=(9,), classes=4, activation="sigmoid", **options)
    assert held(network(kind, rate, **clipped(500))).verdict is Verdict.AGREES
    wrong = held(network(kind, rate, **clipped(10)))
    assert wrong.verdict is Verdict.DISAGREES
    assert "clipped at 10" in wrong.diagnosis[0].title


@pytest.mark.parametrize(("kind", "rate"), [("none", 0.4), ("layer", 0.0), ("batch", 0.0)])
def test_a_gradient_that_is_clipped_is_named(kind: str, rate: float) -> None:
    """Behind a small variance gradients are large already, elsewhere at large inputs."""
    found = checked(kind, rate, clip=5.0)
    assert found.verdict is Verdict.DISAGREES
    assert "clipped at 5" in found.diagnosis[0].title
    assert kind != "none" or f"(an edge: {LOUD})" in found.sentence


@pytest.mark.parametrize(("kind", "rate"), KINDS)
def test_an_epsilon_in_the_log_is_named(kind: str, rate: float) -> None:
    found = checked(kind, rate, in_log=1e-7)
    assert found.verdict is Verdict.DISAGREES
    assert "1e-07" in found.diagnosis[0].title


@pytest.mark.parametrize(("kind", "rate"), [one for one in KINDS if one[0] != "none"])
def test_a_variance_that_is_kept_above_a_floor_is_named(kind: str, rate: float) -> None:
    assert checked(kind, rate, floor=1e-300).verdict is Verdict.AGREES
    found = checked(kind, rate, floor=1e-6)
    assert found.verdict is Verdict.DISAGREES
    assert found.diagnosis[0].mistake == "normalisation-variance-floored"


@pytest.mark.parametrize(("kind", "rate"), KINDS)
def test_the_edges_are_reached(kind: str, rate: float) -> None:
    between = Between(kind, rate)
    probes = edge_probes((7, 9, 4), activation="relu", dtype="float64", seed=0, between=between)
    kinds = [NEAR, LARGE, LOUD, ALIKE] + [STILL] * (kind != "none")
    assert [probe.note for probe in probes] == kinds
    for probe in probes:
        z = probe.x @ probe.parameters["w1"] + probe.parameters["b1"]
        axis, n = {"layer": 1}.get(kind, 0), z
        if kind != "none":
            v = z.var(axis, keepdims=True)
            s = (z - z.mean(axis, keepdims=True)) / np.sqrt(v + EPS)
            n = probe.parameters["gamma1"] * s + probe.parameters["beta1"]
        shown = {
            NEAR: n[n > 0].min() == 1e-12,
            LARGE: 100 < np.abs(n).max() < 200,
            LOUD: np.abs(probe.x).max() > 20.0,
            ALIKE: probe.parameters["b2"].min() > AROUND - 2,
            STILL: kind == "none" or v.min() < 1e-9 < 0.01 < v.max(),
        }
        assert shown[probe.note]


def test_without_gamma_and_beta_no_unit_can_be_set() -> None:
    bare = Between("layer", affine=False)
    probes = edge_probes((7, 9, 4), activation="relu", dtype="float64", seed=0, between=bare)
    assert [probe.note for probe in probes] == [LOUD, ALIKE, STILL]

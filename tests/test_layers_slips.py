"""Slips in layers that are named in the layer's own words: each planted, each with its words.

Layers by hand are written as people write them; the reference is torch's own.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compare.contracts.result import Verdict
from compare.layers.check import check_layer

pytestmark = pytest.mark.slow

Inputs = dict[str, Any]
Manual = Callable[[Inputs, Any], tuple[Any, Inputs]]


def layer_norm(*, ddof: int = 0, outside: bool = False, rows: slice = slice(None)) -> Manual:
    def manual(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
        x, w = i["x"], i["weight"]
        var, eps = x.var(1, keepdims=True, ddof=ddof), x.dtype.type(1e-5)
        s = np.sqrt(var) + eps if outside else np.sqrt(var + eps)
        h, d = (x - x.mean(1, keepdims=True)) / s, dy * w
        dx = (d - d.mean(1, keepdims=True) - h * (d * h).mean(1, keepdims=True)) / s
        return h * w + i["bias"], {
            "x": dx, "weight": (dy * h)[rows].sum(0), "bias": dy.sum(0)
        }  # fmt: skip

    return manual


def softmax(s: Any) -> Any:
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(
    *, diagonal: bool = False, scale: bool = True, whole: bool = False, unweighted: bool = False
) -> Manual:
    def manual(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
        q, k, v, keep = i["q"], i["k"], i["v"], i["keep"]
        c = 1 / np.sqrt(q.shape[1])
        p = softmax(np.where(keep, q @ k.T * c, -np.inf))
        y = p @ v
        p = softmax(q @ k.T * c) if whole else p
        dp = dy @ v.T
        rows = (dp if unweighted else dp * p).sum(1, keepdims=True)
        ds = p * (1 - p) * dp if diagonal else p * (dp - rows)
        ds = ds * c if scale else ds
        return y, {"q": ds @ k, "k": ds.T @ q, "v": p.T @ dy}

    return manual


def masked_attention(q: Any, k: Any, v: Any, keep: Any) -> Any:
    s = (q @ k.T / q.shape[1] ** 0.5).masked_fill(~keep, float("-inf"))
    return torch.softmax(s, 1) @ v


def entropy(slip: str) -> Manual:
    def manual(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
        z, t = i["z"], i["t"]
        p, at, keep = softmax(z), np.arange(len(t)), t >= 0
        t = np.where(keep, t, 0)
        loss = -np.log(p[at, t])[keep].mean()
        d = p.copy()
        d[at, t] -= 1
        d = d * keep[:, None] / (len(t) if slip == "rows" else keep.sum())
        return loss, {"z": d * (at[:, None] == 0) if slip == "first" else d}

    return manual


def convolution(*, add: bool) -> Manual:
    def manual(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
        x, w = i["x"], i["w"]
        n, size = dy.shape[2] if dy is not None else 0, w.shape[2]
        y, dx, dw = np.zeros_like(dy), np.zeros_like(x), np.zeros_like(w)
        for s in range(size):
            part = slice(s, s + n)
            y += np.einsum("ncl,kc->nkl", x[:, :, part], w[:, :, s])
            dw[:, :, s] = np.einsum("nkl,ncl->kc", dy, x[:, :, part])
            back = np.einsum("nkl,kc->ncl", dy, w[:, :, s])
            dx[:, :, part] = dx[:, :, part] + back if add else back
        return y, {"x": dx, "w": dw}

    return manual


def pooling(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
    x = i["x"]
    windows = x.reshape(2, 2, 2, 2, 3, 2)
    y = windows.max((3, 5), keepdims=True)
    every = (windows == y) * dy.reshape(y.shape)
    return y.reshape(2, 2, 2, 3), {"x": every.reshape(x.shape)}


def gate(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
    a, b = 1 / (1 + np.exp(-i["a"])), np.tanh(i["b"])
    return a * b, {"a": dy * a * a * (1 - a), "b": dy * b * (1 - b * b)}


def draw(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape)


NORM: Inputs = {"x": draw(5, 8), "weight": draw(8), "bias": draw(8)}
ATTENTION: Inputs = {
    "q": draw(6, 5), "k": draw(6, 5), "v": draw(6, 3), "keep": np.tril(np.ones((6, 6), bool))
}  # fmt: skip
TARGETS: Inputs = {"z": draw(6, 4), "t": np.array([0, 3, -100, 2, -100, 1])}
CONVOLUTION: Inputs = {"x": draw(2, 3, 8), "w": draw(4, 3, 3)}
TIED: Inputs = {"x": np.random.default_rng(0).integers(0, 3, (2, 2, 4, 6)).astype(float)}
GATES: Inputs = {"a": draw(4, 3), "b": draw(3, 4).T.copy()}
NORMED = torch.nn.LayerNorm(8)
SLIPS: dict[str, tuple[Manual, Any, Inputs, str]] = {
    "variance over n - 1": (layer_norm(ddof=1), NORMED, NORM,
                            "the variance is divided by 8 - 1 in place of 8"),
    "epsilon outside": (layer_norm(outside=True), NORMED, NORM,
                        "1e-05 is added to the root of the variance, and not under it"),
    "first row": (layer_norm(rows=slice(1)), NORMED, NORM, "only the first of 5 terms counts"),
    "last row": (layer_norm(rows=slice(4, 5)), NORMED, NORM, "overwritten in place of added"),
    "softmax diagonal": (attention(diagonal=True), masked_attention, ATTENTION,
                         "of the softmax's derivative only the diagonal p (1 - p) is taken"),
    "softmax alone": (
        lambda i, dy: (softmax(i["x"]), {"x": softmax(i["x"]) * (dy - dy.sum(1, keepdims=True))}),
        torch.nn.Softmax(dim=-1), {"x": draw(5, 8)},
        "p (dy - Σ dy p), the factor p is missing in the sum"),
    "softmax in attention": (attention(unweighted=True), masked_attention, ATTENTION,
                             "p (dy - Σ dy p), the factor p is missing in the sum"),
    "scale": (attention(scale=False), masked_attention, ATTENTION,
              "the scale 1/√5 is left out of the backward pass"),
    "mask of the backward pass": (attention(whole=True), masked_attention, ATTENTION,
                                  "in the backward pass alone the mask is left out"),
    "all rows count": (entropy("rows"), F.cross_entropy, TARGETS,
                       "divided by 6, the length of axis 0 of z, in place of 4, the number of "
                       "entries that count"),
    "one row of the gradient": (entropy("first"), F.cross_entropy, TARGETS,
                                "only the first part of dz along axis 0 is there"),
    "windows": (convolution(add=False), F.conv1d, CONVOLUTION,
                "overlapping windows are overwritten in place of added"),
    "ties": (pooling, lambda x: F.max_pool2d(x, 2), TIED,
             "every tied maximum gets the whole gradient"),
    "factors": (gate, lambda a, b: torch.sigmoid(a) * torch.tanh(b), GATES,
                "exchanges its two factors"),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_named_in_the_layers_own_words(slip: str) -> None:
    manual, reference, inputs, words = SLIPS[slip]
    result = check_layer(manual, reference, inputs)
    assert result.verdict is Verdict.DISAGREES
    (found,) = result.diagnosis
    assert words in found.sentence


@pytest.mark.parametrize(
    "manual, reference, inputs",
    [
        (layer_norm(), NORMED, NORM),
        (attention(), masked_attention, ATTENTION),
        (entropy("none"), F.cross_entropy, TARGETS),
        (convolution(add=True), F.conv1d, CONVOLUTION),
    ],
)
def test_the_same_layers_without_a_slip_agree(manual: Any, reference: Any, inputs: Any) -> None:
    assert check_layer(manual, reference, inputs).verdict is Verdict.AGREES


def test_the_picture_of_a_named_mistake_shows_one_point() -> None:
    """Drawn inputs make several points; what is named at one is drawn beside that one."""
    shapes = {"q": (6, 5), "k": (6, 5), "v": (6, 3), "keep": ATTENTION["keep"]}
    result = check_layer(attention(scale=False), masked_attention, shapes)
    assert result.heatmap is not None and result.prediction is not None
    np.testing.assert_allclose(result.prediction[1], result.heatmap[1], rtol=1e-6)


def pooled(parts: int, less: int) -> Any:
    """Adaptive mean-pooling by loops, its gradient divided by `less` entries too few."""

    def manual(i: Any, dy: Any) -> Any:
        x, dx, n = i["x"], np.zeros_like(i["x"]), i["x"].shape[2]
        y = np.zeros((*x.shape[:2], parts))
        for t in range(parts):
            window = slice(t * n // parts, -(-(t + 1) * n // parts))
            y[:, :, t] = x[:, :, window].mean(2)
            dx[:, :, window] += dy[:, :, t : t + 1] / (window.stop - window.start - less)
        return y, {"x": dx}

    return manual


@pytest.mark.parametrize("less", [0, 1])
@pytest.mark.parametrize(("n", "parts"), [(7, 3), (6, 2), (8, 3)])
def test_a_window_divided_by_one_less_is_no_length_of_an_axis(
    n: int, parts: int, less: int
) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, n))
    result = check_layer(pooled(parts, less), lambda x: F.adaptive_avg_pool1d(x, parts), {"x": x})
    assert bool(result) is (less == 0)
    assert not less or "divided by one less than its entries" in result.sentence


@pytest.mark.parametrize("whole", [True, False])
def test_a_divergence_whose_softmax_takes_no_row_sum_off_is_said_so(whole: bool) -> None:
    g = np.random.default_rng(0)
    p = np.exp(g.normal(size=(6, 4)))
    inputs = {"z": g.normal(size=(6, 4)), "p": p / p.sum(1, keepdims=True)}

    def manual(i: Any, dy: Any) -> Any:
        e = np.exp(i["z"] - i["z"].max(1, keepdims=True))
        q, n = e / e.sum(1, keepdims=True), len(e)
        loss = (i["p"] * (np.log(i["p"]) - np.log(q))).sum() / n
        return loss, {"z": (q * whole - i["p"]) / n}

    def reference(z: Any, p: Any) -> Any:
        return F.kl_div(torch.log_softmax(z, 1), p, reduction="batchmean")

    result = check_layer(manual, reference, inputs, wrt=["z"])
    assert bool(result) is whole
    assert whole or "of the log-softmax, dy - p Σ dy, only dy is taken" in result.sentence


@pytest.mark.parametrize("largest", [45, 800])
@pytest.mark.parametrize("off", [0.0, 1e-6])
def test_entries_that_nobody_knows_lend_no_name_to_others(largest: float, off: float) -> None:
    """Where a sigmoid is 1 in every digit, torch divides by a guard: allowances are huge there."""
    g = np.random.default_rng(3)
    z = g.normal(size=(6, 4))
    z[0] = largest * np.array([1.0, -1.0, 0.9, -0.8])
    inputs = {"z": z, "t": (g.random((6, 4)) < 0.5).astype(float)}

    def manual(i: Any, dy: Any) -> Any:
        z, t = i["z"], i["t"]
        loss = (np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))).mean()
        e = np.exp(-np.abs(z))
        return loss, {"z": (np.where(z >= 0, 1, e) / (1 + e) - t) * (1 + off) / z.size}

    def reference(z: Any, t: Any) -> Any:
        return F.binary_cross_entropy(torch.sigmoid(z), t)

    result = check_layer(manual, reference, inputs, wrt=["z"])
    assert bool(result) is (off == 0)
    assert result.diagnosis == () and (
        not off or "dz is 1.000001 times the right one" in result.notes
    )

"""Kinds of mistakes that are made in many layers, each planted in several; the right ones agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compare.contracts.result import Verdict
from compare.layers.check import check_layer

pytestmark = pytest.mark.slow

Layer = tuple[Callable[..., Any], Any, dict[str, Any]]


def drawn(**shapes: tuple[int, ...]) -> dict[str, Any]:
    random = np.random.default_rng(7)
    return {name: random.normal(size=shape) for name, shape in shapes.items()}


def said(layer: Layer, wrong: Any, **options: Any) -> str:
    """The name of what is wrong, after the right twin was not accused."""
    manual, reference, inputs = layer
    assert check_layer(manual(None), reference, inputs, **options).verdict is Verdict.AGREES
    result = check_layer(manual(wrong), reference, inputs, **options)
    assert result.verdict is Verdict.DISAGREES
    return "; ".join(d.sentence for d in result.diagnosis)


def normalised(groups: tuple[int, ...], parts: tuple[int, ...]) -> Callable[..., Any]:
    """A norm over the last axis of `groups`; wrong: its backward means over that of `parts`."""

    def make(wrong: Any) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x = inputs["x"]
            z = x.reshape(groups)
            s = np.sqrt(z.var(-1, keepdims=True) + 1e-5)
            h = (z - z.mean(-1, keepdims=True)) / s

            def mean(a: Any) -> Any:
                of = a.reshape(parts if wrong else groups)
                return np.broadcast_to(of.mean(-1, keepdims=True), of.shape).reshape(groups)

            d = dy.reshape(groups)
            return h.reshape(x.shape), {"x": ((d - mean(d) - h * mean(d * h)) / s).reshape(x.shape)}

        return manual

    return make


NORMS: dict[str, tuple[Layer, str]] = {
    "group norm": ((normalised((2, 2, 6), (2, 4, 3)), torch.nn.GroupNorm(2, 4, affine=False),
                    drawn(x=(2, 4, 3))), "over axis 3 of 2×2×2×3: 3 entries each, in place of 6"),
    "flattened": ((normalised((3, 8), (3, 2, 4)),
                   lambda x: F.layer_norm(x.reshape(3, 8), (8,)).reshape(3, 2, 4),
                   drawn(x=(3, 2, 4))), "over axis 2 of 3×2×4: 4 entries each, in place of 8"),
}  # fmt: skip


@pytest.mark.parametrize("name", NORMS)
def test_means_over_a_part_of_what_was_put_together(name: str) -> None:
    layer, words = NORMS[name]
    assert words in said(layer, True)


def pooling(k: int, s: int) -> Layer:
    """A maximum of windows that is put back at another place of them."""

    def make(wrong: Any) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x = inputs["x"]
            y, dx = np.zeros_like(dy), np.zeros_like(x)
            for b, c, p, q in np.ndindex(dy.shape):
                at = x[b, c, p * s : p * s + k, q * s : q * s + k]
                row, column = divmod(int(at.argmax()), k)
                y[b, c, p, q] = at.max()
                if wrong == "exchanged":
                    row, column = column, row
                if wrong == "reversed":
                    row, column = k - 1 - row, k - 1 - column
                dx[b, c, p * s + row, q * s + column] += dy[b, c, p, q]
            return y, {"x": dx}

        return manual

    return make, lambda x: F.max_pool2d(x, k, s), drawn(x=(2, 2, 5, 7))


def columns(wrong: Any) -> Any:
    """An image unfolded into windows of 2 by 2."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        (n, c, h, w), k = x.shape, 2
        places = [(a, b) for a in range(k) for b in range(k)]
        y = np.stack([x[:, :, a : a + h - 1, b : b + w - 1] for a, b in places], 2)
        d, dx = dy.reshape(y.shape), np.zeros_like(x)
        if wrong == "channels last":
            d = np.moveaxis(dy.reshape(n, k * k, c, h - 1, w - 1), 2, 1)
        for number, (a, b) in enumerate(places):
            if wrong == "exchanged":
                a, b = b, a
            dx[:, :, a : a + h - 1, b : b + w - 1] += d[:, :, number]
        return y.reshape(dy.shape), {"x": dx}

    return manual


UNFOLDED: Layer = columns, lambda x: F.unfold(x, 2), drawn(x=(2, 3, 3, 4))


@pytest.mark.parametrize("layer, wrong, words", [
    (pooling(2, 2), "exchanged", "rows and columns of the window are exchanged"),
    (pooling(3, 2), "reversed", "the places of the window are reversed"),
    (UNFOLDED, "exchanged", "rows and columns of the window are exchanged"),
    (UNFOLDED, "channels last", "the channels are taken to come after the places of the window"),
])  # fmt: skip
def test_places_of_a_window_that_are_taken_for_each_other(
    layer: Layer, wrong: str, words: str
) -> None:
    assert words in said(layer, wrong)


def depthwise(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        windows = np.lib.stride_tricks.sliding_window_view(x, 3, 2)
        dw, dx = np.einsum("ncl,nclk->ck", dy, windows)[:, None], np.zeros_like(x)
        if wrong:
            dw = dw.sum(0, keepdims=True) + 0 * dw
        for k in range(3):
            dx[:, :, k : k + dy.shape[2]] += dy * w[:, 0, k][:, None]
        return np.einsum("nclk,ck->ncl", windows, w[:, 0]), {"x": dx, "w": dw}

    return manual


def grouped(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        dw = np.einsum("ngi,ngo->gio", x, dy)
        dw = dw.sum(0) + 0 * dw if wrong else dw
        return np.einsum("ngi,gio->ngo", x, w), {"x": np.einsum("ngo,gio->ngi", dy, w), "w": dw}

    return manual


def positions(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        dp = dy.sum(0)
        return inputs["x"] + inputs["p"], {"x": dy, "p": dp.sum(0) + 0 * dp if wrong else dp}

    return manual


@pytest.mark.parametrize("layer, words", [
    ((depthwise, lambda x, w: F.conv1d(x, w, groups=3), drawn(x=(2, 3, 7), w=(3, 1, 3))),
     "dw is added up over axis 0, every entry being the same"),
    ((positions, lambda x, p: x + p, drawn(x=(5, 3, 4), p=(3, 4))),
     "the sum of dy of y runs over axis 0, 1 in place of 0"),
    ((grouped, lambda x, w: torch.einsum("ngi,gio->ngo", x, w), drawn(x=(5, 3, 2), w=(3, 2, 4))),
     "dw is added up over axis 0, every entry being the same"),
], ids=["depthwise", "positions", "grouped"])  # fmt: skip
def test_a_sum_that_runs_over_what_stands_apart(layer: Layer, words: str) -> None:
    assert words in said(layer, True)


def linear(wrong: Any) -> Any:
    """Clipped at a bound, at a norm of each gradient, at a norm of all."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        grads = {"x": dy @ w.T, "w": x.T @ dy}
        norms = {name: math.sqrt((g**2).sum()) for name, g in grads.items()}
        whole = max(math.hypot(*norms.values()), 1e-300)  # without a dy all are 0
        if wrong == "bound":
            grads = {name: g.clip(-1.5, 1.5) for name, g in grads.items()}
        if wrong == "each":
            grads = {name: g * min(1, 2.5 / (norms[name] + 1e-300)) for name, g in grads.items()}
        if wrong == "all":
            grads = {name: g * min(1, 0.5 / whole) for name, g in grads.items()}
        return x @ w, grads

    return manual


def square(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        return x * x, {"x": (2 * x * dy).clip(-1.25, 1.25) if wrong else 2 * x * dy}

    return manual


LINEAR: Layer = linear, lambda x, w: x @ w, drawn(x=(5, 4), w=(4, 3))


@pytest.mark.parametrize("layer, wrong, words", [
    (LINEAR, "bound", "dx is clipped at ±1.5; dw is clipped at ±1.5"),
    (LINEAR, "each", "dx is scaled down to the norm 2.5; dw is scaled down to the norm 2.5"),
    (LINEAR, "all", "dw is scaled down, so that all gradients together have the norm 0.5"),
    ((square, torch.square, drawn(input=(5, 3))), "bound", "dinput is clipped at ±1.25"),
])  # fmt: skip
def test_gradients_that_are_clipped(layer: Layer, wrong: str, words: str) -> None:
    manual, reference, inputs = layer
    if "input" in inputs:  # the square calls it x
        reference, inputs, words = (
            (lambda x: x**2),
            {"x": inputs["input"]},
            words.replace("input", "x"),
        )
    assert words in said((manual, reference, inputs), wrong)


@pytest.mark.parametrize("bound, of", [(5.0, [0.5, -6.0, 2.0]), (1.0, [1.5, -2.0, 0.5])])
def test_one_entry_that_is_too_small_is_not_called_clipped(bound: float, of: Any) -> None:
    """Of the largest entry something is missing, and what is left is the largest no more."""

    def manual(inputs: Any, dy: Any) -> Any:
        dx = 2 * inputs["x"] * dy
        at = np.unravel_index(np.abs(dx).argmax(), dx.shape)
        dx[at] *= 0.9173
        return inputs["x"] ** 2, {"x": dx}

    result = check_layer(manual, lambda x: x**2, {"x": np.array(of) * bound})
    assert result.verdict is Verdict.DISAGREES and not result.diagnosis


def bounded(lower: float, upper: float) -> Callable[..., Any]:
    def make(wrong: Any) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x = inputs["x"]
            most = math.inf if wrong else upper
            y = x.clip(lower, upper if wrong == "mask" else most)
            return y, {"x": dy * ((x > lower) & (x < most))}

        return manual

    return make


WIDE = {"x": np.linspace(-9, 9, 24).reshape(6, 4)}


@pytest.mark.parametrize("layer, wrong, words", [
    ((bounded(0, 6), F.relu6, WIDE), "both", "the upper bound 6 of the clamped value is left out"),
    ((bounded(-1, 1), F.hardtanh, WIDE), "both", "the upper bound 1 of"),
    ((bounded(-2, 3), lambda x: x.clamp(-2, 3), WIDE), "mask",
     "in the backward pass alone the upper bound 3 of"),
])  # fmt: skip
def test_a_bound_that_is_left_out(layer: Layer, wrong: str, words: str) -> None:
    manual, reference, _ = layer
    assert words in said((manual, lambda x: reference(x), WIDE), wrong)


def gated(wrong: Any) -> Any:
    """GELU of a as a gate of b; wrong: db with Φ(a) for GELU."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w, v = (inputs[name] for name in "xwv")
        a, b = x @ w, x @ v
        cdf = 0.5 * (1 + np.vectorize(math.erf)(a / math.sqrt(2)))
        pdf = np.exp(-a * a / 2) / math.sqrt(2 * math.pi)
        da, db = dy * b * (cdf + a * pdf), dy * cdf * (1 if wrong else a)
        return a * cdf * b, {"x": da @ w.T + db @ v.T, "w": x.T @ da, "v": x.T @ db}

    return manual


def triple(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        a, b, c, w = (inputs[name] for name in "abcw")
        whole = a * b * c
        dw = (a * c if wrong else whole).T @ dy
        d = dy @ w.T
        return whole @ w, {"a": d * b * c, "b": d * a * c, "c": d * a * b, "w": dw}

    return manual


@pytest.mark.parametrize("layer, words", [
    ((gated, lambda x, w, v: F.gelu(x @ w) * (x @ v), drawn(x=(5, 3), w=(3, 4), v=(3, 4))),
     "GELU stands without its factor the product of `x` and `w` in"),
    ((triple, lambda a, b, c, w: (a * b * c) @ w, drawn(a=(4, 3), b=(4, 3), c=(4, 3), w=(3, 2))),
     "in dw alone, the factor `b` is left out"),
], ids=["gelu", "product of three"])  # fmt: skip
def test_a_product_that_stands_without_one_of_its_factors(layer: Layer, words: str) -> None:
    assert words in said(layer, True)


def over_time(wrong: Any) -> Any:
    """A linear layer over rows and steps, whose weights see the first step alone."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        dw = dy[:, 0].T @ x[:, 0] if wrong else np.einsum("bto,bti->oi", dy, x)
        return x @ w.T, {"x": dy @ w, "w": dw}

    return manual


def shared_keys(wrong: Any) -> Any:
    """Several heads of queries for one of keys and values, which get what the last head gives."""

    def manual(inputs: Any, dy: Any) -> Any:
        q, k, v = (inputs[name] for name in "qkv")
        a = np.exp(q @ k.T)
        p = a / a.sum(-1, keepdims=True)
        dp = dy @ v.T
        ds = p * (dp - (dp * p).sum(-1, keepdims=True))
        dk, dv = (np.swapaxes(m, 1, 2) @ of for m, of in ((ds, q), (p, dy)))
        dk, dv = (d[-1] if wrong else d.sum(0) for d in (dk, dv))
        return p @ v, {"q": ds @ k, "k": dk, "v": dv}

    return manual


def recurrent(wrong: Any) -> Any:
    """Weights whose gradients are assigned in the loop over time, in place of added to."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w, u = (inputs[name] for name in "xwu")
        states = [np.zeros((x.shape[1], u.shape[0]))]
        for row in x:
            states.append(np.tanh(row @ w + states[-1] @ u))
        dx, dw, du, dh = np.zeros_like(x), 0 * w, 0 * u, 0 * states[0]
        for t in reversed(range(len(x))):
            da = (dy[t] + dh) * (1 - states[t + 1] ** 2)
            dx[t], dh = da @ w.T, da @ u.T
            dw = x[t].T @ da + (0 if wrong else dw)
            du = states[t].T @ da + (0 if wrong else du)
        return np.stack(states[1:]), {"x": dx, "w": dw, "u": du}

    return manual


def recurrence(x: Any, w: Any, u: Any) -> Any:
    h, found = torch.ones_like(x[0] @ w) * 0, []
    for row in x:
        h = torch.tanh(row @ w + h @ u)
        found.append(h)
    return torch.stack(found)


@pytest.mark.parametrize("layer, words", [
    ((over_time, lambda x, w: x @ w.T, drawn(x=(3, 4, 5), w=(2, 5))),
     "only the first of 4 parts counts, along axis 1 of 3×4 terms"),
    ((shared_keys, lambda q, k, v: torch.softmax(q @ k.T, -1) @ v,
      drawn(q=(3, 4, 5), k=(6, 5), v=(6, 2))),
     "in dk and dv only the last of 3 parts is left (overwritten in place of added), along axis 0"),
    ((recurrent, recurrence, drawn(x=(3, 2, 2), w=(2, 4), u=(4, 4))),
     "in dw and du only the last of 3 terms is left (overwritten in place of added)"),
], ids=["linear", "shared keys", "recurrence"])  # fmt: skip
def test_a_sum_of_which_one_part_is_left(layer: Layer, words: str) -> None:
    assert words in said(layer, True)

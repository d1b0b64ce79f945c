"""Sentences in a module's own terms: scores, queries and keys, scale, window, class weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compare.contracts.result import Verdict
from compare.layers.check import check_layer

pytestmark = pytest.mark.slow


def drawn(**shapes: tuple[int, ...]) -> dict[str, Any]:
    random = np.random.default_rng(8)
    return {name: random.normal(size=shape) for name, shape in shapes.items()}


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def attention(wrong: Any) -> Any:
    """Two heads of width 3, from one product with the weights of queries, keys and values."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        (n, d), heads = x.shape, 2
        q, k, v = (
            np.swapaxes((x @ part).reshape(n, heads, -1), 0, 1) for part in np.split(w, 3, 1)
        )
        scale = back = 3**-0.5
        a = np.exp(q @ np.swapaxes(k, 1, 2) * scale)
        p = a / a.sum(-1, keepdims=True)
        dh = np.swapaxes(dy.reshape(n, heads, -1), 0, 1)
        dp = dh @ np.swapaxes(v, 1, 2)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True))
        if wrong == "width":
            back = 6**-0.5
        dk = np.swapaxes(ds, 1, 2) @ q * (1.0 if wrong == "keys" else back)
        parts = (ds @ k * back, dk, np.swapaxes(p, 1, 2) @ dh)
        if wrong == "exchanged":
            parts = (parts[1], parts[0], parts[2])
        da = np.hstack([np.swapaxes(each, 0, 1).reshape(n, d) for each in parts])
        return np.swapaxes(p @ v, 0, 1).reshape(n, d), {"x": da @ w.T, "w": x.T @ da}

    return manual


def by_heads(x: Any, w: Any) -> Any:
    n, d = x.shape
    q, k, v = (part.reshape(n, 2, 3).transpose(0, 1) for part in (x @ w).chunk(3, 1))
    p = torch.softmax(q @ k.transpose(1, 2) / 3**0.5, -1)
    return (p @ v).transpose(0, 1).reshape(n, d)


def mean_pooling(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        n, c, h, w = x.shape
        y = x.reshape(n, c, h // 2, 2, w // 3, 3).mean((3, 5))
        return y, {"x": np.kron(dy, np.ones((2, 3))) / (1 if wrong else 6)}

    return manual


def mean_pooling_1d(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        return x.reshape(*x.shape[:2], -1, 3).mean(-1), {
            "x": np.repeat(dy, 3, -1) / (1 if wrong else 3)
        }

    return manual


WEIGHTS = [1.0, 2.0, 0.5, 3.0]
LABELS = np.array([0, 3, 1, 2, 3])


def weighted(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        z, y = inputs["z"], inputs["y"]
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        w = np.array(WEIGHTS)[y]
        loss = -(w * np.log(p[range(len(z)), y])).sum() / w.sum()
        d = (p - np.eye(4)[y]) * (1 if wrong == "all" else w[:, None])
        return loss, {"z": d / (len(z) if wrong == "rows" else w.sum())}

    return manual


def mish(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        t = np.tanh(np.logaddexp(0, x))
        return x * t, {"x": dy * (t + x * (1 - t * t) * (1 if wrong else sigmoid(x)))}

    return manual


def softplus_of(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        z = x @ w
        dz = dy * (1 if wrong else sigmoid(z))
        return np.logaddexp(0, z), {"x": dz @ w.T, "w": x.T @ dz}

    return manual


def smooth_l1(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        o, t = inputs["o"], inputs["t"]
        e = o - t
        loss = np.where(abs(e) < 0.4, 0.5 * e * e / 0.4, abs(e) - 0.2).mean()
        return loss, {"o": np.where(abs(e) < 0.4, e / (1 if wrong else 0.4), np.sign(e)) / e.size}

    return manual


def weight_norm(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x, v, g = (inputs[name] for name in "xvg")
        n = np.sqrt((v**2).sum(1, keepdims=True))
        u, dw = v / n, dy.T @ x
        dg = (dw * u).sum(1)
        grads = {"x": dy @ (g[:, None] * u), "v": g[:, None] / n * (dw - dg[:, None] * u)}
        return x @ (g[:, None] * u).T, grads | {"g": (dw * v).sum(1) if wrong else dg}

    return manual


def maximum(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        here = x == x.max(1, keepdims=True)
        return x.max(1), {"x": dy[:, None] * (np.ones_like(x) if wrong else here)}

    return manual


def rotation(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x, cos, sin = (inputs[name] for name in ("x", "cos", "sin"))
        d = x.shape[-1] // 2

        def turned(v: Any) -> Any:
            return np.concatenate([-v[..., d:], v[..., :d]], -1)

        back = turned(dy) * sin if wrong else -turned(dy * sin)
        return x * cos + turned(x) * sin, {"x": dy * cos + back}

    return manual


def rotated(x: Any, cos: Any, sin: Any) -> Any:
    d = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., d:], x[..., :d]], -1) * sin


ANGLES = np.tile(np.arange(1, 6)[:, None] * 0.3 ** np.arange(2), 2)


def hardswish(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        inside = abs(x) < 3
        gate = np.clip(x + 3, 0, 6) / 6
        return x * gate, {"x": dy * (gate + x / 6 * (1 if wrong else inside))}

    return manual


def upsampled(wrong: Any) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        n, c, h, w = x.shape
        parts = dy.reshape(n, c, h, 2, w, 2)
        dx = parts.mean((3, 5)) if wrong else parts.sum((3, 5))
        return x.repeat(2, 2).repeat(2, 3), {"x": dx}

    return manual


def cell(wrong: Any) -> Any:
    """A state `c' = f c + g` with f = σ(x w), and tanh of it; wrong: f gets the new state."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, c, w, g = (inputs[name] for name in "xcwg")
        f = sigmoid(x @ w)
        new = f * c + g
        h = np.tanh(new)
        d = dy[0] * (1 - h**2) + dy[1]
        dz = d * (new if wrong else c) * f * (1 - f)
        return (h, new), {"x": dz @ w.T, "c": d * f, "w": x.T @ dz, "g": d}

    return manual


def forgetting(x: Any, c: Any, w: Any, g: Any) -> Any:
    new = torch.sigmoid(x @ w) * c + g
    return torch.tanh(new), new


def gated_head(wrong: Any) -> Any:
    """Queries behind a ReLU that is written as a product; wrong: its slope is left out."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w, k, v = (inputs[name] for name in "xwkv")
        h = x @ w
        on = h > 0
        q = h * on
        a = np.exp(q @ k.T)
        p = a / a.sum(-1, keepdims=True)
        dp = dy @ v.T
        ds = p * (dp - (dp * p).sum(-1, keepdims=True))
        dh = ds @ k * (1.0 if wrong else on)
        return p @ v, {"x": dh @ w.T, "w": x.T @ dh, "k": ds.T @ q, "v": p.T @ dy}

    return manual


def with_gate(x: Any, w: Any, k: Any, v: Any) -> Any:
    h = x @ w
    return torch.softmax((h * (h > 0)) @ k.T, -1) @ v


def weighted_rows(wrong: Any) -> Any:
    """Twelve rows, each with its own function of it; wrong: the first two exchange gradients."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        n = np.arange(1, len(x) + 1)[:, None]
        dx = dy * n * np.cos(n * x)
        return np.sin(n * x).sum(0), {"x": dx[[1, 0, *range(2, len(x))]] if wrong else dx}

    return manual


def row_by_row(x: Any) -> Any:
    total = torch.zeros_like(x[0])
    for n in range(len(x)):
        total = total + torch.sin((n + 1) * x[n])
    return total


Layer = tuple[Callable[..., Any], Any, dict[str, Any], tuple[str, ...] | None]
HEADS: Layer = attention, by_heads, drawn(x=(4, 6), w=(6, 18)), None
LAYERS: dict[str, tuple[Layer, str, str]] = {
    "scale of the keys": (HEADS, "keys",
                          "the scale 1/√3 is missing in what flows back through the keys"),
    "another scale": (HEADS, "width", "in the backward pass the scale 1/√3 is taken to be 1/√6"),
    "queries and keys": (
        HEADS, "exchanged",
        "parts 1 and 2 of the product of `x` and `w`, the queries and the keys, are exchanged"),
    "a gate before a softmax": (
        (gated_head, with_gate, drawn(x=(5, 4), w=(4, 3), k=(6, 3), v=(6, 2)), None), "all",
        "the factor (the product of `x` and `w` > 0) is missing"),
    "the first rows of many": ((weighted_rows, row_by_row, drawn(x=(12, 3)), None), "all",
                               "in the backward pass two parts of `x`, [0] and [1], are exchanged"),
    "window": ((mean_pooling, lambda x: F.avg_pool2d(x, (2, 3)), drawn(x=(2, 2, 4, 6)), None),
               "all", "of the pooling the division by 6, the size of the window, is missing"),
    "window of one axis": (
        (mean_pooling_1d, lambda x: F.avg_pool1d(x, 3), drawn(x=(2, 3, 6)), None), "all",
        "the division by 3, the size of the window, is missing"),
    "class weights": (
        (weighted, lambda z, y: F.cross_entropy(z, y, weight=torch.tensor(WEIGHTS, dtype=z.dtype)),
         drawn(z=(5, 4)) | {"y": LABELS}, None), "all",
        "the multiplication by the class weights is missing in the backward pass"),
    "sum of the weights": (
        (weighted, lambda z, y: F.cross_entropy(z, y, weight=torch.tensor(WEIGHTS, dtype=z.dtype)),
         drawn(z=(5, 4)) | {"y": LABELS}, None), "rows",
        "divided by 5, the number of entries that count, in place of 9.5, the sum of the class"),
    "rotation": ((rotation, rotated, drawn(x=(2, 5, 4)) | {"cos": np.cos(ANGLES),
                  "sin": np.sin(ANGLES)}, ("x",)), "all",
                 "the rotation is made once more in place of undone"),
    "two bounds": ((hardswish, lambda x: F.hardswish(x), {"x": np.linspace(-7, 7, 20)}, None),
                   "all", "the derivative of the clamped value is left out of the backward pass"),
    "upsampling": (
        (upsampled, lambda x: F.interpolate(x, scale_factor=2, mode="nearest"),
         drawn(x=(2, 3, 5, 2)), None), "all", "back through the upsampling is divided by 4"),
    "state": ((cell, forgetting, drawn(x=(4, 2), c=(4, 3), w=(2, 3), g=(4, 3)), None), "all",
              "the output y2 stands in place of `c`"),
    "mish": ((mish, lambda x: F.mish(x), drawn(x=(5, 4)), None), "all",
             "the derivative of softplus is left out of the backward pass"),
    "softplus": ((softplus_of, lambda x, w: F.softplus(x @ w), drawn(x=(5, 4), w=(4, 3)), None),
                 "all", "the derivative of softplus is left out of the backward pass"),
    "beta": ((smooth_l1, lambda o, t: F.smooth_l1_loss(o, t, beta=0.4), drawn(o=(6, 3), t=(6, 3)),
              ("o",)), "all", "the division by β = 0.4 is left out of the backward pass"),
    "norm": ((weight_norm, lambda x, v, g: x @ (g[:, None] * v / v.norm(dim=1, keepdim=True)).T,
              drawn(x=(5, 4), v=(3, 4), g=(3,)), None), "all",
             "the division by the norm is missing"),
    "maximum": ((maximum, lambda x: x.amax(1), drawn(x=(4, 5)), None), "all",
                "the factor (the maximum = `x`) is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_name_is_what_an_engineer_would_say(name: str) -> None:
    (manual, reference, inputs, wrt), wrong, words = LAYERS[name]
    assert check_layer(manual(None), reference, inputs, wrt=wrt).verdict is Verdict.AGREES
    result = check_layer(manual(wrong), reference, inputs, wrt=wrt)
    assert result.verdict is Verdict.DISAGREES
    assert any(words in d.sentence for d in result.diagnosis), result.sentence

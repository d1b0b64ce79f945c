"""Attention, convolution, pooling, a recurrent cell and an MLP, each written in three ways."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.layers.layer import Array, Inputs, Layer, normal
from benchmarks.layers.pointwise import sigmoid


def softmax(s: Array) -> Array:
    e = np.exp(s - s.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def attention_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    """q (N, 5, 4), k (N, 7, 4), v (N, 7, 3)."""
    n = min(n, 32)
    small = min(scale, 4.0)
    return {
        "q": normal(g, n, 5, 4, scale=small), "k": normal(g, n, 7, 4, scale=small),
        "v": normal(g, n, 7, 3, scale=scale),
    }  # fmt: skip


def attention_reference(q: Any, k: Any, v: Any) -> Any:
    return F.scaled_dot_product_attention(q, k, v)


def attention(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    q, k, v = i["q"], i["k"], i["v"]
    c = q.dtype.type(1 / math.sqrt(q.shape[-1]))
    p = softmax(q @ k.swapaxes(-1, -2) * c)
    dp = dy @ v.swapaxes(-1, -2)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True)) * c
    return p @ v, {"q": ds @ k, "k": ds.swapaxes(-1, -2) @ q, "v": p.swapaxes(-1, -2) @ dy}


def attention_einsum(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    q, k, v = i["q"], i["k"], i["v"]
    root = q.dtype.type(math.sqrt(q.shape[-1]))
    p = softmax(np.einsum("bid,bjd->bij", q, k) / root)
    y = np.einsum("bij,bjd->bid", p, v)
    dp = np.einsum("bid,bjd->bij", dy, v)
    row = np.einsum("bid,bid->bi", dy, y)[..., None]
    ds = p * (dp - row) / root
    return y, {
        "q": np.einsum("bij,bjd->bid", ds, k), "k": np.einsum("bij,bid->bjd", ds, q),
        "v": np.einsum("bij,bid->bjd", p, dy),
    }  # fmt: skip


def attention_heads(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """One head after another, with the Jacobian of the softmax written out."""
    q, k, v = i["q"], i["k"], i["v"]
    c = q.dtype.type(q.shape[-1] ** -0.5)
    y = np.empty((*q.shape[:-1], v.shape[-1]), q.dtype)
    d = {"q": np.empty_like(q), "k": np.zeros_like(k), "v": np.zeros_like(v)}
    for b in range(len(q)):
        p = softmax((q[b] * c) @ k[b].T)
        y[b] = p @ v[b]
        dp = dy[b] @ v[b].T
        ds = np.stack([(np.diag(r) - np.outer(r, r)) @ g for r, g in zip(p, dp, strict=True)])
        d["q"][b], d["k"][b], d["v"][b] = ds @ k[b] * c, ds.T @ (q[b] * c), p.T @ dy[b]
    return y, d


def conv_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    """x (N, 2, 6, 7), w (3, 2, 3, 2), b (3,)."""
    n = min(n, 32)
    return {"x": normal(g, n, 2, 6, 7, scale=scale), "w": normal(g, 3, 2, 3, 2), "b": normal(g, 3)}


def windows(x: Array, kernel: tuple[int, int]) -> Array:
    """(N, C, H', W', R, S)."""
    return np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))


def full(dy: Array, w: Array) -> Array:
    """Pad dy so that every entry of the kernel meets every entry of it."""
    r, s = w.shape[2] - 1, w.shape[3] - 1
    return np.pad(dy, ((0, 0), (0, 0), (r, r), (s, s)))


def conv(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w, b = i["x"], i["w"], i["b"]
    y = np.einsum("nchwrs,kcrs->nkhw", windows(x, w.shape[2:]), w) + b[:, None, None]
    flipped = w[:, :, ::-1, ::-1]
    dx = np.einsum("nkhwrs,kcrs->nchw", windows(full(dy, w), w.shape[2:]), flipped)
    dw = np.einsum("nchwrs,nkhw->kcrs", windows(x, w.shape[2:]), dy)
    return y, {"x": dx, "w": dw, "b": dy.sum((0, 2, 3))}


def conv_loops(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """Over the entries of the kernel."""
    x, w, b = i["x"], i["w"], i["b"]
    h, v = dy.shape[2:]
    y = np.zeros_like(dy) + b[:, None, None]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for r in range(w.shape[2]):
        for s in range(w.shape[3]):
            part = x[:, :, r : r + h, s : s + v]
            y += np.einsum("nchw,kc->nkhw", part, w[:, :, r, s])
            dw[:, :, r, s] = np.einsum("nkhw,nchw->kc", dy, part)
            dx[:, :, r : r + h, s : s + v] += np.einsum("nkhw,kc->nchw", dy, w[:, :, r, s])
    return y, {"x": dx, "w": dw, "b": dy.sum(axis=(0, 2, 3))}


def conv_columns(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """im2col: one matrix product, and its transpose scattered back."""
    x, w, b = i["x"], i["w"], i["b"]
    n, _, h, v = dy.shape
    cols = windows(x, w.shape[2:]).transpose(0, 2, 3, 1, 4, 5).reshape(n * h * v, -1)
    flat = w.reshape(len(w), -1)
    y = (cols @ flat.T + b).reshape(n, h, v, -1).transpose(0, 3, 1, 2)
    rows = dy.transpose(0, 2, 3, 1).reshape(-1, len(w))
    dcols = (rows @ flat).reshape(n, h, v, *w.shape[1:])
    dx = np.zeros_like(x)
    for p in range(h):
        for q in range(v):
            dx[:, :, p : p + w.shape[2], q : q + w.shape[3]] += dcols[:, p, q]
    return y, {"x": dx, "w": (rows.T @ cols).reshape(w.shape), "b": rows.sum(0)}


def pool_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    return {"x": normal(g, min(n, 64), 2, 6, 8, scale=scale)}


def pool(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x = i["x"]
    n, c, h, w = x.shape
    cells = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, -1, 4)
    at = cells.argmax(-1)
    d = np.zeros_like(cells)
    np.put_along_axis(d, at[..., None], dy.reshape(n, c, -1, 1), -1)
    dx = d.reshape(n, c, h // 2, w // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(x.shape)
    return cells.max(-1).reshape(n, c, h // 2, w // 2), {"x": dx}


def pool_mask(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x = i["x"]
    cells = x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2)
    y = cells.max((3, 5))
    mask = cells == y[:, :, :, None, :, None]
    return y, {"x": (mask * dy[:, :, :, None, :, None]).reshape(x.shape)}


def pool_loops(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, dx = i["x"], np.zeros_like(i["x"])
    y = np.empty_like(dy)
    for at in np.ndindex(dy.shape):
        n, c, p, q = at
        window = x[n, c, 2 * p : 2 * p + 2, 2 * q : 2 * q + 2]
        r, s = np.unravel_index(window.argmax(), (2, 2))
        y[at] = window[r, s]
        dx[n, c, 2 * p + r, 2 * q + s] += dy[at]
    return y, {"x": dx}


def lstm_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    """x (N, 3), h and c (N, 4), w (3, 16), u (4, 16), b (16,)."""
    size = min(scale, 3.0)
    return {
        "x": normal(g, n, 3, scale=size), "h": normal(g, n, 4, scale=size),
        "c": normal(g, n, 4, scale=size), "w": normal(g, 3, 16), "u": normal(g, 4, 16),
        "b": normal(g, 16),
    }  # fmt: skip


def lstm_reference(x: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> Any:
    i, f, o, g = (x @ w + h @ u + b).chunk(4, dim=1)
    c2 = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c2), c2


def lstm(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
    x, h, c, w, u, b = (i[k] for k in "xhcwub")
    dh2, dc2 = dy
    a = x @ w + h @ u + b
    gate, forget, out = (sigmoid(part) for part in np.split(a[:, :12], 3, 1))
    new = np.tanh(a[:, 12:])
    c2 = forget * c + gate * new
    t = np.tanh(c2)
    dc = dc2 + dh2 * out * (1 - t * t)
    da = np.concatenate([
        dc * new * gate * (1 - gate), dc * c * forget * (1 - forget), dh2 * t * out * (1 - out),
        dc * gate * (1 - new**2),
    ], 1)  # fmt: skip
    return (out * t, c2), {
        "x": da @ w.T, "h": da @ u.T, "c": dc * forget, "w": x.T @ da, "u": h.T @ da,
        "b": da.sum(0),
    }  # fmt: skip


def lstm_joint(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
    """x and h side by side, and one weight matrix."""
    x, h, c = i["x"], i["h"], i["c"]
    xh, wu = np.concatenate([x, h], 1), np.concatenate([i["w"], i["u"]])
    a = xh @ wu + i["b"]
    s = sigmoid(a[:, :12])
    g = np.tanh(a[:, 12:])
    c2 = s[:, 4:8] * c + s[:, :4] * g
    t = np.tanh(c2)
    dc = dy[1] + dy[0] * s[:, 8:] * (1 - t) * (1 + t)
    ds = np.concatenate([dc * g, dc * c, dy[0] * t], 1)
    da = np.concatenate([ds * s * (1 - s), dc * s[:, :4] * (1 - g * g)], 1)
    dxh, dwu = da @ wu.T, xh.T @ da
    return (s[:, 8:] * t, c2), {
        "x": dxh[:, :3], "h": dxh[:, 3:], "c": dc * s[:, 4:8], "w": dwu[:3], "u": dwu[3:],
        "b": np.ones(len(x), a.dtype) @ da,
    }  # fmt: skip


def lstm_rows(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
    """One sample after another, gradients of the weights accumulated."""
    d = {name: np.zeros_like(value) for name, value in i.items()}
    ys: list[list[Array]] = [[], []]
    for n in range(len(i["x"])):
        one = {k: v[n : n + 1] if k in "xhc" else v for k, v in i.items()}
        (h2, c2), g = lstm(one, (dy[0][n : n + 1], dy[1][n : n + 1]))
        ys[0].append(h2)
        ys[1].append(c2)
        for name, value in g.items():
            if name in "xhc":
                d[name][n : n + 1] = value
            else:
                d[name] += value
    return (np.concatenate(ys[0]), np.concatenate(ys[1])), d


def mlp_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    return {
        "x": normal(g, n, 6, scale=scale), "w1": normal(g, 6, 9), "b1": normal(g, 9),
        "w2": normal(g, 9, 4), "b2": normal(g, 4),
    }  # fmt: skip


def mlp_reference(x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    return torch.relu(x @ w1 + b1) @ w2 + b2


def mlp(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w1, b1, w2, b2 = (i[k] for k in ("x", "w1", "b1", "w2", "b2"))
    z = x @ w1 + b1
    h = np.maximum(z, 0)
    dz = dy @ w2.T * (z > 0)
    return h @ w2 + b2, {
        "x": dz @ w1.T, "w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ dy, "b2": dy.sum(0),
    }  # fmt: skip


def mlp_columns(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """Samples in columns."""
    x = i["x"].T
    w1, w2 = i["w1"].T, i["w2"].T
    z = w1 @ x + i["b1"][:, None]
    h = z * (z > 0)
    d = dy.T
    dz = np.where(z > 0, w2.T @ d, 0).astype(z.dtype)
    return (w2 @ h + i["b2"][:, None]).T, {
        "x": (w1.T @ dz).T, "w1": (dz @ x.T).T, "b1": dz.sum(1), "w2": (d @ h.T).T, "b2": d.sum(1),
    }  # fmt: skip


def mlp_augmented(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """Biases as a further row of the weights."""
    x = i["x"]
    one = np.ones((len(x), 1), x.dtype)
    a1, a2 = np.vstack([i["w1"], i["b1"]]), np.vstack([i["w2"], i["b2"]])
    xa = np.hstack([x, one])
    z = xa @ a1
    ha = np.hstack([np.where(z > 0, z, 0).astype(x.dtype), one])
    dz = (dy @ a2.T)[:, :-1] * (z > 0)
    d1, d2 = xa.T @ dz, ha.T @ dy
    return ha @ a2, {
        "x": (dz @ a1.T)[:, :-1], "w1": d1[:-1], "b1": d1[-1], "w2": d2[:-1], "b2": d2[-1],
    }  # fmt: skip


LAYERS = (
    Layer("attention", attention_inputs, attention_reference,
          {"plain": attention, "einsum": attention_einsum, "heads": attention_heads},
          ("q", "k", "v")),
    Layer("conv2d", conv_inputs, lambda x, w, b: F.conv2d(x, w, b),
          {"windows": conv, "loops": conv_loops, "columns": conv_columns}, ("x", "w", "b")),
    Layer("max-pool", pool_inputs, lambda x: F.max_pool2d(x, 2),
          {"argmax": pool, "mask": pool_mask, "loops": pool_loops}, ("x",)),
    Layer("lstm cell", lstm_inputs, lstm_reference,
          {"plain": lstm, "joint": lstm_joint, "rows": lstm_rows}, ("x", "h", "c", "w", "u", "b")),
    Layer("mlp", mlp_inputs, mlp_reference,
          {"plain": mlp, "columns": mlp_columns, "augmented": mlp_augmented},
          ("x", "w1", "b1", "w2", "b2")),
)  # fmt: skip

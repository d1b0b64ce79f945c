"""Linear layers and normalisations, each written in three ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.layers.layer import Array, Inputs, Layer, normal

EPS = 1e-5


def linear_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    """x (N, 7), w (7, 5), b (5,)."""
    return {"x": normal(g, n, 7, scale=scale), "w": normal(g, 7, 5), "b": normal(g, 5)}


def linear(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w, b = i["x"], i["w"], i["b"]
    return x @ w + b, {"x": dy @ w.T, "w": x.T @ dy, "b": dy.sum(0)}


def linear_einsum(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w = i["x"], i["w"]
    y = np.einsum("nf,fk->nk", x, w) + i["b"]
    return y, {
        "x": np.einsum("nk,fk->nf", dy, w),
        "w": np.einsum("nf,nk->fk", x, dy),
        "b": np.einsum("nk->k", dy),
    }


def linear_rows(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """Row after row, gradients accumulated."""
    x, w, b = i["x"], i["w"], i["b"]
    y = np.stack([row @ w + b for row in x])
    dw, db = np.zeros_like(w), np.zeros_like(b)
    for row, d in zip(x, dy, strict=True):
        dw += np.outer(row, d)
        db += d
    return y, {"x": np.stack([w @ d for d in dy]), "w": dw, "b": db}


def norm_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    """x (N, 12), weight and bias (12,)."""
    x = normal(g, n, 12, scale=scale) + scale * 0.5
    return {"x": x, "weight": 1 + 0.3 * normal(g, 12), "bias": normal(g, 12)}


def layer_norm(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """dx = (dh - mean(dh) - h mean(dh h)) / s."""
    x, w, b = i["x"], i["weight"], i["bias"]
    c = x - x.mean(1, keepdims=True)
    s = np.sqrt((c * c).mean(1, keepdims=True) + x.dtype.type(EPS))
    h = c / s
    dh = dy * w
    dx = (dh - dh.mean(1, keepdims=True) - h * (dh * h).mean(1, keepdims=True)) / s
    return h * w + b, {"x": dx, "weight": (dy * h).sum(0), "bias": dy.sum(0)}


def layer_norm_staged(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """Through the variance and the mean one after the other, as in the batch-norm paper."""
    x, w, b = i["x"], i["weight"], i["bias"]
    n = x.dtype.type(x.shape[1])
    mean = x.sum(1, keepdims=True) / n
    c = x - mean
    var = (c**2).sum(1, keepdims=True) / n
    inv = 1 / np.sqrt(var + x.dtype.type(EPS))
    h = c * inv
    dh = dy * w
    dvar = (dh * c * x.dtype.type(-0.5) * inv**3).sum(1, keepdims=True)
    dmean = (-dh * inv).sum(1, keepdims=True) + dvar * (-2 * c).sum(1, keepdims=True) / n
    dx = dh * inv + dvar * 2 * c / n + dmean / n
    return w * h + b, {"x": dx, "weight": (dy * h).sum(0), "bias": dy.sum(0)}


def layer_norm_one_line(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """dx = inv/n (n dh - sum dh - h sum(dh h))."""
    x, w = i["x"], i["weight"]
    n = x.shape[1]
    c = x - x.mean(-1)[:, None]
    inv = x.dtype.type(1) / np.sqrt(c.var(-1, keepdims=True) + x.dtype.type(EPS))
    h = c * inv
    dh = dy * w
    dx = inv / n * (n * dh - dh.sum(1)[:, None] - h * np.sum(dh * h, axis=1)[:, None])
    return h * w + i["bias"], {
        "x": dx, "weight": np.einsum("nd,nd->d", dy, h), "bias": np.ones(len(x), x.dtype) @ dy,
    }  # fmt: skip


def batch_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    """x (N, 6) with at least three rows."""
    n = max(n, 3)
    x = normal(g, n, 6, scale=scale) + scale * 0.5
    return {"x": x, "weight": 1 + 0.3 * normal(g, 6), "bias": normal(g, 6)}


def batch_norm(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w, b = i["x"], i["weight"], i["bias"]
    c = x - x.mean(0)
    s = np.sqrt((c * c).mean(0) + x.dtype.type(EPS))
    h = c / s
    dh = dy * w
    dx = (dh - dh.mean(0) - h * (dh * h).mean(0)) / s
    return h * w + b, {"x": dx, "weight": (dy * h).sum(0), "bias": dy.sum(0)}


def batch_norm_one_line(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w, b = i["x"], i["weight"], i["bias"]
    n = len(x)
    inv = (x.var(0) + x.dtype.type(EPS)) ** x.dtype.type(-0.5)
    h = (x - x.mean(0)) * inv
    dx = w * inv / n * (n * dy - dy.sum(0) - h * (dy * h).sum(0))
    return w * h + b, {"x": dx, "weight": (dy * h).sum(0), "bias": dy.sum(0)}


def batch_norm_staged(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w, b = i["x"], i["weight"], i["bias"]
    n = x.dtype.type(len(x))
    mu = x.sum(0) / n
    c = x - mu
    var = (c * c).sum(0) / n
    std = np.sqrt(var + x.dtype.type(EPS))
    inv = 1 / std
    h = c * inv
    dh = dy * w
    dinv = (dh * c).sum(0)
    dc = dh * inv
    dstd = -dinv / (std * std)
    dvar = x.dtype.type(0.5) * dstd / std
    dc = dc + 2 * c * dvar / n
    dx = dc - dc.sum(0) / n
    return w * h + b, {"x": dx, "weight": (dy * h).sum(0), "bias": dy.sum(0)}


def rms_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    return {"x": normal(g, n, 9, scale=scale), "weight": 1 + 0.3 * normal(g, 9)}


def rms_reference(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.rms_norm(x, (x.shape[-1],), weight, eps=1e-6)


def rms(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w = i["x"], i["weight"]
    r = 1 / np.sqrt((x * x).mean(1, keepdims=True) + x.dtype.type(1e-6))
    h = x * r
    dh = dy * w
    dx = r * (dh - h * (dh * h).mean(1, keepdims=True))
    return h * w, {"x": dx, "weight": (dy * h).sum(0)}


def rms_staged(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w = i["x"], i["weight"]
    n = x.shape[1]
    m = (x**2).sum(1, keepdims=True) / n + x.dtype.type(1e-6)
    root = np.sqrt(m)
    dh = dy * w
    droot = -(dh * x).sum(1, keepdims=True) / m
    dx = dh / root + droot / root * x / n
    return x / root * w, {"x": dx, "weight": (dy * x / root).sum(0)}


def rms_rows(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w = i["x"], i["weight"]
    ys, dxs, dw = [], [], np.zeros_like(w)
    for row, d in zip(x, dy, strict=True):
        r = (np.dot(row, row) / len(row) + row.dtype.type(1e-6)) ** row.dtype.type(-0.5)
        ys.append(row * r * w)
        dxs.append(r * (d * w) - row * (r**3 / len(row)) * np.dot(d * w, row))
        dw += d * row * r
    return np.stack(ys), {"x": np.stack(dxs), "weight": dw}


def ln_reference(x: Any, weight: Any, bias: Any) -> Any:
    return torch.nn.functional.layer_norm(x, (x.shape[-1],), weight, bias, eps=EPS)


def bn_reference(x: Any, weight: Any, bias: Any) -> Any:
    return torch.nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=EPS)


LAYERS = (
    Layer("linear", linear_inputs, lambda x, w, b: x @ w + b,
          {"matrix": linear, "einsum": linear_einsum, "rows": linear_rows}, ("x", "w", "b")),
    Layer("layer norm", norm_inputs, ln_reference,
          {"means": layer_norm, "staged": layer_norm_staged, "one line": layer_norm_one_line},
          ("x", "weight", "bias")),
    Layer("batch norm", batch_inputs, bn_reference,
          {"means": batch_norm, "one line": batch_norm_one_line, "staged": batch_norm_staged},
          ("x", "weight", "bias")),
    Layer("rms norm", rms_inputs, rms_reference,
          {"means": rms, "staged": rms_staged, "rows": rms_rows}, ("x", "weight")),
)  # fmt: skip

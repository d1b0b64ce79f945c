"""Losses, which have no dy, and an optimiser's step, each written in three ways."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch.nn import functional as F

from benchmarks.layers.layer import Array, Inputs, Layer, normal
from benchmarks.layers.pointwise import sigmoid


def entropy_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    labels = g.integers(0, 6, size=n)
    return {"z": normal(g, n, 6, scale=min(scale, 30.0)), "labels": labels}


def entropy(i: Inputs, dy: None) -> tuple[Any, Inputs]:
    z, t = i["z"], i["labels"]
    n = len(z)
    s = z - z.max(1, keepdims=True)
    log_p = s - np.log(np.exp(s).sum(1, keepdims=True))
    d = np.exp(log_p)
    d[np.arange(n), t] -= 1
    return -log_p[np.arange(n), t].mean(), {"z": d / n}


def entropy_one_hot(i: Inputs, dy: None) -> tuple[Any, Inputs]:
    z = i["z"]
    y = np.eye(z.shape[1], dtype=z.dtype)[i["labels"]]
    e = np.exp(z - z.max(1)[:, None])
    total = e.sum(1)[:, None]
    logs = np.log(total) + z.max(1)[:, None] - z
    return (y * logs).sum() / len(z), {"z": (e / total - y) / z.dtype.type(len(z))}


def entropy_rows(i: Inputs, dy: None) -> tuple[Any, Inputs]:
    z, t = i["z"], i["labels"]
    loss, d = z.dtype.type(0), np.empty_like(z)
    for row, label, out in zip(z, t, d, strict=True):
        m = row.max()
        e = np.exp(row - m)
        out[:] = e / e.sum()
        out[label] -= 1
        loss += np.log(e.sum()) - (row[label] - m)
    d /= len(z)
    return loss / z.dtype.type(len(z)), {"z": d}


def mse_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    return {"p": normal(g, n, 4, scale=scale), "t": normal(g, n, 4, scale=scale)}


def mse(i: Inputs, dy: None) -> tuple[Any, Inputs]:
    d = i["p"] - i["t"]
    return (d * d).mean(), {"p": 2 * d / d.size}


def mse_sum(i: Inputs, dy: None) -> tuple[Any, Inputs]:
    d = i["p"] - i["t"]
    n = d.dtype.type(d.size)
    return np.sum(d**2) / n, {"p": d * (2 / n)}


def mse_dot(i: Inputs, dy: None) -> tuple[Any, Inputs]:
    d = (i["p"] - i["t"]).ravel()
    return np.dot(d, d) / d.size, {"p": (d / d.size + d / d.size).reshape(i["p"].shape)}


def bce_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    return {"z": normal(g, n, 3, scale=min(scale, 30.0)), "t": (g.random((n, 3)) < 0.5) * 1.0}


def bce(i: Inputs, dy: None) -> tuple[Any, Inputs]:
    z, t = i["z"], i["t"]
    loss = np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))
    return loss.mean(), {"z": (sigmoid(z) - t) / z.size}


def bce_softplus(i: Inputs, dy: None) -> tuple[Any, Inputs]:
    z, t = i["z"], i["t"]
    zero = z.dtype.type(0)
    loss = t * np.logaddexp(zero, -z) + (1 - t) * np.logaddexp(zero, z)
    return loss.sum() / z.size, {"z": ((1 - t) * sigmoid(z) - t * sigmoid(-z)) / z.size}


def bce_where(i: Inputs, dy: None) -> tuple[Any, Inputs]:
    z, t = i["z"], i["t"]
    signed = np.where(t > 0.5, z, -z)
    loss = np.log1p(np.exp(-np.abs(signed))) - np.minimum(signed, 0)
    d = np.where(t > 0.5, -sigmoid(-z), sigmoid(z))
    return loss.mean(), {"z": (d / z.dtype.type(z.size)).astype(z.dtype)}


def adam_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    return {
        "w": normal(g, n, 3), "g": normal(g, n, 3, scale=scale), "m": normal(g, n, 3, scale=scale),
        "v": normal(g, n, 3, scale=scale) ** 2,
    }  # fmt: skip


def adam_reference(w: Any, g: Any, m: Any, v: Any) -> Any:
    """One step at t = 3; the outputs are the new weights."""
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    return w - 0.01 * (m / (1 - 0.9**3)) / ((v / (1 - 0.999**3)).sqrt() + 1e-8)


def adam(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """Only the step is of interest; its gradient in w is dy."""
    w, g, m, v = i["w"], i["g"], i["m"], i["v"]
    f = w.dtype.type
    m = f(0.9) * m + f(0.1) * g
    v = f(0.999) * v + f(0.001) * g**2
    step = f(0.01) * (m / f(1 - 0.9**3)) / (np.sqrt(v / f(1 - 0.999**3)) + f(1e-8))
    return w - step, {"w": dy.copy()}


def adam_lerp(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    w, g, m, v = i["w"], i["g"], i["m"], i["v"]
    f = w.dtype.type
    m = m + f(0.1) * (g - m)
    v = f(0.999) * v + g * (f(0.001) * g)
    denominator = np.sqrt(v) / np.sqrt(f(1 - 0.999**3)) + f(1e-8)
    return w - (f(0.01) / f(1 - 0.9**3)) * m / denominator, {"w": 1 * dy}


def adam_in_place(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    w, g, m, v = (i[k].copy() for k in "wgmv")
    f = w.dtype.type
    m *= f(0.9)
    m += g * f(0.1)
    v *= f(0.999)
    v += f(0.001) * (g * g)
    w -= f(0.01) * (m / f(1 - 0.9**3)) / (np.sqrt(v / f(1 - 0.999**3)) + f(1e-8))
    return w, {"w": dy.copy()}


LAYERS = (
    Layer("cross entropy", entropy_inputs, lambda z, labels: F.cross_entropy(z, labels),
          {"log-sum-exp": entropy, "one-hot": entropy_one_hot, "rows": entropy_rows},
          ("z",), scalar=True),
    Layer("mse", mse_inputs, lambda p, t: F.mse_loss(p, t),
          {"mean": mse, "sum": mse_sum, "dot": mse_dot}, ("p",), scalar=True),
    Layer("bce", bce_inputs, lambda z, t: F.binary_cross_entropy_with_logits(z, t),
          {"plain": bce, "softplus": bce_softplus, "where": bce_where}, ("z",), scalar=True),
    Layer("adam step", adam_inputs, adam_reference,
          {"plain": adam, "lerp": adam_lerp, "in place": adam_in_place}, ("w",)),
)  # fmt: skip

"""Activations, gates, dropout and embeddings, each written in three ways."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.layers.layer import Array, Inputs, Layer, normal

C = math.sqrt(2 / math.pi)


def x_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    return {"x": normal(g, n, 10, scale=min(scale, 20.0))}


def sigmoid(z: Array) -> Array:
    """Without overflow: exp of what is not positive."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e)).astype(z.dtype)


def tanh(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    y = np.tanh(i["x"])
    return y, {"x": dy * (1 - y**2)}


def tanh_factored(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    y = np.tanh(i["x"])
    return y, {"x": dy * (1 - y) * (1 + y)}


def tanh_accumulated(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    y = np.tanh(i["x"])
    slope = np.ones_like(y)
    slope -= y * y
    return y, {"x": np.multiply(slope, dy)}


def gelu_tanh(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x = i["x"]
    c, a = x.dtype.type(C), x.dtype.type(0.044715)
    t = np.tanh(c * (x + a * x**3))
    half = x.dtype.type(0.5)
    slope = half * (1 + t) + half * x * (1 - t * t) * c * (1 + 3 * a * x**2)
    return half * x * (1 + t), {"x": dy * slope}


def gelu_tanh_factored(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x = i["x"]
    c, a = x.dtype.type(C), x.dtype.type(0.044715)
    u = c * x * (1 + a * x * x)
    t = np.tanh(u)
    du = c + 3 * c * a * x * x
    y = (x + x * t) / 2
    return y, {"x": dy * (1 + t) / 2 + dy * x * (1 - t) * (1 + t) * du / 2}


def gelu_tanh_staged(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x = i["x"]
    c, a = x.dtype.type(C), x.dtype.type(0.044715)
    inner = x + a * np.power(x, 3)
    t = np.tanh(inner * c)
    dt = dy * x * x.dtype.type(0.5)
    dinner = dt * (1 - t**2) * c
    dx = dy * x.dtype.type(0.5) * (t + 1) + dinner + dinner * 3 * a * x * x
    return x.dtype.type(0.5) * x * (t + 1), {"x": dx}


def silu(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x = i["x"]
    s = sigmoid(x)
    return x * s, {"x": dy * (s + x * s * (1 - s))}


def silu_factored(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x = i["x"]
    s = sigmoid(x)
    return x * s, {"x": dy * s * (1 + x * (1 - s))}


def silu_from_y(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x = i["x"]
    s = sigmoid(x)
    y = x * s
    return y, {"x": dy * s + dy * y * sigmoid(-x)}


def swiglu_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    return {"x": normal(g, n, 6, scale=min(scale, 3.0)), "w": normal(g, 6, 8), "v": normal(g, 6, 8)}


def swiglu(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w, v = i["x"], i["w"], i["v"]
    a, b = x @ w, x @ v
    s = sigmoid(a)
    h = a * s
    da, db = dy * b * (s + h * (1 - s)), dy * h
    return h * b, {"x": da @ w.T + db @ v.T, "w": x.T @ da, "v": x.T @ db}


def swiglu_joint(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    """Both products as one."""
    x = i["x"]
    both = np.concatenate([i["w"], i["v"]], 1)
    z = x @ both
    a, b = np.split(z, 2, 1)
    s = sigmoid(a)
    dz = np.concatenate([dy * b * s * (1 + a * (1 - s)), dy * a * s], 1)
    dw, dv = np.split(x.T @ dz, 2, 1)
    return a * s * b, {"x": dz @ both.T, "w": dw, "v": dv}


def swiglu_einsum(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, w, v = i["x"], i["w"], i["v"]
    a, b = np.einsum("nf,fh->nh", x, w), np.einsum("nf,fh->nh", x, v)
    s = sigmoid(a)
    dh, db = dy * b, dy * (a * s)
    da = dh * s + dh * a * s * (1 - s)
    dx = np.einsum("nh,fh->nf", da, w) + np.einsum("nh,fh->nf", db, v)
    return s * a * b, {
        "x": dx, "w": np.einsum("nf,nh->fh", x, da), "v": np.einsum("nf,nh->fh", x, db),
    }  # fmt: skip


def dropout_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    mask = (g.random((n, 11)) < 0.7).astype(np.float64)
    return {"x": normal(g, n, 11, scale=scale), "mask": mask}


def dropout(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    keep = i["x"].dtype.type(0.7)
    return i["x"] * i["mask"] / keep, {"x": dy * i["mask"] / keep}


def dropout_scaled(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    m = i["mask"] * (1 / i["x"].dtype.type(0.7))
    return i["x"] * m, {"x": dy * m}


def dropout_where(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    x, on = i["x"], i["mask"] > 0
    s = x.dtype.type(1 / 0.7)
    return np.where(on, x * s, 0).astype(x.dtype), {"x": np.where(on, dy * s, 0).astype(x.dtype)}


def embedding_inputs(g: np.random.Generator, n: int, scale: float) -> Inputs:
    return {"ids": g.integers(0, 9, size=(n, 3)), "table": normal(g, 9, 4, scale=scale)}


def embedding(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    d = np.zeros_like(i["table"])
    np.add.at(d, i["ids"], dy)
    return i["table"][i["ids"]], {"table": d}


def embedding_one_hot(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    t = i["table"]
    hot = np.eye(len(t), dtype=t.dtype)[i["ids"].ravel()]
    y = (hot @ t).reshape(*i["ids"].shape, -1)
    return y, {"table": hot.T @ dy.reshape(len(hot), -1)}


def embedding_loop(i: Inputs, dy: Array) -> tuple[Array, Inputs]:
    d = np.zeros_like(i["table"])
    for row, token in np.ndenumerate(i["ids"]):
        d[token] += dy[row]
    return np.take(i["table"], i["ids"], axis=0), {"table": d}


LAYERS = (
    Layer("tanh", x_inputs, torch.tanh,
          {"square": tanh, "factored": tanh_factored, "accumulated": tanh_accumulated}, ("x",)),
    Layer("gelu tanh", x_inputs, lambda x: F.gelu(x, approximate="tanh"),
          {"plain": gelu_tanh, "factored": gelu_tanh_factored, "staged": gelu_tanh_staged}, ("x",)),
    Layer("silu", x_inputs, lambda x: F.silu(x),
          {"plain": silu, "factored": silu_factored, "from y": silu_from_y}, ("x",)),
    Layer("swiglu", swiglu_inputs, lambda x, w, v: F.silu(x @ w) * (x @ v),
          {"plain": swiglu, "joint": swiglu_joint, "einsum": swiglu_einsum}, ("x", "w", "v")),
    Layer("dropout", dropout_inputs, lambda x, mask: x * mask / 0.7,
          {"plain": dropout, "scaled": dropout_scaled, "where": dropout_where}, ("x",)),
    Layer("embedding", embedding_inputs, lambda ids, table: F.embedding(ids, table),
          {"add.at": embedding, "one-hot": embedding_one_hot, "loop": embedding_loop}, ("table",)),
)  # fmt: skip

"""Loss and gradients of every declared network without normalisation and dropout, in five ways.

The formulas are those of textbooks: nothing here is shared with the package under measurement or
with the judge.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.experiment import Experiment

Array = NDArray[Any]
WAYS = ("plain", "columns", "einsum", "one by one", "blocks")
SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)


def s(z: Array) -> Array:
    """The sigmoid as it stands in textbooks."""
    found: Array = 1 / (1 + np.exp(-z))
    return found


def cdf(z: Array) -> Array:
    """The normal distribution function, by erf."""
    found: Array = 0.5 * (1 + np.vectorize(erf)(z / np.sqrt(2)))
    return found.astype(z.dtype)


def pdf(z: Array) -> Array:
    """Its density."""
    found: Array = np.exp(-z * z / 2) / z.dtype.type(np.sqrt(2 * np.pi))
    return found


def inner(z: Array) -> Array:
    """tanh of GELU's cubic."""
    t: Array = np.tanh(z.dtype.type(np.sqrt(2 / np.pi)) * (z + 0.044715 * z**3))
    return t


def gelu_tanh_slope(z: Array) -> Array:
    """By the product rule."""
    t, c = inner(z), z.dtype.type(np.sqrt(2 / np.pi))
    found: Array = 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z)
    return found


ACTS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "relu": (lambda z: z * (z > 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (lambda z: np.maximum(z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "elu": (
        lambda z: np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1),
        lambda z: np.where(z > 0, 1, np.exp(np.minimum(z, 0))),
    ),
    "selu": (
        lambda z: SELU[1] * np.where(z > 0, z, SELU[0] * (np.exp(np.minimum(z, 0)) - 1)),
        lambda z: SELU[1] * np.where(z > 0, 1, SELU[0] * np.exp(np.minimum(z, 0))),
    ),
    "softplus": (lambda z: np.log(1 + np.exp(z)), s),
    "silu": (lambda z: z * s(z), lambda z: s(z) * (1 + z * (1 - s(z)))),
    "gelu": (lambda z: z * cdf(z), lambda z: cdf(z) + z * pdf(z)),
    "gelu_tanh": (lambda z: 0.5 * z * (1 + inner(z)), gelu_tanh_slope),
    "relu6": (lambda z: np.minimum(np.maximum(z, 0), 6), lambda z: ((z > 0) & (z < 6)) * 1.0),
    "hardtanh": (lambda z: np.clip(z, -1, 1), lambda z: (np.abs(z) < 1) * 1.0),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (s, lambda z: s(z) * (1 - s(z))),
    "identity": (lambda z: z, np.ones_like),
}


def soft(z: Array) -> Array:
    """Softmax of the rows."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    found: Array = e / e.sum(axis=1, keepdims=True)
    return found


def hinge(o: Array, t: Array) -> tuple[Array, Array]:
    """Margins through a mask."""
    own = t > 0.5
    m = np.where(own, 0, np.maximum(0, 1 + o - (o * own).sum(axis=1, keepdims=True)))
    g = (m > 0) * 1.0
    return m, g - own * g.sum(axis=1, keepdims=True)


HEADS: dict[str, Callable[[Array, Array], tuple[Array, Array]]] = {
    "cross_entropy": lambda o, t: (-t * np.log(soft(o)), soft(o) * t.sum(1, keepdims=True) - t),
    "bce": lambda o, t: (-t * np.log(s(o)) - (1 - t) * np.log(1 - s(o)), s(o) - t),
    "mse": lambda o, t: ((o - t) ** 2, 2 * (o - t)),
    "l1": lambda o, t: (np.abs(o - t), np.sign(o - t)),
    "huber": lambda o, t: (
        np.where(np.abs(o - t) < 1, 0.5 * (o - t) ** 2, np.abs(o - t) - 0.5),
        np.where(np.abs(o - t) < 1, o - t, np.sign(o - t)),
    ),
    "hinge": hinge,
}
OUTS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "identity": (lambda z: z, lambda z, d: d),
    "sigmoid": (s, lambda z, d: d * s(z) * (1 - s(z))),
    "tanh": (np.tanh, lambda z, d: d * (1 - np.tanh(z) ** 2)),
    "relu": (lambda z: np.maximum(z, 0), lambda z, d: d * (z > 0)),
    "softmax": (soft, lambda z, d: soft(z) * (d - (soft(z) * d).sum(axis=1, keepdims=True))),
}


def product(a: Array, b: Array, way: str) -> Array:
    """a @ b in one of five ways."""
    if way == "columns":
        return np.ascontiguousarray((np.ascontiguousarray(b.T) @ np.ascontiguousarray(a.T)).T)
    if way == "einsum":
        return np.asarray(np.einsum("ij,jk->ik", a, b))
    if way == "one by one":
        total = np.zeros((len(a), b.shape[1]), a.dtype)
        for i in range(len(b)):
            total += a[:, i : i + 1] * b[i]
        return total
    if way == "blocks":
        half = len(b) // 2
        return np.asarray(a[:, half:] @ b[half:] + a[:, :half] @ b[:half])
    return np.asarray(a @ b)


def weights_of(asked: Experiment, y: Array) -> Array | None:
    """Return the weight of each class, 0 for one that is ignored; None where all count alike."""
    if asked.class_weights is None and asked.ignore_index is None:
        return None
    found = np.ones(y.shape[1]) if asked.class_weights is None else np.array(asked.class_weights)
    if asked.ignore_index is not None:
        found[asked.ignore_index] = 0
    return found.astype(y.dtype)


def network(parameters: dict[str, Array], x: Array, y: Array, asked: Experiment, way: str) -> Any:
    """Loss and gradients, written for this measurement."""
    f, df = ACTS[asked.activation]
    out, pull = OUTS[asked.output]
    layers = sum(name[0] == "w" for name in parameters)
    h, zs = [x], []
    for i in range(1, layers + 1):
        z = product(h[-1], parameters[f"w{i}"], way)
        zs.append(z + parameters[f"b{i}"] if asked.bias else z)
        h.append(f(zs[-1]).astype(x.dtype))
    t = (1 - asked.label_smoothing) * y + asked.label_smoothing / y.shape[1]
    weights = weights_of(asked, y)
    t = t if weights is None else t * weights
    terms, d = HEADS[asked.loss](out(zs[-1]), t)
    count = {"mean": len(x), "batch_mean": len(x), "sum": 1}[asked.reduction]
    if asked.reduction == "mean" and asked.loss != "cross_entropy":
        count = y.size
    if weights is not None and asked.reduction == "mean":
        count = (y * weights).sum()
    loss = asked.loss_factor * terms.sum() / count
    dz = (pull(zs[-1], d) * asked.loss_factor / count).astype(x.dtype)
    gradients = {}
    for i in range(layers, 0, -1):
        gradients[f"w{i}"] = product(np.ascontiguousarray(h[i - 1].T), dz, way)
        gradients[f"b{i}"] = dz[::-1].sum(axis=0) if way == "blocks" else dz.sum(axis=0)
        if i > 1:
            w = np.ascontiguousarray(parameters[f"w{i}"].T)
            dz = (product(dz, w, way) * df(zs[i - 2])).astype(x.dtype)
    for name, w in parameters.items():
        if asked.penalise == "all" or name[0] == "w":
            loss += asked.l2 / 2 * (w**2).sum() + asked.l1 * np.abs(w).sum()
            gradients[name] = gradients[name] + asked.l2 * w + asked.l1 * np.sign(w)
    return float(loss), {k: gradients[k].astype(x.dtype) for k in parameters}

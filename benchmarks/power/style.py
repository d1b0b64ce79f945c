"""One forward and backward pass, written so that every step of it can be written otherwise.

A style says how products and sums are added up, how softmax and its logarithm are found, how a
slope is written and where the 1/N goes. All styles are right; only rounding tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import manual_mlp
from benchmarks.power.case import Array, Arrays, Case

Answer = tuple[float, Arrays, Arrays]
"""Loss, gradients, and the intermediates that are shown."""
Head = Callable[[Array, Array], tuple[Array, Array, Array]]
"""`(logits, targets)`, (N, K), to the losses (N,), p and p - y (N, K)."""


class NotApplicable(Exception):
    """The variant is not right for this case; nobody would call it honest."""


def stable_head(logits: Array, targets: Array) -> tuple[Array, Array, Array]:
    """log p by log-sum-exp, p = exp(log p), as deep-learning libraries do."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    p = np.exp(log_p)
    return -(targets * log_p).sum(axis=1), p, p - targets


def textbook_head(logits: Array, targets: Array) -> tuple[Array, Array, Array]:
    """Softmax, then log, and the gradient as p - y."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    if p[targets > 0].min() < np.finfo(p.dtype).tiny:
        raise NotApplicable("log of a p that has underflowed")
    log_p = np.log(p, out=np.zeros_like(p), where=targets > 0)
    return -(targets * log_p).sum(axis=1), p, p - targets


def total(a: Array) -> Array:
    """Column sums, added up as NumPy does."""
    return np.asarray(a.sum(axis=0))


@dataclass(frozen=True, slots=True)
class Style:
    """How one variant computes: products, sums over rows, the head, and the slopes.

    `affine(h, w, b)`: z in one go, if the bias is not added to the product.
    """

    product: Callable[[Array, Array], Array] = np.matmul
    total: Callable[[Array], Array] = total
    head: Head = textbook_head
    slopes: str = "value"
    share_last: bool = False
    affine: Callable[[Array, Array, Array], Array] | None = None

    def z(self, h: Array, w: Array, b: Array) -> Array:
        """A layer's z."""
        return self.product(h, w) + b if self.affine is None else self.affine(h, w, b)


def sequential_product(a: Array, b: Array) -> Array:
    """`a @ b` with the inner terms added one after the other."""
    total = np.zeros((a.shape[0], b.shape[1]), np.result_type(a, b))
    for i in range(a.shape[1]):
        total += a[:, i, None] * b[i]
    return total


def sequential_total(a: Array) -> Array:
    """Column sums, one row after the other."""
    total = np.zeros(a.shape[1], a.dtype)
    for row in a:
        total += row
    return total


def slope_of(h: Array, z: Array, activation: str, slopes: str) -> Array:
    """f'(z), written in the value or in the argument."""
    if activation == "tanh":
        return 1 - h * h if slopes == "value" else (1 - h) * (1 + h)
    if activation == "sigmoid":
        e = np.exp(-np.abs(z))
        return h * (1 - h) if slopes == "value" else e / ((1 + e) * (1 + e))
    return np.asarray(z > 0).astype(z.dtype) if activation == "relu" else np.ones_like(z)


def value_of(z: Array, activation: str) -> Array:
    """f(z), naively."""
    if activation == "sigmoid":
        one = z.dtype.type(1)
        return one / (one + np.exp(-z))
    return np.asarray(manual_mlp.ACTIVATIONS[activation].value(z))


def in_style(style: Style, case: Case) -> Answer:
    """Forward and backward in `style`."""
    parameters, depth = case.parameters, case.depth
    shown: Arrays = {}
    h = case.x
    inputs = [h]
    for i in range(1, depth + 1):
        z = style.z(h, parameters[f"w{i}"], parameters[f"b{i}"])
        shown["logits" if i == depth else f"z{i}"] = z
        if i < depth:
            h = shown[f"h{i}"] = value_of(z, case.activation)
            inputs.append(h)
    losses, p, error = style.head(shown["logits"], case.targets)
    share = case.dtype.type(len(case.x) if case.reduction == "mean" else 1)
    shown["p"] = p
    dz = error if style.share_last else error / share
    last = share if style.share_last else case.dtype.type(1)
    gradients: Arrays = {}
    for i in range(depth, 0, -1):
        if not style.share_last:
            shown["dlogits" if i == depth else f"dz{i}"] = dz
        gradients[f"w{i}"] = style.product(inputs[i - 1].T, dz) / last
        gradients[f"b{i}"] = style.total(dz) / last
        if i > 1:
            dh = style.product(dz, parameters[f"w{i}"].T)
            slope = slope_of(inputs[i - 1], shown[f"z{i - 1}"], case.activation, style.slopes)
            dz = dh * slope
            if not style.share_last:
                shown[f"dh{i - 1}"] = dh
    return float(style.total(losses[:, None])[0] / share), gradients, shown

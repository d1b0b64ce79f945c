"""The network as one writes it in an evening: every equation on a line of its own, once.

The textbook pass runs these lines on pairs, and a mistake of the catalogue is what somebody writes
in place of one of them. Run as it stands, or with a mistake planted in it, this is ordinary NumPy
code in the compared dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from compare.contracts.arrays import Array

VALUES: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "identity": lambda z: z,
}
SLOPES: dict[str, Callable[[Array, Array], Array]] = {
    "relu": lambda z, h: (h > 0).astype(h.dtype),
    "tanh": lambda z, h: 1 - h * h,
    "sigmoid": lambda z, h: h * (1 - h),
    "identity": lambda z, h: np.ones_like(h),
}
"""f'(z), written in whichever of z and h = f(z) is the shorter."""


def softmax(x: Array) -> Array:
    """Softmax of every row."""
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p: Array = e / e.sum(axis=1, keepdims=True)
    return p


def log_softmax(x: Array) -> Array:
    """Logarithm of the softmax of every row."""
    shifted = x - x.max(axis=1, keepdims=True)
    log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_p


def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    y: Array,
    *,
    activation: str = "relu",
    reduction: str = "mean",
) -> tuple[float, dict[str, Array], dict[str, Array]]:
    """Loss, gradients and intermediates of the network, by the equations of the textbook."""
    L = len(parameters) // 2
    w = {i: parameters[f"w{i}"] for i in range(1, L + 1)}
    b = {i: parameters[f"b{i}"] for i in range(1, L + 1)}
    f, slope = VALUES[activation], SLOPES[activation]
    N, K = y.shape  # noqa: RUF059  a slip may divide by any of the four
    F, H = x.shape[1], w[L].shape[0]  # noqa: F841
    M = N if reduction == "mean" else 1

    z, h = {0: x}, {0: x}
    for i in range(1, L + 1):
        z[i] = h[i - 1] @ w[i] + b[i]
        h[i] = f(z[i])
    logits = z[L]
    p = softmax(logits)
    log_p = log_softmax(logits)
    terms = -y * log_p
    loss = terms.sum() / M

    error = p - y
    dlogits = error / M
    dz, dh, dw, db = {L: dlogits}, {}, {}, {}
    for i in range(L, 0, -1):
        dw[i] = h[i - 1].T @ dz[i]
        db[i] = dz[i].sum(axis=0)
        if i > 1:
            dh[i - 1] = dz[i] @ w[i].T
            dz[i - 1] = dh[i - 1] * slope(z[i - 1], h[i - 1])

    gradients = {f"w{i}": dw[i] for i in dw} | {f"b{i}": db[i] for i in db}
    shown = {"logits": logits, "p": p, "dlogits": dlogits}
    for i in range(1, L):
        shown |= {f"z{i}": z[i], f"h{i}": h[i], f"dh{i}": dh[i], f"dz{i}": dz[i]}
    return loss, gradients, shown

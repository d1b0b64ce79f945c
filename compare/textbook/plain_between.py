"""The network with normalisation and dropout as one writes it: every equation on a line, once.

A mistake of `compare/mistakes/between.py` is what somebody writes in place of one of these lines.
`top` returns loss and dlogits; `f` and `slope` are the activation's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from compare.contracts.arrays import Array, Arrays

Function = Callable[..., Array]


def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    y: Array,
    context: Mapping[str, Array],
    *,
    normalisation: str,
    P: float,
    f: Function,
    slope: Function,
    top: Callable[[Array, Array], tuple[float, Array]],
) -> tuple[float, Arrays]:
    """Loss and gradients by the equations of the textbook; P is the share of units left out."""
    L = sum(name[0] == "w" for name in parameters)
    w = {i: parameters[f"w{i}"] for i in range(1, L + 1)}
    b = {i: parameters.get(f"b{i}", np.zeros(w[i].shape[1])) for i in range(1, L + 1)}
    training = bool(context.get("training", True))
    drops = P > 0
    normalises = normalisation != "none"
    z, s, n, a, h, r, gradients = {}, {}, {}, {}, {0: x}, {}, {}
    axis = 0 if normalisation == "batch" else 1
    eps = 1e-5
    given = normalisation == "batch" and not training
    active = training
    for i in range(1, L):
        z[i] = h[i - 1] @ w[i] + b[i]
        n[i] = z[i]
        if normalises:
            gamma, beta = parameters[f"gamma{i}"], parameters[f"beta{i}"]
            mu = mean(z[i], axis)
            v = z[i].var(axis=axis, keepdims=True)
            if given:
                mu, v = running(context, i)
            r[i] = 1 / np.sqrt(v + eps)
            s[i] = (z[i] - mu) * r[i]
            n[i] = gamma * s[i] + beta
        a[i] = f(n[i])
        h[i] = a[i]
        if drops and active:
            mask = context[f"mask{i}"]
            h[i] = a[i] * mask / (1 - P)
    logits = h[L - 1] @ w[L] + b[L]
    loss, dz = top(logits, y)
    for i in range(L, 0, -1):
        gradients[f"w{i}"] = h[i - 1].T @ dz
        gradients[f"b{i}"] = dz.sum(axis=0)
        if i > 1:
            dh = dz @ w[i].T
            da = dh
            if drops and active:
                mask = context[f"mask{i - 1}"]
                da = dh * mask / (1 - P)
            dn = da * slope(n[i - 1], a[i - 1])
            dz = dn
            if normalises:
                si, ri = s[i - 1], r[i - 1]
                gradients[f"gamma{i - 1}"] = (dn * si).sum(axis=0)
                gradients[f"beta{i - 1}"] = dn.sum(axis=0)
                ds = dn * parameters[f"gamma{i - 1}"]
                dz = ri * (ds - mean(ds, axis) - si * mean(ds * si, axis))
                if given:
                    dz = np.multiply(ri, ds)
    return loss, {k: gradients.get(k, np.zeros(v.shape)) for k, v in parameters.items()}


def mean(entries: Array, axis: int) -> Array:
    """The mean along an axis that stays."""
    found: Array = entries.mean(axis=axis, keepdims=True)
    return found


def count(entries: Array, axis: int) -> int:
    """m, how many entries share mean and variance."""
    return int(entries.shape[axis])


def running(context: Mapping[str, Array], i: int) -> tuple[Array, Array]:
    """Mean and variance of the past."""
    return context[f"running_mean{i}"], context[f"running_var{i}"]

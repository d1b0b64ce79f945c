"""The plain program once more, with normalisation before the activation and dropout behind it.

    s = (z - mu) r,  r = 1 / sqrt(v + eps)    n = gamma s + beta    a = f(n)    h = a mask / (1 - P)

Where neither is declared n is z and h is a. A slip of the plain program is one of this program too:
`inside.inside` writes it in these names. The last layer has neither normalisation nor dropout.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compare.contracts.arrays import Array
from compare.textbook.plain import SLOPES, VALUES, log_softmax, softmax


def average(entries: Array, axis: int) -> Array:
    """The mean along an axis that stays."""
    found: Array = entries.sum(axis, keepdims=True) / entries.shape[axis]
    return found


def nothing(entries: Array, axis: int) -> float:
    """What flows back through mean and variance where there are none, or they are given."""
    return 0.0


def layers(arrays: Mapping[str, Array], kind: str, depth: int, absent: float) -> dict[int, Array]:
    """The arrays of a kind by layer; of a layer that has none, `absent` for every unit."""
    widths = {i: arrays[f"w{i}"].shape[1] for i in range(1, depth + 1)}
    dtype = arrays["w1"].dtype
    return {i: arrays.get(f"{kind}{i}", np.full(n, absent, dtype)) for i, n in widths.items()}


def shared(context: Mapping[str, Array], kind: str) -> dict[int, Array]:
    """What a context holds of a kind, by layer."""
    return {int(name[len(kind) :]): a for name, a in context.items() if name.startswith(kind)}


def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    y: Array,
    context: Mapping[str, Array],
    *,
    normalisation: str = "none",
    P: float = 0.0,
    activation: str = "relu",
    reduction: str = "mean",
) -> tuple[float, dict[str, Array]]:
    """Loss and gradients by the equations of the textbook; P is the share of units left out."""
    L = sum(name[0] == "w" for name in parameters)
    w = {i: parameters[f"w{i}"] for i in range(1, L + 1)}
    b = layers(parameters, "b", L, 0)
    gamma, beta = layers(parameters, "gamma", L, 1), layers(parameters, "beta", L, 0)
    mask = shared(context, "mask")
    running_mean, running_var = shared(context, "running_mean"), shared(context, "running_var")
    f, slope = VALUES[activation], SLOPES[activation]
    N, K = y.shape  # noqa: RUF059  a slip may divide by any of the four
    F, H = x.shape[1], w[L].shape[0]  # noqa: F841
    M = N if reduction == "mean" else 1
    training = bool(context.get("training", True))
    normalises = normalisation != "none"
    axis = 1 if normalisation == "layer" else 0
    eps = 1e-5
    given = normalisation == "batch" and not training
    mean = average if normalises and not given else nothing
    drops = P > 0 and training

    z, h = {0: x}, {0: x}
    mu, v, r, s, n, a = {}, {}, {}, {}, {0: x}, {0: x}
    for i in range(1, L + 1):
        z[i] = h[i - 1] @ w[i] + b[i]
        mu[i] = running_mean[i] if given and i < L else average(z[i], axis)
        v[i] = running_var[i] if given and i < L else average((z[i] - mu[i]) ** 2, axis)
        r[i] = 1 / np.sqrt(v[i] + eps) if normalises else 1.0
        s[i] = (z[i] - mu[i]) * r[i]
        n[i] = gamma[i] * s[i] + beta[i] if normalises and i < L else z[i]
        a[i] = f(n[i])
        h[i] = a[i] * mask[i] / (1 - P) if drops and i < L else a[i]
    logits = z[L]
    p = softmax(logits)
    log_p = log_softmax(logits)
    terms = -y * log_p
    loss = terms.sum() / M

    error = p - y
    dlogits = error / M
    dz, dh, dw, db = {L: dlogits}, {}, {}, {}
    da, dn, dgamma, dbeta, ds = {}, {}, {}, {}, {}
    for i in range(L, 0, -1):
        dw[i] = h[i - 1].T @ dz[i]
        db[i] = dz[i].sum(axis=0)
        if i > 1:
            dh[i - 1] = dz[i] @ w[i].T
            da[i - 1] = dh[i - 1] * mask[i - 1] / (1 - P) if drops else dh[i - 1]
            dn[i - 1] = da[i - 1] * slope(n[i - 1], a[i - 1])
            dgamma[i - 1] = (dn[i - 1] * s[i - 1]).sum(axis=0)
            dbeta[i - 1] = dn[i - 1].sum(axis=0)
            ds[i - 1] = dn[i - 1] * gamma[i - 1]
            dz[i - 1] = r[i - 1] * (
                ds[i - 1] - mean(ds[i - 1], axis) - s[i - 1] * mean(ds[i - 1] * s[i - 1], axis)
            )

    found = {"w": dw, "b": db, "gamma": dgamma, "beta": dbeta}
    gradients = {f"{kind}{i}": d for kind in found for i, d in found[kind].items()}
    return loss, {name: gradients[name] for name in parameters}

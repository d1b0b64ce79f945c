"""The Hessian times a vector as one writes it: the derivative of every line along the vector.

    R{z_l} = R{h_{l-1}} w_l + h_{l-1} v_l + u_l       R{h_l} = f'(z_l) R{z_l}
    R{dz_L} = p (R{z_L} - sum_j p_j R{z_L}_j) / M
    R{dw_l} = R{h_{l-1}}.T dz_l + h_{l-1}.T R{dz_l}   R{db_l} = sum_n R{dz_l}
    R{dh_l} = R{dz_{l+1}} w_{l+1}.T + dz_{l+1} v_{l+1}.T
    R{dz_l} = R{dh_l} f'(z_l) + dh_l f''(z_l) R{z_l}

v and u are the parts of the vector that belong to weights and biases. Run on pairs the same lines
give what rounding may do. Source: Pearlmutter 1994, Neural Computation 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.textbook.functions import activate, slope, softmax
from compare.textbook.pair import Pair, exact

BENDS: dict[str, Callable[[Any], Any]] = {
    "relu": lambda h: h * 0.0,
    "leaky_relu": lambda h: h * 0.0,
    "relu6": lambda h: h * 0.0,
    "hardtanh": lambda h: h * 0.0,
    "identity": lambda h: h * 0.0,
    "tanh": lambda h: h * -2.0 * (1.0 - h * h),
    "sigmoid": lambda h: h * (1.0 - h) * (1.0 - h * 2.0),
}
"""f''(z), written in the value h."""


def hessian_vector_product(
    parameters: Mapping[str, Any],
    x: Any,
    y: Any,
    direction: Mapping[str, Any],
    *,
    activation: str,
    M: float,
    dtype: Any,
) -> dict[str, Pair]:
    """H v of softmax cross-entropy divided by M, as pairs by the names of the parameters."""
    L = sum(name[0] == "w" for name in parameters)
    w, b = layers(parameters, "w", L, dtype), layers(parameters, "b", L, dtype)
    v, u = layers(direction, "w", L, dtype), layers(direction, "b", L, dtype)
    z, h, r_z, r_h = {}, {0: exact(x, dtype)}, {}, {0: exact(np.zeros_like(x), dtype)}
    f_slope = {}
    for i in range(1, L + 1):
        z[i] = h[i - 1] @ w[i] + b[i]
        r_z[i] = r_h[i - 1] @ w[i] + h[i - 1] @ v[i] + u[i]
        h[i] = activate(z[i], activation)
        f_slope[i] = slope(z[i], h[i], activation)
        r_h[i] = f_slope[i] * r_z[i]
    p = softmax(z[L])
    dz = (p - exact(y, dtype)) / M
    r_dz = p * (r_z[L] - (p * r_z[L]).sum(axis=1, keepdims=True)) / M
    found = {}
    for i in range(L, 0, -1):
        found[f"w{i}"] = r_h[i - 1].T @ dz + h[i - 1].T @ r_dz
        found[f"b{i}"] = r_dz.sum(axis=0)
        if i > 1:
            dh, r_dh = dz @ w[i].T, r_dz @ w[i].T + dz @ v[i].T
            bend = BENDS[activation.partition(":")[0]](h[i - 1])
            r_dz = r_dh * f_slope[i - 1] + dh * bend * r_z[i - 1]
            dz = dh * f_slope[i - 1]
    return {name: found[name] for name in parameters}


def layers(arrays: Mapping[str, Any], kind: str, depth: int, dtype: Any) -> dict[int, Pair]:
    """The arrays of a kind as exact pairs; without biases they are 0."""
    found = {}
    for i in range(1, depth + 1):
        zero = np.zeros(arrays[f"w{i}"].shape[1])
        found[i] = exact(arrays.get(f"{kind}{i}", zero), dtype)
    return found


def has_bend(activation: str) -> bool:
    """Whether the second derivative is known here: it is written in the value."""
    return activation in ACTIVATION_RULES and activation.partition(":")[0] in BENDS

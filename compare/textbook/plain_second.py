"""The Hessian times a vector as one writes it: the derivative of every line along the vector.

    R{z_l} = R{h_{l-1}} w_l + h_{l-1} v_l + u_l       R{h_l} = f'(z_l) R{z_l}
    R{dz_L} = p (R{z_L} - sum_j p_j R{z_L}_j) / M          of the mean cross-entropy
    R{dw_l} = R{h_{l-1}}.T dz_l + h_{l-1}.T R{dz_l}   R{db_l} = sum_n R{dz_l}
    R{dh_l} = R{dz_{l+1}} w_{l+1}.T + dz_{l+1} v_{l+1}.T
    R{dz_l} = R{dh_l} f'(z_l) + dh_l f''(z_l) R{z_l}
A penalty adds l2 v.

v and u are the parts of the vector that belong to weights and biases. Run on pairs the same lines
give what rounding may do. Source: Pearlmutter 1994, Neural Computation 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from compare.allowance.rules import SELU, cubic, logistic, normal
from compare.contracts.arrays import Float
from compare.contracts.objective import Objective
from compare.textbook import losses
from compare.textbook.functions import activate, slope, softmax
from compare.textbook.pair import Pair, exact

Bend = Callable[[Pair, Pair], Pair]
STEP = 1e-4
"""Of the differences that tell how far f'' may move: allowances need no more digits."""
ROUNDINGS = 4
"""So many may add up in f'', in the order in which somebody writes it."""


def of_order_1(z: Float) -> Float:
    """Return how large what a small f'' is a difference of may be: a probability times z, or 1."""
    return 1 + np.abs(z)


def of_tanh(z: Float) -> Float:
    """Return the same of tanh-GELU: f'' = q u' + z / 2 (q u'' - 2 t q u'u') with t = tanh u.

    Where t is near 1, q = 1 - t t is a difference of order 1 that the rest multiplies.
    """
    c = math.sqrt(2 / math.pi)
    du, ddu = c * (1 + 0.134145 * z * z), c * 0.26829 * np.abs(z)
    return 1 + du + np.abs(z) / 2 * (ddu + 2 * du * du)


def curved(second: Callable[[Float], Float], size: Callable[[Float], Float] = of_order_1) -> Bend:
    """f'' of z, smooth; `size`: of what it may be a difference of."""

    def bend(z: Pair, h: Pair) -> Pair:
        def allowed() -> Float:
            third = (second(z.value + STEP) - second(z.value - STEP)) / (2 * STEP)
            return np.abs(third) * z.allowance + ROUNDINGS * z.arithmetic.unit * size(z.value)

        return z.made(second(z.value), allowed)

    return bend


def straight(z: Pair, h: Pair) -> Pair:
    """f'' = 0."""
    return h * 0.0


def elu_bend(alpha: float) -> Bend:
    """f'' = alpha exp(z) below 0, which h + alpha is as well, and 0 above: it jumps at 0."""

    def second(z: Float) -> Float:
        return np.where(z >= 0, 0.0, alpha * np.exp(np.minimum(z, 0.0)))

    def bend(z: Pair, h: Pair) -> Pair:
        found = z.jumped(second)
        rounding = ROUNDINGS * z.arithmetic.unit * alpha
        return found.with_more(lambda: np.where(found.value == 0, 0.0, rounding))

    return bend


BENDS: dict[str, Bend] = {
    "relu": straight,
    "leaky_relu": straight,
    "relu6": straight,
    "hardtanh": straight,
    "identity": straight,
    "tanh": lambda z, h: h * -2.0 * (1.0 - h * h),
    "sigmoid": lambda z, h: h * (1.0 - h) * (1.0 - h * 2.0),
    "softplus": curved(lambda z: logistic(z) * logistic(-z)),
    "silu": curved(lambda z: logistic(z) * logistic(-z) * (2 + z * (1 - 2 * logistic(z)))),
    "gelu": curved(lambda z: normal(z)[1] * (2 - z * z)),
    "gelu_tanh": curved(lambda z: 2 * cubic(z)[1] + z * cubic(z)[2], of_tanh),
    "elu": elu_bend(1.0),
    "selu": elu_bend(SELU[0] * SELU[1]),
}
"""f''(z) of z and h, on pairs."""


def bend_of(activation: str) -> Bend:
    """f'' of an activation, with its number if it has one."""
    kind, _, number = activation.partition(":")
    return elu_bend(float(number)) if kind == "elu" and number else BENDS[kind]


def entropy_curve(o: Pair, t: Pair, r: Pair) -> Pair:
    """(sum_j t_j) p (r - sum_j p_j r_j)."""
    p = softmax(o)
    return p * (r - (p * r).sum(axis=1, keepdims=True)) * t.sum(axis=1, keepdims=True)


CURVES: dict[str, Callable[[Pair, Pair, Pair], Pair]] = {
    "cross_entropy": entropy_curve,
    "bce": lambda o, t, r: BENDS["softplus"](o, o) * r,
    "mse": lambda o, t, r: r * 2.0,
    "huber": lambda o, t, r: (o - t).jumped(lambda d: (np.abs(d) < 1).astype(np.float64)) * r,
    "l1": lambda o, t, r: r * 0.0,
    "hinge": lambda o, t, r: r * 0.0,
}
"""How the derivative of what a loss adds up moves when o moves along r."""


def hessian_vector_product(
    parameters: Mapping[str, Any],
    x: Any,
    y: Any,
    direction: Mapping[str, Any],
    *,
    activation: str,
    objective: Objective,
    dtype: Any,
) -> dict[str, Pair]:
    """H v of the declared loss, as pairs by the names of the parameters."""
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
    dz, r_dz = at_the_top(objective, z[L], exact(y, dtype), r_z[L])
    found = {}
    for i in range(L, 0, -1):
        found[f"w{i}"] = r_h[i - 1].T @ dz + h[i - 1].T @ r_dz
        found[f"b{i}"] = r_dz.sum(axis=0)
        if i > 1:
            dh, r_dh = dz @ w[i].T, r_dz @ w[i].T + dz @ v[i].T
            bend = bend_of(activation)(z[i - 1], h[i - 1])
            r_dz = r_dh * f_slope[i - 1] + dh * bend * r_z[i - 1]
            dz = dh * f_slope[i - 1]
    strength = objective.l2 * objective.penalty_share(len(x))
    for name in objective.penalised(parameters) if strength else ():
        found[name] = found[name] + exact(direction[name], dtype) * strength
    return {name: found[name] for name in parameters}


def layers(arrays: Mapping[str, Any], kind: str, depth: int, dtype: Any) -> dict[int, Pair]:
    """The arrays of a kind as exact pairs; without biases they are 0."""
    found = {}
    for i in range(1, depth + 1):
        zero = np.zeros(arrays[f"w{i}"].shape[1])
        found[i] = exact(arrays.get(f"{kind}{i}", zero), dtype)
    return found


def at_the_top(objective: Objective, z: Pair, y: Pair, r_z: Pair) -> tuple[Pair, Pair]:
    """dlogits and R{dlogits}, with o = f(z) the output and d = dL/do.

    dz = d f'(z)      R{o} = f'(z) R{z}      R{dz} = R{d} f'(z) + d f''(z) R{z}
    """
    name, share = objective.output, objective.share(y.value)
    o, t = losses.output(z, objective), losses.counting(y, objective)
    d = losses.LOSS_RULES[objective.loss].derivative(o, t)
    steep = slope(z, o, name)
    moved = CURVES[objective.loss](o, t, steep * r_z) * steep
    return d * steep * share, (moved + d * BENDS[name](z, o) * r_z) * share


def has_bend(activation: str) -> bool:
    """Whether the second derivative of an activation is known here."""
    return activation.partition(":")[0] in BENDS


def is_smooth(objective: Objective) -> bool:
    """Whether the second derivative of output and loss is known here."""
    return objective.output in OUTPUTS and objective.loss in CURVES


OUTPUTS = ("identity", "sigmoid", "tanh")
"""What may stand before the loss: of these f'' is an entry of `BENDS`."""

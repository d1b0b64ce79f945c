"""Second derivatives: of every activation without a corner in its slope, and of the smooth losses.

Two tables with one entry each. `BENDS`: f''(z) from z and h = f(z), elementwise; of what is made of
straight pieces it is 0. `CURVES`: how the derivative of a loss, d_nk = dL/do_nk before factor and
reduction, moves when o moves along r:

    cross_entropy    d = p sum_j t_j - t             R{d} = (sum_j t_j) p (r - sum_j p_j r_j)
    bce              d = sigmoid(o) - t              R{d} = sigmoid(o) sigmoid(-o) r
    mse              d = 2 (o - t)                   R{d} = 2 r
"""

from collections.abc import Callable

import numpy as np

from manual_mlp.arrays import Array
from manual_mlp.loss import softmax
from manual_mlp.smooth import normal_pdf, sigmoid


def straight(z: Array, _: Array) -> Array:
    """f'' = 0."""
    return np.zeros_like(z)


def tanh_bend(_: Array, h: Array) -> Array:
    """f'' = -2 h (1 - h^2), from f' = 1 - h^2."""
    bend: Array = -2 * h * (1 - h * h)
    return bend


def sigmoid_bend(z: Array, _: Array) -> Array:
    """f'' = s (1 - s) (1 - 2 s), from f' = s (1 - s); 1 - s is sigmoid(-z)."""
    s, rest = sigmoid(z), sigmoid(-z)
    bend: Array = s * rest * (rest - s)
    return bend


def softplus_bend(z: Array, _: Array) -> Array:
    """f'' = s (1 - s), since f' = s."""
    bend: Array = sigmoid(z) * sigmoid(-z)
    return bend


def silu_bend(z: Array, _: Array) -> Array:
    """f'' = s (1 - s) (2 + z (1 - 2 s)), from f' = s + z s (1 - s)."""
    s, rest = sigmoid(z), sigmoid(-z)
    bend: Array = s * rest * (2 + z * (rest - s))
    return bend


def gelu_bend(z: Array, _: Array) -> Array:
    """f'' = phi(z) (2 - z^2), from f' = Phi + z phi and phi' = -z phi."""
    bend: Array = normal_pdf(z) * (2 - z * z)
    return bend


BENDS: dict[str, Callable[[Array, Array], Array]] = {
    "relu": straight,
    "leaky_relu": straight,
    "relu6": straight,
    "hardtanh": straight,
    "identity": straight,
    "tanh": tanh_bend,
    "sigmoid": sigmoid_bend,
    "softplus": softplus_bend,
    "silu": silu_bend,
    "gelu": gelu_bend,
}


def entropy_curve(o: Array, t: Array, r: Array) -> Array:
    """The softmax's Jacobian times r, for every share of the targets."""
    p = softmax(o)
    moved: Array = p * (r - (p * r).sum(axis=1, keepdims=True)) * t.sum(axis=1, keepdims=True)
    return moved


def logistic_curve(o: Array, _: Array, r: Array) -> Array:
    """The sigmoid's slope times r."""
    moved: Array = sigmoid(o) * sigmoid(-o) * r
    return moved


def squared_curve(_o: Array, _t: Array, r: Array) -> Array:
    """A square's second derivative is 2."""
    return 2 * r


CURVES: dict[str, Callable[[Array, Array, Array], Array]] = {
    "cross_entropy": entropy_curve,
    "bce": logistic_curve,
    "mse": squared_curve,
}

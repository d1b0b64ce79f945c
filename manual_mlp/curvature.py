"""Second derivatives of every activation and of every loss, beside their corners.

Two tables with one entry each. `BENDS`: f''(z) from z and h = f(z), elementwise; of what is made of
straight pieces it is 0. `CURVES`: how the derivative of a loss, d_nk = dL/do_nk before factor and
reduction, moves when o moves along r:

    cross_entropy    d = p sum_j t_j - t             R{d} = (sum_j t_j) p (r - sum_j p_j r_j)
    bce              d = sigmoid(o) - t              R{d} = sigmoid(o) sigmoid(-o) r
    mse              d = 2 (o - t)                   R{d} = 2 r
    huber            d = o - t, held in [-1, 1]      R{d} = r inside, 0 outside
    l1, hinge        d is a step                     R{d} = 0
"""

from collections.abc import Callable

import numpy as np

from manual_mlp.arrays import Array, entry
from manual_mlp.loss import softmax
from manual_mlp.rectifiers import SELU_ALPHA, SELU_SCALE
from manual_mlp.smooth import CUBIC, ROOT_2_PI, normal_pdf, sigmoid

Bend = Callable[[Array, Array], Array]


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


def gelu_tanh_bend(z: Array, _: Array) -> Array:
    """f'' = 2 s' + z s'', with s = sigmoid(v) and v = 2 sqrt(2 / pi) (z + 0.044715 z^3).

    s' = s (1 - s) v'      s'' = s (1 - s) (v'' + (1 - 2 s) v'^2)
    """
    c = 2 * ROOT_2_PI
    with np.errstate(over="ignore", invalid="ignore"):
        v, v1, v2 = c * (z + CUBIC * z**3), c * (1 + 3 * CUBIC * z * z), c * 6 * CUBIC * z
        s, rest = sigmoid(v), sigmoid(-v)
        bend = np.where(s * rest == 0, 0, s * rest * (2 * v1 + z * (v2 + (rest - s) * v1 * v1)))
    return bend.astype(z.dtype)


def elu_bend(alpha: float) -> Bend:
    """f'' = alpha exp(z) below 0 and 0 above, as f' is alpha exp(z) and 1; at 0 torch's, 0."""

    def bend(z: Array, _: Array) -> Array:
        return np.where(z >= 0, 0, alpha * np.exp(np.minimum(z, 0))).astype(z.dtype)

    return bend


BENDS: dict[str, Bend] = {
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
    "gelu_tanh": gelu_tanh_bend,
    "elu": elu_bend(1.0),
    "selu": elu_bend(SELU_SCALE * SELU_ALPHA),
}


def find(name: str) -> Bend:
    """f'' of an activation by its name, with its number if it has one, `elu:0.5`."""
    kind, _, number = name.partition(":")
    if kind == "elu" and number:
        return elu_bend(float(number))
    return entry(BENDS, kind, "activation of a Hessian")


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


def huber_curve(o: Array, t: Array, r: Array) -> Array:
    """1 times r while the derivative is o - t itself; at the joint 0, as torch has it."""
    moved: Array = np.where(np.abs(o - t) < 1, r, 0).astype(r.dtype)
    return moved


def stepped_curve(_o: Array, _t: Array, r: Array) -> Array:
    """A slope of straight pieces stays as it is."""
    return np.zeros_like(r)


CURVES: dict[str, Callable[[Array, Array, Array], Array]] = {
    "cross_entropy": entropy_curve,
    "bce": logistic_curve,
    "mse": squared_curve,
    "huber": huber_curve,
    "l1": stepped_curve,
    "hinge": stepped_curve,
}

"""The functions between two layers: h = activation(z).

A table with one entry each. An activation is its value and its derivative, both elementwise; the
derivative gets z and h, because some are shortest in the one (gelu) and some in the other (tanh).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from manual_mlp.arrays import Array


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation: `value(z) -> h` and `derivative(z, h) -> dh/dz`, both elementwise.

    Parameters:
        value: h = value(z), any shape -> the same shape and dtype.
        derivative: dh/dz = derivative(z, h); what reads better of the two is used.

    Example:
        >>> squared = Activation(lambda z: z * z, lambda z, h: 2 * z)
        >>> squared.derivative(np.array([3.0]), np.array([9.0]))
        array([6.])
    """

    value: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]


def relu(x: Array) -> Array:
    """Rectified linear unit, elementwise.

        relu(x) = max(x, 0)        any shape -> the same shape and dtype

    Its derivative is 1 for x > 0 and 0 for x < 0. At x = 0 there is none; this package takes 0
    there, as torch does. NaN stays NaN.

    The report wrote the same. (Its comment speaks of a test element by element; `np.maximum`
    already is one.)

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, section 6.3.1.

    Parameters:
        x: any shape.

    Returns:
        max(x, 0), the shape and dtype of x.

    Example:
        >>> relu(np.array([-2.0, 0.0, 3.0]))
        array([0., 0., 3.])
    """
    return np.maximum(x, np.zeros_like(x))  # NumPy takes three times as long against one 0


def relu_derivative(z: Array, _: Array) -> Array:
    """dh/dz = [z > 0], True and False for 1 and 0, so 0 at the kink."""
    return z > 0


def tanh_derivative(_: Array, h: Array) -> Array:
    """dh/dz = 1 - tanh(z)^2 = 1 - h^2."""
    slope: Array = 1 - h * h
    return slope


def sigmoid(z: Array) -> Array:
    """Logistic function, elementwise: sigmoid(z) = 1 / (1 + exp(-z)).

    Written with e = exp(-|z|) <= 1, which cannot overflow and keeps the small values at large
    negative z exact to rounding: 1 / (1 + e) for z >= 0 and e / (1 + e) for z < 0.
    """
    e = np.exp(-np.abs(z))
    h: Array = np.where(z < 0, e, 1) / (1 + e)
    return h


def sigmoid_derivative(_: Array, h: Array) -> Array:
    """dh/dz = sigmoid(z) (1 - sigmoid(z)) = h (1 - h)."""
    slope: Array = h * (1 - h)
    return slope


def identity_derivative(z: Array, _: Array) -> Array:
    """dh/dz = 1."""
    return np.ones_like(z)


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(relu, relu_derivative),
    "tanh": Activation(np.tanh, tanh_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "identity": Activation(np.positive, identity_derivative),  # h = +z
}

"""The functions between two layers: h = activation(z).

A table with one entry each. An activation is its value and its derivative, both elementwise; the
derivative gets z and h, because some are shortest in the one (gelu) and some in the other (tanh).
Those made of pieces are in `rectifiers.py`, those without a corner in `smooth.py`. A name may carry
a number, as in `leaky_relu:0.2`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from manual_mlp import rectifiers, smooth
from manual_mlp.arrays import Array, entry


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


def sigmoid_derivative(_: Array, h: Array) -> Array:
    """dh/dz = sigmoid(z) (1 - sigmoid(z)) = h (1 - h)."""
    slope: Array = h * (1 - h)
    return slope


def identity_derivative(z: Array, _: Array) -> Array:
    """dh/dz = 1."""
    return np.ones_like(z)


def leaky_relu(slope: float) -> Activation:
    """The leaky ReLU of one slope."""
    return Activation(
        lambda z: rectifiers.leaky_relu(z, slope),
        lambda z, h: rectifiers.leaky_relu_derivative(z, slope),
    )


def elu(alpha: float) -> Activation:
    """The exponential linear unit of one alpha."""
    return Activation(
        lambda z: rectifiers.elu(z, alpha), lambda z, h: rectifiers.elu_derivative(z, alpha)
    )


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(relu, relu_derivative),
    "tanh": Activation(np.tanh, tanh_derivative),
    "sigmoid": Activation(smooth.sigmoid, sigmoid_derivative),
    "identity": Activation(np.positive, identity_derivative),  # h = +z
    "leaky_relu": leaky_relu(0.01),
    "elu": elu(1.0),
    "selu": Activation(rectifiers.selu, lambda z, h: rectifiers.selu_derivative(z)),
    "softplus": Activation(smooth.softplus, lambda z, h: smooth.softplus_derivative(z)),
    "silu": Activation(smooth.silu, lambda z, h: smooth.silu_derivative(z)),
    "gelu": Activation(smooth.gelu, lambda z, h: smooth.gelu_derivative(z)),
    "gelu_tanh": Activation(smooth.gelu_tanh, lambda z, h: smooth.gelu_tanh_derivative(z)),
    "relu6": Activation(rectifiers.relu6, lambda z, h: rectifiers.relu6_derivative(z)),
    "hardtanh": Activation(rectifiers.hardtanh, lambda z, h: rectifiers.hardtanh_derivative(z)),
}
WITH_NUMBER: dict[str, Callable[[float], Activation]] = {"leaky_relu": leaky_relu, "elu": elu}


def find(name: str) -> Activation:
    """The activation called `name`; `ValueError` with what there is, or for a wrong number."""
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    kind, _, number = name.partition(":")
    if number and kind in WITH_NUMBER:
        try:
            return WITH_NUMBER[kind](float(number))
        except ValueError:
            raise ValueError(f"{kind} takes a number, such as {kind}:0.2, not {number!r}") from None
    return entry(ACTIVATIONS, name, "activation")

"""The functions between two layers: h = activation(z).

A table with one entry each. An activation is its value and its derivative; the derivative is
written through the *value* h, which every monotone activation allows (tanh' = 1 - h^2), so that
the backward pass needs h alone and h may be written over z.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from manual_mlp.arrays import Array


class Value(Protocol):
    """z -> h, elementwise, into `out` (which may be z itself) if it is given."""

    def __call__(self, z: Array, /, *, out: Array | None = None) -> Array: ...


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation: `value(z) -> h` and `derivative(h) -> dh/dz`, both elementwise."""

    value: Value
    derivative: Callable[[Array], Array]


def relu(x: Array, *, out: Array | None = None) -> Array:
    """Rectified linear unit, elementwise, into `out` if it is given.

        relu(x) = max(x, 0)        any shape -> the same shape and dtype

    Its derivative is 1 for x > 0 and 0 for x < 0. At x = 0 there is none; this package takes 0
    there, as torch does. NaN stays NaN.

    The report wrote the same. (Its comment speaks of a test element by element; `np.maximum`
    already is one.)

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, section 6.3.1.
    """
    return np.maximum(x, 0, out=out)


def relu_derivative(h: Array) -> Array:
    """dh/dz = [h > 0], True and False for 1 and 0: h > 0 exactly where z > 0, so 0 at the kink."""
    return h > 0


def tanh_derivative(h: Array) -> Array:
    """dh/dz = 1 - tanh(z)^2 = 1 - h^2."""
    slope: Array = 1 - h * h
    return slope


def sigmoid(z: Array, *, out: Array | None = None) -> Array:
    """Logistic function, elementwise: sigmoid(z) = 1 / (1 + exp(-z)).

    Written with e = exp(-|z|) <= 1, which cannot overflow and keeps the small values at large
    negative z exact to rounding: 1 / (1 + e) for z >= 0 and e / (1 + e) for z < 0.
    """
    e = np.exp(-np.abs(z))
    h: Array = np.divide(np.where(z < 0, e, 1), 1 + e, out=out)
    return h


def sigmoid_derivative(h: Array) -> Array:
    """dh/dz = sigmoid(z) (1 - sigmoid(z)) = h (1 - h)."""
    slope: Array = h * (1 - h)
    return slope


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(relu, relu_derivative),
    "tanh": Activation(np.tanh, tanh_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "identity": Activation(np.positive, np.ones_like),  # h = +z
}

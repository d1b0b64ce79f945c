"""Every activation by its name: value and derivative, the latter through z and h = value(z).

A table with one entry each. A name may carry a number, as in `leaky_relu:0.2`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from manual_mlp import activations, rectifiers, smooth
from manual_mlp.arrays import Array, entry


@dataclass(frozen=True, slots=True)
class Function:
    """`value(z) -> h` and `derivative(z, h) -> dh/dz`, both elementwise."""

    value: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]


def leaky_relu(slope: float) -> Function:
    """The leaky ReLU of one slope."""
    return Function(
        lambda z: rectifiers.leaky_relu(z, slope),
        lambda z, h: rectifiers.leaky_relu_derivative(z, slope),
    )


def elu(alpha: float) -> Function:
    """The exponential linear unit of one alpha."""
    return Function(
        lambda z: rectifiers.elu(z, alpha), lambda z, h: rectifiers.elu_derivative(z, alpha)
    )


FUNCTIONS: dict[str, Function] = {
    "relu": Function(activations.relu, activations.relu_derivative),
    "leaky_relu": leaky_relu(0.01),
    "elu": elu(1.0),
    "selu": Function(rectifiers.selu, lambda z, h: rectifiers.selu_derivative(z)),
    "softplus": Function(smooth.softplus, lambda z, h: smooth.softplus_derivative(z)),
    "silu": Function(smooth.silu, lambda z, h: smooth.silu_derivative(z)),
    "gelu": Function(smooth.gelu, lambda z, h: smooth.gelu_derivative(z)),
    "gelu_tanh": Function(smooth.gelu_tanh, lambda z, h: smooth.gelu_tanh_derivative(z)),
    "relu6": Function(rectifiers.relu6, lambda z, h: rectifiers.relu6_derivative(z)),
    "hardtanh": Function(rectifiers.hardtanh, lambda z, h: rectifiers.hardtanh_derivative(z)),
    "tanh": Function(np.tanh, activations.tanh_derivative),
    "sigmoid": Function(activations.sigmoid, activations.sigmoid_derivative),
    "identity": Function(np.positive, activations.identity_derivative),
}
WITH_NUMBER: dict[str, Callable[[float], Function]] = {"leaky_relu": leaky_relu, "elu": elu}


def find(name: str) -> Function:
    """The activation called `name`; `ValueError` with what there is, or for a wrong number."""
    kind, _, number = name.partition(":")
    if number and kind in WITH_NUMBER:
        try:
            return WITH_NUMBER[kind](float(number))
        except ValueError:
            raise ValueError(f"{kind} takes a number, such as {kind}:0.2, not {number!r}") from None
    return entry(FUNCTIONS, name, "activation")

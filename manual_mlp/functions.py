"""Every activation by its name: value and derivative, the latter through z and h = value(z).

A table with one entry each. A name may carry a number, as in `leaky_relu:0.2`.
"""

from collections.abc import Callable

from manual_mlp import rectifiers, smooth
from manual_mlp.activations import ACTIVATIONS, Activation
from manual_mlp.arrays import entry


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


FUNCTIONS: dict[str, Activation] = {
    **ACTIVATIONS,
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
    kind, _, number = name.partition(":")
    if number and kind in WITH_NUMBER:
        try:
            return WITH_NUMBER[kind](float(number))
        except ValueError:
            raise ValueError(f"{kind} takes a number, such as {kind}:0.2, not {number!r}") from None
    return entry(FUNCTIONS, name, "activation")

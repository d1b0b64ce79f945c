"""The activations, each by torch's own module.

A name may carry a number, as in `leaky_relu:0.2`. torch's slopes at the kinks hold.
"""

from collections.abc import Callable

from torch import nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,  # torch's slope at exactly 0 is 0
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
    "selu": nn.SELU,
    # torch's own threshold of 20 leaves out exp(-20) = 2e-9, which float64 would show.
    "softplus": lambda: nn.Softplus(threshold=40),
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "relu6": nn.ReLU6,
    "hardtanh": nn.Hardtanh,
}
WITH_NUMBER: dict[str, Callable[[float], nn.Module]] = {
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
}
DEFAULTS = {"leaky_relu": 0.01, "elu": 1.0}


def activation_module(name: str) -> nn.Module:
    """The module called `name`; ValueError for one that is not there, or a wrong number."""
    kind, _, number = name.partition(":")
    if kind in WITH_NUMBER:
        try:
            return WITH_NUMBER[kind](float(number) if number else DEFAULTS[kind])
        except ValueError:
            raise ValueError(
                f"{kind} takes a number, such as {kind}:0.2, not {number!r}."
            ) from None
    if name not in ACTIVATIONS:
        names = ", ".join((*ACTIVATIONS, *WITH_NUMBER))
        raise ValueError(f"There is no activation {name!r}; there are {names}.")
    return ACTIVATIONS[name]()

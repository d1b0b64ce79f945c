"""The derivative of a loss by the outputs, as a function of a file gives it.

    def cost_derivative(self, output_activations, y):
        return output_activations - y

says that the loss is half of the squares, where nothing else of the file does.
"""

from __future__ import annotations

import re

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.examine.starter.binding import plain
from compare.examine.starter.networks import Network, point, values_of
from compare.examine.starter.readings import Sizes
from compare.examine.starter.subject import Subject
from compare.examine.starter.whole import Whole
from compare.guard.guard import Guard

SLOPE = re.compile(r"d?\w*(cost|loss|error|mse|quadratic|squares?)\w*(deriv|prime|grad|slope)\w*"
                   r"|(grad|deriv\w*of)\w*(cost|loss|error|mse)\w*")  # fmt: skip
BOTH = 2


def slope_given(whole: Whole, subject: Subject, sizes: Sizes, guard: Guard) -> bool:
    """Whether a function of output and targets is the derivative of the loss of the network."""
    flow = subject.flow
    named = [name for name in flow.functions if SLOPE.fullmatch(plain(name))
             and len(flow.parameters(name)) == BOTH]  # fmt: skip
    network = whole.told.network
    return any(is_slope(whole, name, network, sizes, guard) for name in named)


def is_slope(whole: Whole, name: str, network: Network, sizes: Sizes, guard: Guard) -> bool:
    """Whether one function is: for each sample, or over their number."""
    parameters, x, targets = point(sizes, 0)
    p = values_of(network, sizes, 0).p
    due = slope_of(network, p, targets)
    values = {**parameters, "x": x, "y": targets}
    started = guard.run(lambda: whole.chain.start(sizes.widths, values), name, None)
    call, mode = started.functions[name], whole.chain.mode
    outputs = [one["x"] for one in mode.rows(p, targets)]
    wanted = [one["x"] for one in mode.rows(due, targets)]
    given = [one["y"] for one in mode.rows(p, targets)]
    try:
        found = [guard.call(call, *pair) for pair in zip(outputs, given, strict=True)]
    except UserCodeError:
        return False
    return any(
        all(same(array, right / over) for array, right in zip(found, wanted, strict=True))
        for over in (1, len(x))
    )


def slope_of(network: Network, p: Array, targets: Array) -> Array:
    """The derivative of the loss of each sample by what stands behind the last layer."""
    if network.loss == "cross_entropy":
        return -network.loss_factor * targets / p
    over = targets.shape[1] if network.reduction == "mean" else 1
    slope: Array = 2 * (p - targets) if network.loss == "mse" else (p - targets) / (p * (1 - p))
    return network.loss_factor * slope / over


def same(found: object, right: Array) -> bool:
    """Whether a value is an array, but for rounding."""
    if not isinstance(found, np.ndarray) or found.shape != right.shape:
        return False
    return bool(np.allclose(found, right, rtol=1e-9, atol=1e-12))

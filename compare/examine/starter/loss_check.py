"""A loss alone, checked like that of a whole network: our forward pass and gradients beside it.

One number at one point does not tell a constant in a logarithm from a mean over too much; the
points of `check`, some with probabilities near 0, do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import manual_mlp
from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.result import Diagnosis
from compare.examine.point import check
from compare.examine.starter.expected import known_quantities
from compare.examine.starter.readings import UNEQUAL, Sizes
from compare.textbook import Point

Given = Callable[[Mapping[str, Array]], Mapping[str, Any]]
"""From everything that is known at a point to the arguments of the loss, in their order."""


def loss_named(
    function: Callable[..., Any],
    given: Given,
    *,
    activation: str = "relu",
    reduction: str = "mean",
    seed: int = 0,
    timeout: float | None = None,
    sizes: Sizes = UNEQUAL,
) -> tuple[Diagnosis, ...]:
    """The known mistake that gives what a loss gave at every point; empty where none does."""

    def loss_and_gradients(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        point = Point(parameters, x, targets, activation, reduction)
        value = function(*given(known_quantities(point)).values())
        gradients = manual_mlp.loss_and_gradients(
            parameters, x, targets, activation=activation, reduction=reduction
        )[1]
        return float(np.asarray(value).item()), gradients

    try:
        return check(
            loss_and_gradients, inputs=sizes.F, classes=sizes.K, hidden=sizes.hidden,
            activation=activation, reduction=reduction, seed=seed, timeout=timeout,
        ).diagnosis  # fmt: skip
    except (BadInput, UserCodeError):
        return ()

"""A function of one layer's weights, checked as the network it is: softmax or logistic regression.

Many show no loss beside their gradients. Ours stands in its place then, which is right by itself.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.experiment import Experiment
from compare.contracts.result import Result
from compare.examine.point import check
from compare.examine.sides import our_manual


def checked_as_network(
    call: Callable[[Arrays, Array, Array], tuple[float, Arrays]],
    function: Callable[..., Any],
    *,
    inputs: int,
    classes: int,
    timeout: float | None,
    **settings: Any,
) -> Result | None:
    """Return what is said of `call(parameters, x, targets) -> (loss, gradients)`; None where it
    cannot be called so.

    A loss of NaN is none. `function` is the one of the user that is called: its lines are told.
    """
    ours = our_manual(Experiment(**settings)).loss_and_gradients

    def loss_and_gradients(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        loss, gradients = call(dict(parameters), x, targets)
        return ours(parameters, x, targets)[0] if np.isnan(loss) else loss, gradients

    called_as = inspect.signature(loss_and_gradients)
    functools.update_wrapper(loss_and_gradients, function)
    loss_and_gradients.__signature__ = called_as  # type: ignore[attr-defined]  # not its function's
    try:
        return check(
            loss_and_gradients, inputs=inputs, classes=classes, timeout=timeout, **settings
        )
    except (BadInput, UserCodeError):
        return None

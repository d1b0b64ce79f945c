"""The derivative of an activation as a function of its own: `tanh_prime(z)`, or of the value h.

It is right in itself if it is the derivative of an activation that its name, or else the file, may
mean: at what it is handed, or with the value in place of that. Which of the two its callers hand it
is judged where they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.readings import UNEQUAL, drawn
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard

SAME = 1e-13
"""Above the rounding of a few operations on numbers of order 1."""
CALLED = {"logistic": "sigmoid", "lrelu": "leaky_relu", "swish": "silu"}
"""Other names of activations."""


def slope_checked(
    name: str, function: Callable[..., Any], activations: Iterable[str], timeout: float | None
) -> FunctionVerdict | None:
    """The verdict on the derivative of an activation; None for what is none of them."""
    if len(required(function)) != 1:
        return None
    key = plain(name)
    for other, meant in CALLED.items():
        key = key.replace(other, plain(meant))
    every = list(activations)
    named = [one for one in every if plain(one.partition(":")[0]) in key]
    call = OnCopies(function, Guard(timeout=timeout))
    (parameter,) = required(function)
    z = drawn(UNEQUAL)[0]
    for activation in named or every:
        for given, words in ((z, "of its input"), (ACTIVATION_RULES[activation].f(z), "of h")):
            if is_slope(call, parameter, activation, z, given):
                said = f"the derivative of {activation}, as a function {words}"
                return FunctionVerdict(
                    name, "slope", None, Verdict.AGREES, "agrees", conventions=(said,)
                )
    return None


def required(function: Callable[..., Any]) -> list[str]:
    """The parameters of a function that have to be given."""
    try:
        every = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [one.name for one in every if one.default is one.empty]


def is_slope(call: OnCopies, parameter: str, activation: str, z: Array, given: Array) -> bool:
    """Whether a function gives f'(z) of what it is handed."""
    rule = ACTIVATION_RULES[activation]
    due = np.asarray(rule.slope(z if rule.of_z else rule.f(z)))
    try:
        found = np.asarray(call({parameter: given}))
    except (UserCodeError, ValueError):
        return False
    if found.shape != due.shape or found.dtype.kind not in "fib":
        return False
    return bool(np.abs(found - due).max() <= SAME)

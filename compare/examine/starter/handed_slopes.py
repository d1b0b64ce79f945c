"""The derivative of an activation times the gradient that flows back: `sigmoid_backward(dout, a)`.

What flows in has to come out again, times the derivative of the activation that the name says, at
what was its input or its value. Numbers that are another thing are nobody's mistake for certain: an
author may keep something else for the way back. But they are no gradient of a loss either, and are
not held against one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.activation_slopes import meant_by, required, slope_of
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.readings import UNEQUAL, drawn
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard

FLOWS_IN = re.compile(
    r"d([a-z]|out|output|loss|next|prev|top|act|activation|values?)?\d?|gouts?|g|upstream|"
    r"(up|out|next|prev)?(stream|put|coming)?(grads?|gradients?|deltas?|errors?)\w*"
)
"""Names, in lower case and without underscores, of a gradient that flows back into a function."""
BOTH = 2


def handed_slope(
    name: str, function: Callable[..., Any], activations: Iterable[str], timeout: float | None
) -> FunctionVerdict | None:
    """The verdict on a function of what flows in and of one value; None for what is none."""
    meant, parameters = meant_by(name), required(function)
    every = list(dict.fromkeys([*activations, *ACTIVATION_RULES]))
    named = [one for one in every if plain(one.partition(":")[0]) in meant]
    if len(parameters) != BOTH or not named:
        return None
    for flowing in in_order(parameters):
        if told := times_slope(function, parameters, flowing, named, timeout):
            said = (f"{flowing} times the derivative of {told[0]}, as a function {told[1]}",)
            return FunctionVerdict(name, "slope", None, Verdict.AGREES, "agrees", conventions=said)
    if not flows_through(function, parameters, timeout):
        return None
    why = (
        f"was not compared: its numbers are not {in_order(parameters)[0]} times the derivative of"
        f" {' or '.join(named)}, neither of its input nor of h"
    )
    return FunctionVerdict(name, "gradient", None, Verdict.UNDECIDABLE, why)


def in_order(parameters: Sequence[str]) -> list[str]:
    """The parameters, first the one that is named like what flows in."""
    return sorted(parameters, key=lambda one: FLOWS_IN.fullmatch(plain(one)) is None)


def flowing_in() -> Array:
    """What is handed over as the gradient that flows in: no entry is 0, half of them negative."""
    generator, shape = np.random.default_rng(0), drawn(UNEQUAL)[0].shape
    values: Array = generator.uniform(0.5, 1.5, shape) * generator.choice([-1.0, 1.0], shape)
    return values


def times_slope(
    function: Callable[..., Any],
    parameters: Sequence[str],
    flowing: str,
    named: Iterable[str],
    timeout: float | None,
) -> tuple[str, str] | None:
    """The activation whose derivative a function multiplies by, and as a function of what."""
    (other,) = (one for one in parameters if one != flowing)
    share = flowing_in()

    def alone(z: Array) -> Any:
        return np.asarray(function(**{flowing: share.copy(), other: z})) / share

    return slope_of(OnCopies(alone, Guard(timeout=timeout)), alone, named)


def flows_through(
    function: Callable[..., Any], parameters: Sequence[str], timeout: float | None
) -> bool:
    """Whether one parameter is named like what flows in, and as many numbers come out."""
    if not any(FLOWS_IN.fullmatch(plain(one)) for one in parameters):
        return False
    given = dict.fromkeys(parameters, flowing_in())
    try:
        found = np.shape(OnCopies(function, Guard(timeout=timeout))(given))
    except (UserCodeError, ValueError):
        return False
    return bool(found == flowing_in().shape)

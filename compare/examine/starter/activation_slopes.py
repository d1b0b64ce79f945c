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
OTHERS = (
    "hardsigmoid", "logsigmoid", "hardsilu", "prelu", "parametricrelu", "rrelu", "randomizedrelu",
    "randomisedrelu", "thresholdedrelu", "clippedrelu", "crelu", "srelu", "celu", "quickgelu",
    "scaledtanh", "tanhshrink", "mish", "softsign", "softmax",
)  # fmt: skip
"""Activations that are not in the table, without underscores: no other one is meant by them."""


def slope_checked(
    name: str, function: Callable[..., Any], activations: Iterable[str], timeout: float | None
) -> FunctionVerdict | None:
    """The verdict on the derivative of an activation; None for what is none of them.

    What is that of another one than its name says is nobody's mistake for certain, nor right.
    """
    if len(required(function)) != 1:
        return None
    meant, every = meant_by(name), list(activations)
    named = [one for one in every if plain(one.partition(":")[0]) in meant]
    named = named or [one for one in ACTIVATION_RULES if plain(one) in meant]
    call = OnCopies(function, Guard(timeout=timeout))
    if told := slope_of(call, function, named if meant else every):
        said = (f"the derivative of {told[0]}, as a function {told[1]}",)
        return FunctionVerdict(name, "slope", None, Verdict.AGREES, "agrees", conventions=said)
    if meant and (told := slope_of(call, function, [*every, *ACTIVATION_RULES])):
        why = (
            f"was not compared: its numbers are the derivative of {told[0]},"
            " which its name does not say"
        )
        return FunctionVerdict(name, "slope", None, Verdict.UNDECIDABLE, why)
    return None


def slope_of(
    call: OnCopies, function: Callable[..., Any], activations: Iterable[str]
) -> tuple[str, str] | None:
    """The first activation whose derivative a function is, and as a function of what."""
    (parameter,) = required(function)
    for activation in activations:
        rule = ACTIVATION_RULES[activation]
        z = reaching(drawn(UNEQUAL)[0], rule.kinks)
        for given, words in ((z, "of its input"), (rule.f(z), "of h")):
            if is_slope(call, parameter, activation, z, given):
                return activation, words
    return None


def meant_by(name: str) -> list[str]:
    """The activations in a name, without underscores: of `leaky_relu`, `relu` and `elu`, which the
    first contains, only the first; none where the name is silent."""
    key = plain(name)
    for other, called in CALLED.items():
        key = key.replace(other, plain(called))
    known = (*(plain(one) for one in ACTIVATION_RULES), *OTHERS)
    found = [one for one in dict.fromkeys(known) if one in key]
    return [one for one in found if not any(one in other for other in found if other != one)]


def reaching(z: Array, kinks: Iterable[float]) -> Array:
    """Inputs on both sides of every kink: relu6 is no other than relu as far as 6."""
    farthest = max(map(abs, kinks), default=0.0)
    return z * max(1.0, 2 * farthest / float(np.abs(z).max()))


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

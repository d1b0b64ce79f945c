"""Batch normalisation in a training: the running statistics that go from update to update.

A side hands them on in its third value. Of one that shows none nothing is known to be wrong: ours
stand in for both sides, and are not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compare.contracts.arrays import Arrays
from compare.contracts.between import Context, running
from compare.contracts.errors import WrongCall
from compare.guard.blame import name_of
from compare.guard.contract import Reader
from compare.guard.effects import Notes

Function = Callable[..., Any]


class HandingOn:
    """A function whose third value has the running statistics that follow: its own, else ours."""

    def __init__(self, function: Function, ours: Function) -> None:
        self.function, self.ours = function, ours

    def __call__(
        self, parameters: Arrays, x: Any, targets: Any, *, context: Context
    ) -> tuple[float, Arrays, Arrays]:
        point = parameters, x, targets
        loss, gradients, *more = self.function(*point, context=context)
        shown: Arrays = more[0] if more else {}
        own = handed_on(self.function, shown, context)
        if not own:
            own = running(self.ours(*point, context=context)[2])
        return loss, gradients, {**shown, **own}


def handed_on(function: Function, shown: Arrays, context: Context) -> Arrays:
    """Return the running statistics that a third value shows; nothing where it shows none.

    Raises `UserCodeError` where it shows a part of them, `WrongCall` for another shape; (1, H) is
    read as (H,).
    """
    due, found = running(context), running(shown)
    missing = [name for name in due if name not in found]
    if not found or not due:
        return {}
    reader = Reader(of(function), {}, -1, Notes())
    if missing:
        some = ", ".join(found)
        reader.refuse(f"returned {some} without {', '.join(missing)}; return all of them, or none")
    for name, array in due.items():
        if np.size(found[name]) != array.size:
            what = f"returned {name} of shape {np.shape(found[name])}; {array.shape} is due"
            reader.refuse(what, WrongCall)
    return {name: np.reshape(found[name], array.shape) for name, array in due.items()}


def of(function: Function) -> Function:
    """Return the code under test itself, whose lines are quoted."""
    inside: Function = getattr(function, "function", function)
    return inside


def not_handed_on(function: Function, context: Context) -> str:
    """Say that running statistics were not compared, and how they are shown."""
    names = ", ".join(running(context))
    return (
        f"the running statistics of batch normalisation were not compared, both sides took the "
        f"same: {name_of(of(function))} returns none; a third value, a dictionary with {names} "
        "after the batch, shows them"
    )

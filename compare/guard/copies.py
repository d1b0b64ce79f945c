"""A call on copies: theirs to scribble on and to keep, and we know if they scribbled.

That they did is seen by comparing afterwards. The line is found by calling once more, with arrays
that cannot be written to.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.guard.blame import Place, home_of, last_place, name_of, places_of_traceback
from compare.guard.branches import Branches
from compare.guard.deadline import TimedOut, within
from compare.guard.effects import Notes, contained
from compare.guard.guard import Guard

Argument = Array | Mapping[str, Array] | list[Array]
CONTEXT = "context"
"""The argument that only functions which name it get: masks, running statistics."""
READ_ONLY = "read-only"


class OnCopies:
    """Calls `function` under `guard` on copies of named arguments; `modified` says of those it
    wrote to at which line, and the guard's notes say it too. `again`: whether it may be called once
    more to find the line; `branches`, if given, follow which of them its calls run.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        guard: Guard,
        *,
        again: bool = True,
        branches: Branches | None = None,
    ) -> None:
        self.function = function
        self.guard = guard
        self.again = again
        self.branches = branches
        self.modified: dict[str, str] = {}

    def __call__(self, arguments: Mapping[str, Argument], **keywords: float) -> Any:
        """Return `function(*arguments, **keywords)`; the names are for what is said.

        Only `context` is handed over by its name.
        """
        handed = {name: copied(argument) for name, argument in arguments.items()}
        given, named = by_place(handed)
        hint = self.hint(handed)
        who, home = name_of(self.function), home_of(self.function)

        def call() -> Any:
            return self.function(*given, **named, **keywords)

        run = call if self.branches is None else partial(self.branches.followed, call)
        value = self.guard.run(run, who, home, hint)
        for name, argument in arguments.items():
            if not unchanged(argument, handed[name]) and name not in self.modified:
                place = self.writing_line(arguments, keywords) if self.again else None
                where = f" at {place.quoted()}" if place else ""
                theirs = its_name(self.function, list(handed).index(name), name)
                what = self.modified[name] = f"modifies its argument {theirs}{where}"
                self.guard.notes.add(f"{name_of(self.function)} {what}; it got a copy")
        return value

    def hint(self, handed: Mapping[str, Argument]) -> str:
        """Say how the function is called, and which keys there are: each set of them once."""
        called = f"it is called as {name_of(self.function)}({', '.join(handed)})"
        owners: dict[str, str] = {}
        for name, argument in handed.items():
            if isinstance(argument, Mapping):
                owners.setdefault(", ".join(argument), name)
        keys = (f"{name} has the keys {listed}" for listed, name in owners.items())
        return "; ".join([called, *keys])

    def writing_line(
        self, arguments: Mapping[str, Argument], keywords: Mapping[str, float]
    ) -> Place | None:
        """Return the line that writes to an argument, or at least where the function begins."""
        who, home = name_of(self.function), home_of(self.function)
        frozen = {name: copied(one, writeable=False) for name, one in arguments.items()}
        given, named = by_place(frozen)
        try:
            with contained(who, home, Notes()):
                within(self.guard.timeout, lambda: self.function(*given, **named, **keywords))
        except ValueError as error:
            if READ_ONLY in str(error):
                return last_place(places_of_traceback(error.__traceback__), home)
        except (Exception, SystemExit, TimedOut):
            return home
        return home


def its_name(function: Callable[..., Any], place: int, name: str) -> str:
    """Return what the author calls the argument at a place; `name` where that cannot be told."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return name
    known = parameters[place : place + 1]
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return known[0].name if known and known[0].kind in by_place else name


def by_place(
    handed: Mapping[str, Argument],
) -> tuple[list[Argument], dict[str, Any]]:
    """Part the arguments that are handed over by their place from the one that has a name."""
    named = {name: argument for name, argument in handed.items() if name == CONTEXT}
    return [argument for name, argument in handed.items() if name != CONTEXT], named


def copied(argument: Argument, *, writeable: bool = True) -> Argument:
    """Return a C-contiguous copy of an array, or a dictionary or list of such copies."""
    if isinstance(argument, Mapping):
        return {name: copy_of(array, writeable) for name, array in argument.items()}
    if isinstance(argument, list):
        return [copy_of(array, writeable) for array in argument]
    return copy_of(argument, writeable)


def copy_of(array: Array, writeable: bool) -> Array:
    """Return a C-contiguous copy, which may be closed to writing."""
    copy = np.array(array, order="C")
    copy.flags.writeable = writeable
    return copy


def unchanged(ours: Argument, theirs: Argument) -> bool:
    """True if what was handed over still is what it was: the same names, values and shapes."""
    if isinstance(ours, Mapping):
        assert isinstance(theirs, Mapping)
        return ours.keys() == theirs.keys() and all(
            isinstance(theirs[name], np.ndarray) and unchanged(ours[name], theirs[name])
            for name in ours
        )
    if isinstance(ours, list):
        assert isinstance(theirs, list)
        return len(ours) == len(theirs) and all(
            isinstance(one, np.ndarray) and unchanged(mine, one)
            for mine, one in zip(ours, theirs, strict=True)
        )
    assert isinstance(theirs, np.ndarray)
    return bool(np.array_equal(ours, theirs) or np.array_equal(ours, theirs, equal_nan=True))

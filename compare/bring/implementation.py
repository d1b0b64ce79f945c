"""A user's function in the place of one of ours: the same call, with every surprise taken out.

Arguments are copies, so theirs to scribble on and to keep; that they were scribbled on is found
by comparing afterwards, and the line by calling once more with arrays that cannot be written to.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from compare.bring.blame import (
    UserCodeError,
    home_of,
    last_place,
    name_of,
    places_of_traceback,
)
from compare.bring.contract import Array, Arrays, Reader
from compare.bring.deadline import TimedOut, within
from compare.bring.effects import Notes, contained
from compare.bring.guard import TIMEOUT, Guard

READ_ONLY = "read-only"
Argument = Array | Mapping[str, Array]


class Guarded:
    """What `GuardedImplementation` and `GuardedStep` share: a call on copies.

    `notes` is what the function does besides returning; `modified` names the arguments it wrote to.
    """

    positions: Sequence[str]
    keywords: Sequence[str] = ()

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        timeout: float | None = TIMEOUT,
        notes: Notes | None = None,
    ) -> None:
        self.function = function
        self.guard = Guard(timeout=timeout, notes=notes)
        self.modified: set[str] = set()
        self._require_signature()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the function does besides returning, one sentence each."""
        return self.guard.notes.sentences()

    def _require_signature(self) -> None:
        who, home = name_of(self.function), home_of(self.function)
        where = f"{home.quoted()}: " if home else ""
        due = ", ".join([*self.positions, *(["*", *self.keywords] if self.keywords else [])])
        if not callable(self.function):
            raise UserCodeError(f"{who} cannot be called; give a function {who}({due})")
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):  # written in C without a signature: the call will tell
            return
        try:
            signature.bind(*self.positions, **dict.fromkeys(self.keywords))
        except TypeError as error:
            what = f"{who}{signature} cannot be called as {who}({due}): {error}"
            raise UserCodeError(f"{where}{what}") from error

    def _call(self, arguments: Mapping[str, Argument], **keywords: float) -> Any:
        handed = {name: copied(argument) for name, argument in arguments.items()}
        value = self.guard.call(self.function, *handed.values(), **keywords)
        for name, argument in arguments.items():
            if not unchanged(argument, handed[name]) and name not in self.modified:
                self.modified.add(name)
                self._note_modified(name, arguments, keywords)
        return value

    def _note_modified(
        self, name: str, arguments: Mapping[str, Argument], keywords: Mapping[str, float]
    ) -> None:
        who, home = name_of(self.function), home_of(self.function)
        place = home
        frozen = [copied(argument, writeable=False) for argument in arguments.values()]
        try:
            with contained(who, home, Notes()):
                within(self.guard.timeout, lambda: self.function(*frozen, **keywords))
        except ValueError as error:
            if READ_ONLY in str(error):
                place = last_place(places_of_traceback(error.__traceback__), home)
        except (Exception, SystemExit, TimedOut):
            place = home
        where = f" at {place.quoted()}" if place else ""
        self.guard.notes.add(f"{who} modifies its argument {name}{where}; it got a copy")


class GuardedImplementation(Guarded):
    """Contract 1: `(parameters, x, targets) -> (loss, gradients, intermediates)`, checked.

    Raises `UserCodeError` with one sentence if the function raises, hangs, exits or returns
    anything else; intermediates are empty where it returns none.
    """

    positions = ("parameters", "x", "targets")

    def __call__(
        self, parameters: Mapping[str, Array], x: Array, targets: Array
    ) -> tuple[float, Arrays, Arrays]:
        value = self._call({"parameters": parameters, "x": x, "targets": targets})
        return Reader(self.function, parameters, len(x), self.guard.notes).evaluation(value)


class GuardedStep(Guarded):
    """Contract 2: `(parameters, gradients, state, *, learning_rate, momentum)`, checked.

    Returns `(parameters, state)`; raises `UserCodeError` as `GuardedImplementation` does.
    """

    positions = ("parameters", "gradients", "state")
    keywords = ("learning_rate", "momentum")

    def __call__(
        self,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        state: Mapping[str, Array],
        *,
        learning_rate: float,
        momentum: float,
    ) -> tuple[Arrays, Arrays]:
        arguments = {"parameters": parameters, "gradients": gradients, "state": state}
        value = self._call(arguments, learning_rate=learning_rate, momentum=momentum)
        return Reader(self.function, parameters, -1, self.guard.notes).update(value, state)


def copied(argument: Argument, *, writeable: bool = True) -> Argument:
    """Return a C-contiguous copy of an array, or a dictionary of such copies."""
    if isinstance(argument, Mapping):
        return {name: frozen_copy(array, writeable) for name, array in argument.items()}
    return frozen_copy(argument, writeable)


def frozen_copy(array: Array, writeable: bool) -> Array:
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
    assert isinstance(theirs, np.ndarray)
    return bool(np.array_equal(ours, theirs) or np.array_equal(ours, theirs, equal_nan=True))

"""A user's function in the place of one of ours: the same call, with every surprise taken out.

It gets copies (`copies`), is called under guard (`guard`), and what it returns is read by the
contract (`contract`). Contract 1 is an implementation, contract 2 a step of the optimiser.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, TypeVar

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.guard.blame import home_of, name_of
from compare.guard.branches import Branches
from compare.guard.contract import Reader
from compare.guard.copies import CONTEXT, OnCopies
from compare.guard.effects import Notes
from compare.guard.guard import TIMEOUT, Guard

Answer = TypeVar("Answer")


class Guarded:
    """What `GuardedImplementation` and `GuardedStep` share: a call on copies, and its notes."""

    positions: Sequence[str]
    keywords: Sequence[str] = ()
    again = True

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        timeout: float | None = TIMEOUT,
        notes: Notes | None = None,
    ) -> None:
        self.function = function
        self.guard = Guard(timeout=timeout, notes=notes)
        self.branches = Branches(function)
        self.call = OnCopies(function, self.guard, again=self.again, branches=self.branches)
        self._require_signature()

    @property
    def timeout(self) -> float | None:
        """Seconds that one call may take."""
        return self.guard.timeout

    @property
    def modified(self) -> set[str]:
        """The arguments it wrote to."""
        return set(self.call.modified)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the function does besides returning, one sentence each."""
        return self.guard.notes.sentences() + self.unrun

    @property
    def unrun(self) -> tuple[str, ...]:
        """What of the function never ran, in one sentence."""
        return self.branches.notes()

    def read(self, reading: Callable[[], Answer]) -> Answer:
        """Return what is read of a returned value; a class of theirs may run code even here."""
        who = f"what {name_of(self.function)} returned"
        answer: Answer = self.guard.run(reading, who, home_of(self.function))
        return answer

    def _require_signature(self) -> None:
        who, home = name_of(self.function), home_of(self.function)
        where = f"{home.quoted()}: " if home else ""
        due = ", ".join([*self.positions, *(["*", *self.keywords] if self.keywords else [])])
        if not callable(self.function):
            raise UserCodeError(f"{who} cannot be called; give a function {who}({due})")
        if isinstance(self.function, type):
            raise UserCodeError(
                f"{where}{who} is a class; give a function {who}({due}), or the file that it is in"
                " to `manual-mlp check FILE`, which finds out how a class is called"
            )
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):  # written in C without a signature: the call will tell
            return
        try:
            named = (*self.keywords, *((CONTEXT,) if takes_context(self.function) else ()))
            signature.bind(*self.positions, **dict.fromkeys(named))
        except TypeError as error:
            what = f"{who}{signature} cannot be called as {who}({due}): {error}"
            raise UserCodeError(f"{where}{what}") from error


class GuardedImplementation(Guarded):
    """Contract 1: `(parameters, x, targets) -> (loss, gradients, intermediates)`, checked.

    Raises `UserCodeError` with one sentence if the function raises, hangs, exits or returns
    anything else; intermediates are empty where it returns none.
    """

    positions = ("parameters", "x", "targets")
    lenient = kept = False

    def leniently(self, *, kept: bool = False) -> GuardedImplementation:
        """Return the same function with wrong shapes mended, as far as that can be done.

        Those that tell a mistake may be `kept`.
        """
        other = copy(self)
        other.lenient, other.kept = True, kept
        return other

    def __call__(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        *,
        context: Mapping[str, Array] | None = None,
    ) -> tuple[float, Arrays, Arrays]:
        arguments: dict[str, Any] = {"parameters": parameters, "x": x, "targets": targets}
        if takes_context(self.function):
            arguments[CONTEXT] = context or {}
        value = self.call(arguments)
        reader = Reader(
            self.function, parameters, len(x), self.guard.notes, self.lenient, self.kept
        )
        return self.read(lambda: reader.evaluation(value))


class GuardedPerSample(GuardedImplementation):
    """Code that takes one sample at a time, `x` (F,) and `targets` (K,), read as one for batches.

    Loss and gradients are those of the samples added up, divided by N unless `summed`. Of a mask
    each call gets its sample's row.
    """

    def __init__(
        self, function: Callable[..., Any], *, summed: bool, timeout: float | None
    ) -> None:
        super().__init__(function, timeout=timeout)
        self.summed = summed

    def __call__(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        *,
        context: Mapping[str, Array] | None = None,
    ) -> tuple[float, Arrays, Arrays]:
        each = []
        for n, one in enumerate(zip(x, targets, strict=True)):
            own = {k: v[n] if k.startswith("mask") else v for k, v in (context or {}).items()}
            each.append(super().__call__(parameters, *one, context=own))
        count = 1 if self.summed else len(each)
        gradients = {
            name: np.asarray(sum(found[1][name] for found in each) / w.dtype.type(count))
            for name, w in parameters.items()
        }
        return sum(found[0] for found in each) / count, gradients, {}


def takes_context(function: Callable[..., Any]) -> bool:
    """Whether a function names the argument `context`."""
    try:
        return CONTEXT in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


READING_RATE = 2.0**40
"""So large that the weights themselves leave no digit of the gradient unseen."""


class GuardedUpdate(Guarded):
    """Code that returns new weights and no gradient: `update(parameters, x, targets, *,
    learning_rate) -> parameters`, read as an implementation.

        gradient = (parameters - update(parameters, ...)) / learning_rate

    With a learning rate of 2**40, a power of two, dividing rounds nothing, and what the subtraction
    loses is that part of the gradient below 2**-40 of the last digit of the weight. It has no loss,
    so `loss_of`, the reference's, stands for it and nothing is compared there.
    """

    shows_loss = False
    reading_rate = READING_RATE
    positions = ("parameters", "x", "targets")
    keywords = ("learning_rate",)

    def __init__(
        self, function: Callable[..., Any], loss_of: Callable[..., float], *, timeout: float | None
    ) -> None:
        super().__init__(function, timeout=timeout)
        self.loss_of = loss_of
        who = name_of(function)
        self.guard.notes.add(f"{who} returns new weights: gradients are read from them, no loss is")

    def __call__(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        *,
        context: Mapping[str, Array] | None = None,
    ) -> tuple[float, Arrays, Arrays]:
        after = self.after(parameters, x, targets, READING_RATE, context)
        gradients = {
            name: (before - after[name]) / before.dtype.type(READING_RATE)
            for name, before in parameters.items()
        }
        return self.loss_of(parameters, x, targets, context or {}), gradients, {}

    def after(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        learning_rate: float,
        context: Mapping[str, Array] | None = None,
    ) -> Arrays:
        """Return the weights after an update, checked."""
        arguments: dict[str, Array | Mapping[str, Array]]
        arguments = {"parameters": parameters, "x": x, "targets": targets}
        if takes_context(self.function):
            arguments[CONTEXT] = context or {}
        value = self.call(arguments, learning_rate=learning_rate)
        reader = Reader(self.function, parameters, len(x), self.guard.notes)
        return self.read(lambda: reader.arrays(value, "parameter", parameters))


def is_update(function: Callable[..., Any]) -> bool:
    """Whether a function asks for a learning rate, as one that updates the weights itself does."""
    try:
        return "learning_rate" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


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
        value = self.call(arguments, learning_rate=learning_rate, momentum=momentum)
        reader = Reader(self.function, parameters, -1, self.guard.notes)
        return self.read(lambda: reader.update(value, state))

    def begin(
        self,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        *,
        learning_rate: float,
        momentum: float,
    ) -> tuple[Arrays, Any]:
        """Return the update from the state {}; its state has all velocities, or keys of its own."""
        arguments = {"parameters": parameters, "gradients": gradients, "state": {}}
        value = self.call(arguments, learning_rate=learning_rate, momentum=momentum)
        reader = Reader(self.function, parameters, -1, self.guard.notes)
        return self.read(lambda: reader.first_update(value))


class GuardedReduction(Guarded):
    """A sum over ranks of their own: `(loss, gradients, rows) -> (loss, gradients)`, checked.

    It gets what this rank's rows come to, and how many they are; loss and rows are arrays without
    axes. Every rank calls it, also one without rows, and equally often: a sum that one rank makes
    once more waits for the others, or is added to their next one.
    """

    positions = ("loss", "gradients", "rows")
    again = False

    def __call__(
        self, loss: float, gradients: Mapping[str, Array], rows: int
    ) -> tuple[float, Arrays]:
        value = self.call({"loss": np.array(loss), "gradients": gradients, "rows": np.array(rows)})
        reader = Reader(self.function, gradients, -1, self.guard.notes)
        loss, gradients, _ = self.read(lambda: reader.evaluation(value))
        return loss, dict(gradients)

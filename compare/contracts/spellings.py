"""Limits of the settings that people spell in ways of their own.

An activation with its number, a format in NumPy's words, widths, several numbers, a schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from compare.contracts.limits import (
    POSITIVE,
    SHARE,
    Choice,
    Limit,
    Maybe,
    Number,
    Unfit,
    Whole,
    shown,
)


@dataclass(frozen=True, slots=True)
class ActivationName:
    """The name of an activation, with a number behind it where it takes one: `leaky_relu:0.2`.

    `words` are those of the package; whatever else stands in the manual side's table is taken too.
    """

    words: tuple[str, ...]

    def of(self, value: Any) -> str:
        """Take a name."""
        if isinstance(value, str) and value in self.words:
            return str(value)
        from manual_mlp.activations import find  # the command does not wait for it

        try:
            find(value)
        except (AttributeError, TypeError, ValueError):
            return Choice(self.words).of(value)
        return str(value)

    def read(self, text: str) -> str:
        """Take a name."""
        return self.of(text)


@dataclass(frozen=True, slots=True)
class FormatName:
    """A number format, in any spelling NumPy takes: "f8", np.float64, np.dtype("float64")."""

    words: tuple[str, ...]

    def of(self, value: Any) -> str:
        """Return the format's name."""
        if isinstance(value, str) and value in self.words:
            return str(value)
        import numpy as np  # the command does not wait for it

        try:
            name = np.dtype(value).name if value is not None else ""
        except (TypeError, ValueError):
            name = ""
        if name not in self.words:
            raise Unfit(f"must be one of {', '.join(self.words)}, not {shown(value)}")
        return name

    def read(self, text: str) -> str:
        """Read a name or one of NumPy's abbreviations."""
        return self.of(text)


@dataclass(frozen=True, slots=True)
class Widths:
    """The widths of hidden layers: whole numbers above 0, none of them for no hidden layer."""

    def of(self, value: Any) -> tuple[int, ...]:
        """Take one width or a sequence of them."""
        listed = (value,) if isinstance(value, Integral) else value
        try:
            if isinstance(listed, str | bytes):
                raise Unfit
            return tuple(Whole(1).of(width) for width in listed)
        except (TypeError, Unfit):
            raise self._unfit(value) from None

    def read(self, text: str) -> tuple[int, ...]:
        """Read `48`, `512,256` or `512-256`; nothing or `none` is a network of one layer."""
        if text.strip() in ("", "none"):
            return ()
        try:
            return tuple(Whole(1).read(part) for part in text.replace("-", ",").split(","))
        except Unfit:
            raise self._unfit(text) from None

    def _unfit(self, value: Any) -> Unfit:
        return Unfit(
            "must be whole numbers above 0 with commas between them, such as 48 or 512,256, "
            f"or `none`, not {shown(value)}"
        )


@dataclass(frozen=True, slots=True)
class Numbers:
    """Several numbers that `each` takes, such as `1,2,0.5`."""

    each: Number

    def of(self, value: Any) -> tuple[float, ...]:
        """Take any sequence of them but a text."""
        try:
            if isinstance(value, str | bytes):
                raise Unfit
            return tuple(self.each.of(number) for number in value)
        except (TypeError, Unfit):
            raise self._unfit(value) from None

    def read(self, text: str) -> tuple[float, ...]:
        """Read numbers with commas between them."""
        try:
            return tuple(self.each.read(part) for part in text.split(","))
        except Unfit:
            raise self._unfit(text) from None

    def _unfit(self, value: Any) -> Unfit:
        return Unfit(f"must be several, such as 1,2,0.5, each {self.each.rule}, not {shown(value)}")


ABOVE_0_UP_TO_1 = Number("a number above 0, up to 1", lambda x: 0 < x <= 1)


SCHEDULES: dict[str, tuple[tuple[Limit, str | None], ...]] = {
    "step": ((Whole(1), None), (POSITIVE, None)),
    "cosine": ((SHARE, "0"),),
    "warm_up": ((Whole(1), None), (ABOVE_0_UP_TO_1, "0.1")),
}
"""The numbers of a schedule, each with its limit and what it is where it is left out."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a learning rate changes: `step:EVERY:FACTOR`, `cosine[:LEAST]`, `warm_up:LENGTH[:FIRST]`.

    The plain form names all its numbers: `cosine:0`.
    """

    def of(self, value: Any) -> str:
        """Take a text."""
        if isinstance(value, str):
            return self.read(value)
        raise self._unfit(value)

    def read(self, text: str) -> str:
        """Return the text with all its numbers."""
        kind, *given = text.split(":")
        due = SCHEDULES.get(kind, ())
        numbers = given + [default for _, default in due[len(given) :] if default is not None]
        if not due or len(numbers) != len(due):
            raise self._unfit(text)
        try:
            for (limit, _), number in zip(due, numbers, strict=True):
                limit.read(number)
        except Unfit:
            raise self._unfit(text) from None
        return ":".join([kind, *numbers])

    def _unfit(self, value: Any) -> Unfit:
        return Unfit(
            "must be step:EVERY:FACTOR, cosine, cosine:LEAST, warm_up:LENGTH or "
            f"warm_up:LENGTH:FIRST, not {shown(value)}"
        )


def words_of(limit: Limit) -> Sequence[str]:
    """Return the words that a limit lists, if it is a list of words."""
    inner = limit.limit if isinstance(limit, Maybe) else limit
    return inner.words if isinstance(inner, Choice | FormatName | ActivationName) else ()

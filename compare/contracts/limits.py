"""What a setting may be: one rule for each, with one sentence for the command and for Python.

A limit takes a value from Python (`of`) or from a command line (`read`) and returns its plain form.
What does not fit raises `Unfit`; its text begins with "must be", because the setting's name stands
before it: `--seed: must be ...` in the shell, `seed: must be ...` in Python.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike, fspath
from typing import Any, Protocol

from compare.contracts.errors import BadInput

LARGEST = 2**31 - 1
"""Sizes and counts end where a C int ends: the BLAS takes no more."""
LONGEST = 60
"""Characters of a wrong value that a message shows."""


class Unfit(ValueError):
    """A value that a limit refuses; the text begins with "must be"."""


class Limit(Protocol):
    """The rule of one setting."""

    def of(self, value: Any) -> Any:
        """Return the plain form of a value; raises `Unfit`."""

    def read(self, text: str) -> Any:
        """Return the value that a text on a command line means; raises `Unfit`."""


def fitted(name: str, limit: Limit, value: Any) -> Any:
    """Return the plain form of the argument `name`; raises `BadInput`."""
    try:
        return limit.of(value)
    except Unfit as problem:
        raise BadInput(f"{name}: {problem}") from None


def shown(value: Any) -> str:
    """Return a value as a message shows it: on one line, and not without end."""
    text = repr(value).replace("\n", " ")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean relu?` if one of the known words is close, else nothing."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers from `least` to LARGEST."""

    least: int

    def of(self, value: Any) -> int:
        """Take any integer type but bool."""
        if self.takes(value):
            return int(value)
        raise self._unfit(value)

    def takes(self, value: Any) -> bool:
        """Whether a value fits."""
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        return bool(whole and self.least <= value <= LARGEST)

    def read(self, text: str) -> int:
        """Read decimal digits."""
        found = number_in(text, int)
        if self.takes(found):
            return int(found)
        raise self._unfit(text)

    def _unfit(self, value: Any) -> Unfit:
        rule = f"a whole number from {self.least} to {LARGEST}"
        return Unfit(f"must be {rule}, not {shown(value)}")


@dataclass(frozen=True, slots=True)
class Number:
    """The real numbers that `rule` describes and `accepts` accepts."""

    rule: str
    accepts: Callable[[float], bool]

    def of(self, value: Any) -> float:
        """Take any real type but bool."""
        if isinstance(value, Real) and not isinstance(value, bool):
            found = as_float(value)
            if self.accepts(found):
                return found
        raise self._unfit(value)

    def read(self, text: str) -> float:
        """Read what `float` reads."""
        found = number_in(text, float)
        if isinstance(found, float) and self.accepts(found):
            return found
        raise self._unfit(text)

    def _unfit(self, value: Any) -> Unfit:
        return Unfit(f"must be {self.rule}, not {shown(value)}")


POSITIVE = Number("a finite number above 0", lambda x: 0 < x < math.inf)
FINITE = Number("a finite number", math.isfinite)
SHARE = Number("a number from 0 up to, but not including, 1", lambda x: 0 <= x < 1)
LONGEST_WAIT = 10_000_000
"""Seconds, four months: far beyond, the timers of the system overflow."""
SECONDS = Number(
    f"a number of seconds above 0, at most {LONGEST_WAIT:,}", lambda x: 0 < x <= LONGEST_WAIT
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several words."""

    words: tuple[str, ...]

    def of(self, value: Any) -> str:
        """Take one of the words."""
        if isinstance(value, str) and value in self.words:
            return str(value)
        hint = did_you_mean(value, self.words) if isinstance(value, str) else ""
        raise Unfit(f"must be one of {', '.join(self.words)}, not {shown(value)}{hint}")

    def read(self, text: str) -> str:
        """Take one of the words."""
        return self.of(text)


@dataclass(frozen=True, slots=True)
class Text:
    """A name or a path."""

    rule: str = "a name"

    def of(self, value: Any) -> str:
        """Take a string, or a path as one."""
        if isinstance(value, str | PathLike):
            text = fspath(value)
            if isinstance(text, str) and "\0" not in text:
                return text
        raise Unfit(f"must be {self.rule}, not {shown(value)}")

    def read(self, text: str) -> str:
        """Take the text as it is."""
        return self.of(text)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or False."""

    def of(self, value: Any) -> bool:
        """Take a bool."""
        if isinstance(value, bool):
            return value
        raise Unfit(f"must be True or False, not {shown(value)}")

    def read(self, text: str) -> bool:
        """Read `true` and `false`."""
        found = {"true": True, "false": False}.get(text.lower())
        if found is None:
            raise Unfit(f"must be true or false, not {shown(text)}")
        return found


@dataclass(frozen=True, slots=True)
class Maybe:
    """What `limit` takes, or None; None cannot be written on a command line."""

    limit: Limit

    def of(self, value: Any) -> Any:
        """Take None, or what the limit takes."""
        return None if value is None else self.limit.of(value)

    def read(self, text: str) -> Any:
        """Read what the limit reads."""
        return self.limit.read(text)


def number_in(text: str, kind: Callable[[str], Any]) -> Any:
    """Return the number that a text is, or the text itself, which no limit of numbers accepts."""
    try:
        return kind(text)
    except ValueError:
        return text


def as_float(value: Any) -> float:
    """Return a real number as a float, NaN if it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.nan

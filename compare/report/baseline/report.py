"""What a comparison with a baseline found, and its words: settings first, then numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare.contracts.result import ExitCode, Verdict, Weak
from compare.report import words
from compare.report.report_json import encode, plain


@dataclass(frozen=True, slots=True)
class Change:
    """A setting, or a fact of the machine, that is not what it was; None where there is none."""

    name: str
    before: Any
    now: Any


@dataclass(frozen=True, slots=True)
class Moment:
    """One number at one epoch, then and now."""

    epoch: int
    before: float
    now: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Movement:
    """A number that moved beyond its allowance: where first, where most, and at the end."""

    what: str
    first: Moment
    worst: Moment
    last: Moment


@dataclass(frozen=True, slots=True)
class BaselineReport:
    """A run held against a baseline.

    `largest` is the largest movement of all in multiples of its allowance, with what and where;
    `equal` is true if every number is the same to the last bit. `lacking` says what only one of
    the two has, where the rest agrees.
    """

    path: Path
    verdict: Verdict
    settings: tuple[Change, ...]
    environment: tuple[Change, ...]
    moved: tuple[Movement, ...]
    weak: tuple[Weak, ...]
    compared: int
    equal: bool
    largest: tuple[str, Moment] | None
    lacking: tuple[str, ...] = ()
    unit: str = "epoch"

    @property
    def exit_code(self) -> ExitCode:
        """1 for a difference beyond allowance, 3 if nothing could be decided."""
        return {
            Verdict.AGREES: ExitCode.AGREES,
            Verdict.DISAGREES: ExitCode.DISAGREES,
            Verdict.UNDECIDABLE: ExitCode.UNDECIDABLE,
        }[self.verdict]

    def sentence(self) -> str:
        """Return the outcome in one sentence."""
        epochs = words.count(self.compared, self.unit)
        if self.moved:
            first = min(self.moved, key=lambda movement: movement.first.epoch)
            what = words.count(len(self.moved), "number moved", "numbers moved")
            since = self._since(first.first.epoch)
            return f"{what} beyond allowance, {since} ({first.what})"
        if self.lacking:
            return f"not everything was compared: {'; '.join(self.lacking)}"
        if self.verdict is Verdict.UNDECIDABLE:
            return f"nothing could be decided at {epochs}: see the weak points"
        if self.equal:
            return f"equal to the last bit at {epochs}"
        return f"agrees at {epochs}, {self._largest()}"

    def _largest(self) -> str:
        if self.largest is None:
            return "with nothing to compare"
        what, at = self.largest
        return (
            f"largest movement {words.times_allowance(at.ratio)} ({what}, {self.unit} {at.epoch})"
        )

    def _since(self, epoch: int) -> str:
        """Return since when: a run goes on from there, points have no order."""
        return f"from epoch {epoch} on" if self.unit == "epoch" else f"first at point {epoch}"

    def lines(self) -> Iterator[str]:
        """Yield everything to be told, changed settings before any number."""
        yield from (change_line("setting", change) for change in self.settings)
        yield from (change_line("machine", change) for change in self.environment)
        for movement in self.moved:
            yield from self._moved(movement)
        yield from (f"weak: {weak.reason}" for weak in self.weak)
        yield f"baseline {self.path}: {self.sentence()}"

    def _moved(self, movement: Movement) -> Iterator[str]:
        """Yield what moved, since when, how far, and the values then and now."""
        first, worst = movement.first, movement.worst
        there, most = words.times_allowance(first.ratio), words.times_allowance(worst.ratio)
        yield f"{movement.what} moved {self._since(first.epoch)}, {there}; at most {most}:"
        for moment in dict.fromkeys((first, worst, movement.last)):
            yield f"  {self.unit} {moment.epoch}: was {moment.before!r}, is {moment.now!r}"

    def text(self) -> str:
        """Return the lines as one text."""
        return "\n".join(self.lines())


def change_line(label: str, change: Change) -> str:
    """Return a change in one line."""
    before, now = (
        "none" if value is None else encode(plain(value)) for value in (change.before, change.now)
    )
    return f"{label} changed: {change.name} was {before}, is {now}"

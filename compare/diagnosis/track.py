"""One parameter through consecutive records: what was seen of it, and what a step predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.arrays import Array
from compare.diagnosis.match import only_by, ratios
from compare.mistakes.step_mistake import StepMistake, with_two
from compare.textbook.pair import Pair, exact
from compare.textbook.plain_optimisers import decayed
from compare.textbook.step import Moment, Stepped, right_step


class Recorded(Protocol):
    """What the replay needs of a record: where training stood before an update."""

    @property
    def update(self) -> int: ...
    @property
    def parameters(self) -> Mapping[str, Array]: ...
    @property
    def gradients(self) -> Mapping[str, Array]: ...
    @property
    def state(self) -> Mapping[str, Array]: ...


@dataclass(frozen=True)
class Settings:
    """What the update was declared to be; `start` is the first velocity, zeros where absent.

    `before`: what clipping and decay it has before the momentum, if any.
    """

    learning_rate: float
    momentum: float
    form: str
    start: Mapping[str, Array]
    before: OptimiserStep | None = None


@dataclass(frozen=True)
class Version:
    """A way to update: the mistake with its constant, a second one beside it, or the right one."""

    mistake: StepMistake | None = None
    constant: float | None = None
    beside: StepMistake | None = None

    @property
    def made(self) -> tuple[StepMistake, ...]:
        """Return the mistakes."""
        return tuple(one for one in (self.mistake, self.beside) if one is not None)

    @property
    def step(self) -> Callable[[Moment], Stepped]:
        """Return the update of one parameter."""
        mistake, beside = self.mistake, self.beside
        if mistake is None:
            return right_step
        if beside is None:
            return lambda now: mistake.step(now, self.constant)
        return lambda now: now.after(with_two(mistake, self.constant, beside)["update"])

    @property
    def bound(self) -> tuple[float, ...]:
        """Return the constant as the arguments a mistake takes after the others."""
        return () if self.constant is None else (self.constant,)

    @property
    def measured(self) -> bool:
        """Return whether the constant was read off the numbers, not one that people type."""
        return self.constant is not None and self.constant != float(f"{self.constant:.2e}")

    def start(self, w: Pair, declared: Pair) -> Pair:
        """Return the velocity before the first update."""
        if self.mistake is None or not self.mistake.starts:
            return declared
        return self.mistake.start(w, self.constant)


RIGHT = Version()
MEASURED = 4.0
"""Roundings by which a constant that was read off rounded numbers may be off."""


def widened(pair: Pair, moved: NDArray[np.float64]) -> Pair:
    """Return a prediction with the error of its constant, of which it moved something."""
    return pair.with_more(lambda: MEASURED * pair.arithmetic.unit * np.abs(moved))


class Track:
    """One parameter's records. Where the state was recorded each update starts from it; where
    not, the velocity is carried along from its declared start."""

    def __init__(self, name: str, records: Sequence[Recorded], settings: Settings) -> None:
        self.name, self.records, self.settings = name, records, settings
        self.shape = records[0].parameters[name].shape
        self.dtype = records[0].parameters[name].dtype
        self.velocities = [record.state.get(f"v_{name}") for record in records]
        self.seen = list(self._seen())
        self.right = list(self.predicted(RIGHT))
        self.wrong = self.ratio(RIGHT) > 1.0

    @property
    def recorded(self) -> bool:
        """Return whether every velocity was, so that each update starts from a known one."""
        return all(v is not None for v in self.velocities)

    def ratio(self, version: Version) -> float:
        """Return the worst ratio of everything seen of this parameter."""
        pairs = zip(self.seen, self.predicted(version), strict=True)
        return max((float(ratios(a, p).max(initial=0.0)) for a, p in pairs), default=0.0)

    def fits(self, version: Version) -> bool:
        """Return whether a version reproduces everything seen; the first that it does not ends
        it."""
        pairs = zip(self.seen, self.predicted(version), strict=True)
        return all(float(ratios(a, p).max(initial=0.0)) <= 1.0 for a, p in pairs)

    def explained(self, version: Version) -> int:
        """Return how many entries only this version explains."""
        told = zip(self.seen, self.right, self.predicted(version), strict=True)
        return sum(only_by(seen, right, mistaken) for seen, right, mistaken in told)

    def predicted(self, version: Version) -> Iterator[Pair]:
        """Yield the prediction of everything seen, in the same order.

        Records that begin later tell nothing about the first velocity or the gradient before.
        """
        first = self.records[0].update == 0
        earlier = self._exact(np.zeros(self.shape)) if first else self._unknown()
        v = self._start(version) if first else self._unknown()
        if self.velocities[0] is not None:
            yield v
        for index, record in enumerate(self.records[:-1]):
            recorded = self.velocities[index]
            carried = v if recorded is None else self._exact(recorded)
            fresh = first and index == 0 and not carried.value.any()
            now = self._moment(record, carried, earlier, fresh)
            w, v = version.step(now)
            earlier = now.dw
            yield widened(w, w.value - now.w.value) if version.measured else w
            if self.velocities[index + 1] is not None:
                yield widened(v, v.value) if version.measured else v

    def _seen(self) -> Iterator[NDArray[Any]]:
        if self.velocities[0] is not None:
            yield self.velocities[0]
        for record, v in zip(self.records[1:], self.velocities[1:], strict=True):
            yield record.parameters[self.name]
            if v is not None:
                yield v

    def _start(self, version: Version) -> Pair:
        declared = self.settings.start.get(f"v_{self.name}", np.zeros(self.shape))
        return version.start(
            self._exact(self.records[0].parameters[self.name]), self._exact(declared)
        )

    def _moment(self, record: Recorded, v: Pair, earlier: Pair, first: bool) -> Moment:
        s, name = self.settings, self.name
        w, dw = self._exact(record.parameters[name]), self._exact(record.gradients[name])
        own = getattr(record, "learning_rate", None)
        rate = s.learning_rate if own is None else own
        if s.before is not None:
            dw = s.before.clipping.pairs(record.gradients)[name]
            w, dw = decayed(w, dw, s.before.at(rate).settings_of(name))
        return Moment(name, w, dw, v, earlier, rate, s.momentum, s.form, first)

    def _exact(self, array: NDArray[Any]) -> Pair:
        return exact(array, self.dtype)

    def _unknown(self) -> Pair:
        return Pair(np.zeros(self.shape), np.full(self.shape, np.inf), self.dtype)

"""Whether a computation, right or mistaken, reproduces the numbers seen.

Agreement is |seen - value| <= 1 × allowance for every entry of every tensor. Infinities and NaN
must stand at the same places; only an entry whose allowance is unbounded may be anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.diagnosis.observation import Observation
from compare.textbook import Override, Pair, Pass

Overrides = frozenset[Override]
LARGE = 1 << 17
"""Entries from which a gradient is dropped after its comparison; nothing else needs it."""


def ratios(seen: NDArray[Any], pair: Pair) -> NDArray[np.float64]:
    """Return |seen - value| / allowance, entry by entry; another shape is infinitely far."""
    if seen.shape != pair.shape:
        return np.array(np.inf)
    entries = np.asarray(seen, dtype=np.float64)
    with np.errstate(all="ignore"):
        difference = np.abs(entries - pair.value)
        quotient = np.where(difference == 0.0, 0.0, difference / pair.allowance)
    equal = (entries == pair.value) | (np.isnan(entries) & np.isnan(pair.value))
    quotient = np.where(np.isfinite(entries) & np.isfinite(pair.value), quotient, np.inf)
    found: NDArray[np.float64] = np.where(equal | np.isposinf(pair.allowance), 0.0, quotient)
    return found


class Case:
    """One observation and every pass made to explain it; a comparison is made once."""

    def __init__(self, observation: Observation) -> None:
        self.observation = observation
        self.point = observation.point
        self.seen = observation.seen
        self.right = Pass(observation.point)
        self.known: dict[tuple[str, Overrides], float] = {}
        self.wrong = {name: self.ratio(name, frozenset()) > 1.0 for name in observation.order}

    @property
    def disagrees(self) -> bool:
        """Return whether the right computation fails to reproduce what was seen."""
        return any(self.wrong.values())

    @property
    def finite(self) -> bool:
        """Return whether every number seen is finite."""
        return all(bool(np.isfinite(array).all()) for array in self.seen.values())

    def ratio(self, name: str, overrides: Overrides) -> float:
        """Return the worst ratio of the tensor `name` under `overrides`."""
        net = self.right.having(overrides)
        stage, layer = net.stage_of(name)
        relevant = net.relevant(stage, layer)
        key = (name, relevant)
        if key not in self.known:
            self.known[key] = float(ratios(self.seen[name], net.get(stage, layer)).max(initial=0.0))
            if self.seen[name].size > LARGE:
                net.forget(stage, layer)
        return self.known[key]

    def reproduced(self, overrides: Overrides) -> bool:
        """Return whether every tensor is reproduced; stops at the first that is not."""
        return all(self.ratio(name, overrides) <= 1.0 for name in self.observation.order)

    def worst(self, overrides: Overrides) -> float:
        """Return the worst ratio of all tensors."""
        return max(self.ratio(name, overrides) for name in self.observation.order)

    def explained(self, overrides: Overrides) -> int:
        """Return how many entries only the mistake explains."""
        net = self.right.having(overrides)
        names = [name for name, wrong in self.wrong.items() if wrong]
        return sum(
            only_by(self.seen[name], self.right.named(name), net.named(name)) for name in names
        )


def only_by(seen: NDArray[Any], right: Pair, mistaken: Pair) -> int:
    """Return how many entries are wrong and would be so with the mistake's allowance too.

    An allowance that would excuse anything explains nothing.
    """
    if seen.shape != right.shape:
        return seen.size
    excused = Pair(right.value, mistaken.allowance, right.dtype)
    return int(((ratios(seen, right) > 1.0) & (ratios(seen, excused) > 1.0)).sum())


def telling(cases: Sequence[Case]) -> list[Case]:
    """Return the cases in which something is wrong, those with finite numbers first."""
    wrong = [case for case in cases if case.disagrees]
    return sorted(wrong, key=lambda case: not case.finite)

"""Diagnosis of the curves: which other curve was drawn in place of the right one?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike

from compare.checks.ratio import ratio
from compare.contracts.arrays import Float, Mask
from compare.contracts.result import Diagnosis
from compare.diagnosis.alternatives import reproducing
from compare.mistakes.reporting import REPORTING, CurveMistake, Curves
from compare.textbook.pair import arithmetic_of

ENOUGH = 3
"""Two mistakes together are named only where every wrong curve shows so many points."""


def diagnose_curves(
    manual: Mapping[str, ArrayLike],
    reference: Mapping[str, ArrayLike],
    allowance: Mapping[str, ArrayLike] | None = None,
    logged: Mapping[str, Mask] | None = None,
) -> tuple[Diagnosis, ...]:
    """Return the mistake of reporting, or two, that turn the reference's curves into the manual.

    Both map curve names (`train_loss`, `train_accuracy`, `validation_loss`, ..., `test_loss`) to
    one value per epoch boundary. `reference` may hold further curves, those of `STAND_INS`.
    `allowance`: per curve, a value or one per point; without it only the rounding of the numbers
    themselves is allowed. `logged`: per curve, which points there are; all without it.
    """
    seen = {name: np.asarray(curve, dtype=np.float64) for name, curve in manual.items()}
    right = {name: np.asarray(curve, dtype=np.float64) for name, curve in reference.items()}
    allowed = {name: np.asarray((allowance or {}).get(name, 0.0)) for name in seen}
    held = Held(seen, allowed, logged or {}, tuple(sorted(seen.keys() & right.keys())))
    before = held.distances(right)
    wrong = [name for name, far in before.items() if far > 1.0]
    if not wrong:
        return ()
    worst = max(before.values())
    tried = (
        (mistake, None, held.left(drawn, wrong)) for mistake, drawn in told_apart(held.names, right)
    )
    return reproducing(tried, worst) or two_of(held, right, wrong, worst)


def told_apart(names: Sequence[str], right: Curves) -> Iterator[tuple[CurveMistake, Curves]]:
    """Yield every mistake with what it draws, but for those that draw what an earlier one does:
    where a file has no training accuracy, all of the training is its loss."""
    before: list[Curves] = []
    for mistake in REPORTING:
        drawn = mistake.curves(right)
        if not any(
            all(np.array_equal(drawn[name], one[name], equal_nan=True) for name in names)
            for one in before
        ):
            yield mistake, drawn
        before.append(drawn)


@dataclass(frozen=True, slots=True)
class Held:
    """The curves that were drawn, held against any others."""

    seen: Curves
    allowed: Curves
    logged: Mapping[str, Mask]
    names: tuple[str, ...]

    def distances(self, expected: Curves) -> dict[str, float]:
        """Return the worst |seen - expected| / allowance of every curve."""
        return {name: self.distance(name, expected[name]) for name in self.names}

    def distance(self, name: str, expected: Float) -> float:
        """Return the worst |seen - expected| / allowance of one curve."""
        compared, unit = self.compared(name, expected), arithmetic_of(np.dtype(np.float64)).unit
        difference = np.abs(self.seen[name] - expected)[compared]
        scale = (self.allowed[name] + unit * np.abs(expected))[compared]
        return float(ratio(difference, scale).max(initial=0.0))

    def compared(self, name: str, expected: Float) -> Mask:
        """Return which points are compared: of one expected to be NaN nothing is known."""
        known: Mask = ~np.isnan(expected) & self.logged.get(name, np.True_)
        return known

    def left(self, drawn: Curves, wrong: list[str], enough: int = 1) -> float:
        """Return the worst ratio beside `drawn`, infinity where that shows too few points."""
        points = {name: int(self.compared(name, drawn[name]).sum()) for name in self.names}
        if sum(points.values()) <= 1 or any(points[name] < enough for name in wrong):
            return np.inf
        return max(self.distances(drawn).values())


def two_of(held: Held, right: Curves, wrong: list[str], before: float) -> tuple[Diagnosis, ...]:
    """Return two mistakes that explain the curves together, the one made first in front."""
    for first, second in permutations(REPORTING, 2):
        once = {**right, **first.curves(right)}
        after = held.left(second.curves(once), wrong, ENOUGH)
        if after <= 1.0:
            both = ((first, None, after), (second, None, after))
            return tuple(found for one in both for found in reproducing([one], before))
    return ()

"""Many nearly equal terms in one sum: they round alike, as if they were equal.

A term loses what it has below the last digit of the partial sum it is added to. Terms that differ
by less than that digit lose the same, so their errors do not add up in squares (measured: a sum of
2,000 cross-entropies near log K, added one after the other, is 3 times as far off as independent
errors would be).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Real = NDArray[np.floating]

SAMPLE = 64
"""Terms looked at to find out whether many of a long sum are equal."""
SMALLEST = 20
"""Groups of less than one term in so many are not seen."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many terms of each column lie so close together that they count as equal.

    `share`: of all terms, (H,); `slack`: by how much they may be multiplied differently and still
    count as equal, the largest of all columns.
    """

    share: Float
    slack: float


def crowding(columns: Real, digit: Float | float) -> Crowd | None:
    """Return the crowd in each column, (N, H), or None if there is none in any.

    `digit`: (H,), the size of the last digit of the partial sums. Terms below it lose no more than
    themselves, and count less.
    """
    sample = np.sort(columns[:: (len(columns) - 1) // SAMPLE + 1], axis=0)
    lag = len(sample) // SMALLEST + 1
    low, high = sample[:-lag], sample[lag:]
    close = high - low <= digit / 2
    if not close.any():
        return None
    size = np.maximum(high, -low)
    close &= size > digit / 16
    members = np.add.reduce(close)
    if not members.any():
        return None
    lost = np.where(close, size / digit, 0.0)
    share = np.minimum(lost.max(axis=0), 1.0) * np.where(members, (members + lag) / len(sample), 0)
    return Crowd(share, min(1.0, float((1 / lost[close]).max())))

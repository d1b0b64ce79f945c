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

from compare.allowance.sample import sampled

Float = NDArray[np.float64]
Real = NDArray[np.floating]

SAMPLE, SAMPLE_IF_WIDE, WIDE = 64, 24, 128
"""Terms looked at to find out how many of a long sum are nearly equal; fewer in many columns."""
NOTHING = 1 / 16
"""Terms smaller than this part of the digit lose so little that they do not count."""
RARE = 4.0
"""With fewer terms like it than this, on average, a term counts as independent."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many terms of each column lie so close together that they count as equal.

    `alike`: the probability that two terms do, (H,), which for groups of equal terms is the sum of
    the squares of their shares; `slack`: by how much terms may be multiplied differently and still
    count as equal, the largest of all columns.
    """

    alike: Float
    slack: float


def crowding(columns: Real, digit: Float | float) -> Crowd | None:
    """Return the crowd in each column, (N, H), or None if there is none in any.

    `digit`: (H,), the size of the last digit of the partial sums. Terms below it lose no more than
    themselves, and count less. Sorted, nearly equal terms stand side by side.
    """
    most = SAMPLE if columns.shape[1] <= WIDE else SAMPLE_IF_WIDE
    sample = np.sort(columns[sampled(len(columns), most)], axis=0)  # (M, H)
    pairs, slack = np.zeros(sample.shape[1]), 0.0
    near = digit / 2
    for lag in range(1, len(sample)):
        low, high = sample[:-lag], sample[lag:]
        close = high - low <= near
        if not np.count_nonzero(close):
            break
        size = np.maximum(high, -low)
        close &= size > digit * NOTHING
        if close.any():
            lost = np.divide(size, digit, out=np.zeros(size.shape), where=close)
            pairs += np.square(np.minimum(lost, 1.0)).sum(axis=0)
            slack = max(slack, float((1 / lost[close]).max()))
    if slack == 0.0:
        return None
    alike = 2 * pairs / (len(sample) * (len(sample) - 1))
    return Crowd(alike, min(slack, 1.0)) if len(columns) * alike.max() > RARE else None

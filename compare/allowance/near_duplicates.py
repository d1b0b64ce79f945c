"""Many nearly equal terms in one sum: they round alike, as if they were equal.

A term loses what it has below the last digit of the partial sum it is added to. Terms that differ
by less than that digit lose the same, so their errors do not add up in squares (measured: a sum of
2,000 cross-entropies near log K, added one after the other, is 3 times as far off as independent
errors would be).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from compare.allowance.alike import RARE
from compare.allowance.sample import sampled
from compare.contracts.arrays import Float, Real

SAMPLE, SAMPLE_IF_WIDE, WIDE = 64, 24, 128
"""Terms looked at to find out how many of a long sum are nearly equal; fewer in many columns."""
NOTHING = 1 / 4
"""N terms smaller than `NOTHING / sqrt(N)` of the digit lose, all together, less than a fifth of
what their sum may round if they are independent: they do not count."""


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """How many terms of each column lie so close together that they round alike.

    `share`: the probability that two terms do, (H,), which for groups of equal terms is the sum of
    the squares of their shares; `slack`: by how much terms may be multiplied differently and still
    count as equal, the largest of all columns.
    """

    share: Float
    slack: float


def near_duplicates(
    terms: Real, digit: Float | float, count: int | None = None
) -> NearDuplicates | None:
    """Return the near-duplicates in each column of `terms`, (N, H), or None if no column has any.

    `digit`: (H,), the size of the last digit of the partial sums. Terms below it lose no more than
    themselves, and count less. `count`: of how many terms these are a sample, if they are. Sorted,
    nearly equal terms stand side by side: a pair that counts has one among its neighbours on the
    way, which is as large and closer, so where none at one distance counts none farther apart does.
    """
    sample = terms if count else terms[sampled(len(terms), most_looked_at(terms))]
    sample = np.sort(sample, axis=0)  # (M, H)
    pairs, slack = np.zeros(sample.shape[1]), 0.0
    near, nothing = digit / 2, digit * (NOTHING / sqrt(count or len(terms)))
    for lag in range(1, len(sample)):
        low, high = sample[:-lag], sample[lag:]
        close = high - low <= near
        size = np.maximum(high, -low)
        close &= size > nothing
        if not np.count_nonzero(close):
            break
        parts = np.divide(size, digit, out=np.zeros(size.shape), where=close)
        pairs += np.square(lost(parts)).sum(axis=0)
        slack = max(slack, float((1 / parts[close]).max()))
    if slack == 0.0:
        return None
    share = 2 * pairs / (len(sample) * (len(sample) - 1))
    frequent = (count or len(terms)) * share.max() > RARE
    return NearDuplicates(share, min(slack, 1.0)) if frequent else None


def most_looked_at(terms: Real) -> int:
    """Return how many rows of `terms` tell enough."""
    return SAMPLE if terms.shape[1] <= WIDE else SAMPLE_IF_WIDE


def lost(parts: Float) -> Float:
    """Return what terms of so many last digits lose, in halves of a digit: at most themselves."""
    return np.minimum(2 * parts, 1.0)

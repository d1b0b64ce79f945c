"""How often a row or a unit occurs: equal rows err equally, so their errors add up, not in squares.

"Errors add in squares" holds for independent errors. A batch of N equal rows makes one error N
times, and the honest ratio grows like sqrt(N) (measured: 20.8 at N = 8,192 without this file). A
row that occurs m times therefore weighs m times in every sum of squares.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from compare.allowance.sample import sampled
from compare.allowance.squares import blocks
from compare.contracts.arrays import Float, Real

SAMPLE = 64
"""Rows looked at to find out how many are near-duplicates."""
GRAM = 1e-6
"""Distances from products of norms are right to 1e-8; nearer pairs are subtracted."""
RARE = 4.0
"""With fewer terms like it than this, on average, a term counts as independent."""
COARSE = 2.0**22
"""Sums that agree to this many parts belong to equal items, computed in another order perhaps."""
LAST_DIGITS = 8
"""Rows whose logits differ by no more than so many roundoffs of the largest count as equal."""


def multiplicities(keys: NDArray[np.generic]) -> Float | None:
    """Return for each key how often it occurs, (N,), or None if all differ."""
    order = np.sort(keys)
    if not np.count_nonzero(order[1:] == order[:-1]):
        return None
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    times: Float = counts[inverse].astype(np.float64)
    return times


def largest_multiplicity(squares: Float) -> float:
    """Return how often the most frequent non-zero number occurs: equal columns have equal norms.

    Up to the last digits, in which a BLAS may add up equal columns differently.
    """
    order = np.sort(squares)
    if not np.count_nonzero(order[:-1] > order[1:] * (1 - 1 / COARSE)):
        return 1.0
    times = multiplicities(coarse(order[order > 0]))
    return 1.0 if times is None else float(times.max())


def coarse(keys: Float) -> Float:
    """Round numbers to `COARSE` parts."""
    mantissa, exponent = np.frexp(keys)
    return np.ldexp(np.round(mantissa * COARSE), exponent)


def row_identities(x: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return a number per row of `x`, (N,), equal for equal rows; made once per data set."""
    keys = np.empty(len(x), np.uint64)  # 8 bytes: of 10 million rows two meet once in 400,000 times
    for rows, block in blocks(x):
        whole = np.add(block, 0.0, order="C")  # -0.0 is 0.0
        keys[rows] = [int.from_bytes(blake2b(row, digest_size=8).digest()) for row in whole]
    _, identities = np.unique(keys, return_inverse=True)
    return identities


def row_keys(rows: NDArray[np.floating]) -> Float:
    """Return one number per row, (N,), equal for equal rows: a sum with irrational weights."""
    keys: Float = rows @ irrationals(rows.shape[1])
    return keys


@lru_cache(maxsize=16)
def irrationals(count: int) -> Float:
    """Return `count` numbers of which no two short sums are equal."""
    return np.sqrt(np.arange(2, count + 2, dtype=np.float64))


def near_duplicate_rows(x: NDArray[np.floating], apart: float) -> tuple[float, float] | None:
    """Return the share of pairs of rows of `x` that are near, and how far apart those are.

    Near are rows of which no two differ by more than `apart`, relative to their norms. None: fewer
    than `RARE` rows are near to each, on average.
    """
    rows = x[sampled(len(x), SAMPLE)].astype(np.float64)  # (M, F)
    sizes = np.vecdot(rows, rows)
    distance = sizes[:, None] + sizes - 2 * rows @ rows.T  # right to last digits of the sizes
    one, other = np.nonzero(np.triu(distance <= max(apart, GRAM) ** 2 * sizes, 1))
    relative = np.sqrt(np.square(rows[one] - rows[other]).sum(axis=1) / sizes[one])
    near = relative <= apart
    share = float(np.count_nonzero(near)) / (len(rows) * (len(rows) - 1) / 2 or 1)
    return (share, float(np.median(relative[near]))) if share * len(x) > RARE else None


def row_weights(times: Float | None, logits: Real, largest: float, roundoff: float) -> Float | None:
    """Return the weight of every row of a batch, (N,): how many rows are like it. None: only it.

    Like it are those that are equal in `x`, `times` of them, and those whose logits, (K, N) and at
    most `largest` in size, are equal up to the last digits: different inputs can have equal logits
    (a dead layer, tiny weights), and then share the error of everything that follows.
    """
    weights = near_rows(logits, LAST_DIGITS * roundoff * largest)
    if weights is None or times is None:
        return times if weights is None else weights
    return np.maximum(times, weights)


def near_rows(logits: Real, near: float) -> Float | None:
    """Return how many rows, (K, N), are within `near` of each, (N,), or None if all are apart.

    Near rows have near keys, so only neighbours in the order of the keys are looked at.
    """
    weights = irrationals(len(logits))
    keys, gap = weights @ logits, near * float(np.add.reduce(weights))
    ordered = np.sort(keys)
    close = np.flatnonzero(ordered[1:] - ordered[:-1] <= gap)
    if not len(close):
        return None
    order = np.argsort(keys)
    beside = np.abs(logits[:, order[close]] - logits[:, order[close + 1]])  # (K, M)
    apart = np.maximum.reduce(beside) > near
    if np.count_nonzero(apart) == len(apart):
        return None
    first = np.ones(len(keys), dtype=np.int64)
    first[close[~apart] + 1] = 0
    group = np.cumsum(first)
    times = np.empty(len(keys))
    times[order] = np.bincount(group)[group]
    return times

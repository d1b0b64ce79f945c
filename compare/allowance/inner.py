"""What the sums over a layer's units round, learnt from a few rows of the product.

The order of the units is the same in every row, and weights are equal or not whatever the row, so
what the terms of a few rows come to stands for all. Three things are looked at:

    partial sums     P in the order of the units, as most products add them up
    another order    P is at least half of what the worst order makes it: SIMD lanes, strides and
                     halves add in orders of their own, and honest rounding takes half an allowance
    equal terms      err alike: m of them count as often as `of_alike_terms` says
"""

from __future__ import annotations

import numpy as np

from compare.allowance.near_duplicates import near_duplicates
from compare.allowance.operands import Operand, Picked, Right
from compare.allowance.partial import measured
from compare.allowance.sample import sampled
from compare.allowance.sums import (
    OF_RESULT,
    OF_SUM,
    OF_TERMS,
    additions,
    of_alike_terms,
    worst_factors,
)
from compare.contracts.arrays import Float, Real

OTHER_ORDERS = 1 / 4
"""P**2 is taken to be at least this part of the worst order's, since honest rounding takes no more
than half of an allowance: in the worst order it takes no more than all of it."""
TERMS, ROWS = 32, 4
"""So many terms of a sum, in so many rows, are looked at to find out how many are equal."""


def usual(
    left: Operand, right: Right, total: Real, constant: Float | float, roundoff: float
) -> Float:
    """Return the largest `(times P**2 + 2 S**2) / ||row||**2` of `row @ right`, (H,).

    `total`: all of `left @ right + constant`. P is measured in a few of the rows. S is looked at in
    many: where a row cancels less than these few, its partial sums are larger.
    """
    picked = left.picked
    if picked is None:
        return np.zeros(right.entries.shape[1])
    count = len(right.entries)
    times = additions(count)
    value = total[picked.many] - np.asarray(constant, dtype=total.dtype)  # (M, H)
    value *= picked.inverses  # S / ||row||
    sums = np.square(value[picked.few], dtype=np.float64)  # (8, H)
    partial = measured(picked.left, right.blocked)  # P**2, (8, H)
    partial /= picked.sizes  # first: times / sizes would overflow where rows are tiny
    terms = np.square(np.abs(picked.rows) @ right.absolute, dtype=np.float64)  # T**2, (8, H)
    np.maximum(partial, OTHER_ORDERS * (OF_TERMS * terms + OF_SUM * sums), out=partial)
    found = times * partial + OF_RESULT * sums
    more = equal_terms(picked, right, partial, roundoff)
    found[: len(more)] += more
    least = np.square(np.maximum.reduce(np.abs(value, out=value)), dtype=np.float64)
    least = np.minimum(least, right.columns) * worst_factors(times, 1.0)[1]
    return np.maximum(np.maximum.reduce(found), least)


def equal_terms(picked: Picked, right: Right, partial: Float, roundoff: float) -> Float:
    """Return what equal terms add to `times P**2`, (R, H), in R of the rows.

    `partial`: P**2 of each sum, for a row of norm 1. Terms that differ by less than the last digit
    of the partial sums lose the same in every addition.
    """
    count = len(right.entries)
    units = sampled(count, TERMS)
    rows = picked.rows[:ROWS, units].astype(np.float64)  # (R, M)
    partial = partial[: len(rows)]
    terms = rows.T[:, :, None] * right.entries[units][:, None, :]  # (M, R, H)
    digit = 2 * roundoff * np.sqrt(partial)  # (R, H)
    found = near_duplicates(terms.reshape(len(terms), -1), digit.reshape(-1), count)
    if found is None:
        return np.zeros((1, 1))
    return of_alike_terms(count, count * found.share.reshape(digit.shape)) * partial

r"""What a sum itself rounds: the one rule that decides how wide most allowances are.

Every addition rounds at the size of the partial sum it makes, so n additions err by about
`unit * sqrt(n) P`, with P the root mean square of the partial sums (Higham and Mary 2019). With S
the sum, and its terms and the result rounded as well,

    own**2 = unit**2 ((n + 4) P**2 + 2 S**2)

Where P is not looked at, the order of the terms may be the worst: first all of one sign, then all
of the other. Let T be the sum of the |terms|; for terms of one size that gives

    P**2 = T**2 ((1 + S/T)**3 / 4 - (S/T)**3) / 3 <= T**2 / 8 + 5/8 S**2

(T**2 / 12 if the terms cancel, T**2 / 3 if none does). T is at most the product of the norms.
Otherwise P is measured, in the order in which the terms are handed over: see `cut`.
"""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import NDArray

from compare.allowance.sample import sampled
from compare.allowance.squares import BLOCK, largest_quotients, safe

Float = NDArray[np.float64]
Real = NDArray[np.floating]
Order = NDArray[np.int64] | None
"""In which order rows are added up; None: as they come."""

OF_TERMS, OF_SUM = 1 / 8, 5 / 8
"""Factors of T**2 and S**2 in the worst P**2."""
OF_RESULT = 2.0
"""Factor of S**2 for rounding the result, which is what counts in the shortest sums."""
SHORT = 16
"""Sums of up to this many terms are allowed the error of equal terms, whether they are or not."""
FEW = 8
"""In so many rows of a matrix product the partial sums over its units are measured."""
MANY = 256
"""In so many rows its results are looked at."""


def additions(count: int) -> float:
    """Return as how many roundings of size P a sum of `count` terms counts, the terms' included."""
    return count + 4


def over_batch(count: int) -> float:
    """Return the same for a sum over samples: if they are few, they may all be alike."""
    return additions(count) + (of_alike_terms(count, count) if count <= SHORT else 0)


@overload
def of_alike_terms(count: int, alike: float) -> float: ...
@overload
def of_alike_terms(count: int, alike: Float | float) -> Float | float: ...
def of_alike_terms(count: int, alike: Float | float) -> Float | float:
    """Return as how many roundings `count` terms count beyond their additions.

    `alike`: how many terms are equal to each of them, on average. `s + t` rounds by what t has
    below the last digit of s, the same at every addition until s doubles: equal terms err alike, by
    up to `u P` each and all in one direction, so m of them count m**2 and `count` in groups of m
    count `count * m`. A quarter of that, because honest comparisons use half of the allowance.
    """
    return count * alike / 4


@overload
def own_square(times: float, terms: float, total: float) -> float: ...
@overload
def own_square(times: Float | float, terms: Float | float, total: Float) -> Float: ...
def own_square(times: Float | float, terms: Float | float, total: Float | float) -> Float | float:
    """Return `own**2 / unit**2` of `times` roundings in the worst order, from T**2 and S**2."""
    return times * (OF_TERMS * terms + OF_SUM * total) + OF_RESULT * total


def cut(count: int) -> tuple[int, int]:
    """Return in how many blocks, of how many terms, a sum of `count` terms is looked at.

    About sqrt(n / 2) of them, without the few terms left over. Partial sums at the ends of blocks
    are exact, and count twice; between them the worst order is assumed, which also covers any
    random order.
    """
    blocks = int(np.sqrt(count / 2))
    return blocks, count // blocks


def measured(left: Real, right: Real) -> Float:
    """Return P**2 of every sum `sum_n left_nf right_nh`, (F, H), in the order of the n."""
    blocks, size = cut(len(left))
    a = left[: blocks * size].reshape(blocks, size, -1)
    b = right[: blocks * size].reshape(blocks, size, -1)
    ends = np.cumsum(np.matmul(a.transpose(0, 2, 1), b), axis=0, dtype=np.float64)  # (B, F, H)
    terms = block_squares(a).T @ block_squares(b)  # at least T**2
    return followed(ends, terms)


def block_squares(array: Real) -> Float:
    """Return `sum_n array_bnh**2`, (B, H)."""
    quick: Real = np.einsum("bnh,bnh->bh", array, array)
    if array.dtype == np.float64 or np.logical_and.reduce(safe(quick), axis=None):
        return quick.astype(np.float64, copy=False)
    wide = array.astype(np.float64)
    return np.asarray(np.einsum("bnh,bnh->bh", wide, wide))


def measured_totals(terms: Real, order: Order, squares: Float) -> Float:
    """Return P**2 of every column's sum, (H,), in that order; `squares`: sums of squares, (H,)."""
    blocks, size = cut(len(terms))
    ones, ends = np.ones(size, terms.dtype), np.empty((blocks, terms.shape[1]))
    several = max(1, BLOCK // (size * terms.shape[1]))  # blocks at a time
    for first in range(0, blocks, several):
        part = slice(first * size, min(first + several, blocks) * size)
        some = terms[part if order is None else order[part]]
        ends[first : first + several] = ones @ some.reshape(-1, size, terms.shape[1])
    return followed(np.cumsum(ends, axis=0, out=ends), squares * size)


def followed(ends: Float, terms: Float) -> Float:
    """Return P**2 from the partial sums at the ends of blocks, (B, ...), and from T**2 of each."""
    blocks = len(ends)
    ends *= ends
    square: Float = np.add.reduce(ends)
    square *= 2 / blocks
    square += terms * (OF_TERMS * (blocks + 1) / blocks**2)
    return square


def usual(
    rows: Real, sizes: Float, right: Real, norms: Float, total: Real, constant: Float | float
) -> Float:
    """Return the largest `((n + 4) P**2 + 2 S**2) / ||row||**2` of `row @ right`, (H,).

    P is measured in a few of the rows: the order of the terms is that of the units, the same in
    every row. S is looked at in many: where a row cancels less than these few, its partial sums
    are larger. `sizes`: the rows' sums of squares, (N,); `norms`: those of the columns of `right`,
    (H,); `total`: `rows @ right + constant`.
    """
    some = np.flatnonzero(sizes > 0)
    if not len(some):
        return np.zeros(right.shape[1])
    few, many = (some[sampled(len(some), most)] for most in (FEW, MANY))
    picked = rows[few]
    found = measured(np.ascontiguousarray(picked.T), right)
    found *= additions(len(right))
    found += OF_RESULT * np.square(picked @ right, dtype=np.float64)
    found /= sizes[few][:, None]
    least = np.minimum(largest_quotients(total[many], sizes[many], constant), norms)
    largest: Float = np.maximum.reduce(found)
    return np.maximum(largest, least * own_square(additions(len(right)), 0.0, 1.0))

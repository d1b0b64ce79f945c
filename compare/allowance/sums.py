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

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Self, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from compare.allowance.squares import safe

Float = NDArray[np.float64]
Real = NDArray[np.floating]
Orders = NDArray[np.intp]
"""In which orders, (O, N), rows are added up."""

OF_TERMS, OF_SUM = 1 / 8, 5 / 8
"""Factors of T**2 and S**2 in the worst P**2."""
OF_RESULT = 2.0
"""Factor of S**2 for rounding the result, which is what counts in the shortest sums."""
SHORT = 16
"""Sums of up to this many terms are allowed the error of equal terms, whether they are or not."""


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


@dataclass(frozen=True)
class Blocked:
    """Factors of the terms of many sums, cut into blocks: `entries`, (O, B, M, H), in O orders."""

    entries: Real

    @classmethod
    def of(cls, factors: Real) -> Self:
        """Cut `factors`, (O, n, H)."""
        orders, count, width = factors.shape
        blocks, size = cut(count)
        return cls(factors[:, : blocks * size].reshape(orders, blocks, size, width))

    @cached_property
    def squares(self) -> Float:
        """Sums of squares within each block, (O, B, H)."""
        quick: Real = np.einsum("obnh,obnh->obh", self.entries, self.entries)
        if quick.dtype == np.float64 or np.logical_and.reduce(safe(quick), axis=None):
            return quick.astype(np.float64, copy=False)
        wide = self.entries.astype(np.float64)
        return np.asarray(np.einsum("obnh,obnh->obh", wide, wide))


def measured(left: Blocked, right: Blocked) -> Float:
    """Return P**2 of every sum `sum_n left_nf right_nh`, (O, F, H), in its orders of the n."""
    sums = np.matmul(left.entries.swapaxes(2, 3), right.entries)  # (O, B, F, H)
    terms = np.matmul(left.squares.swapaxes(1, 2), right.squares)  # at least T**2
    return followed(sums, terms)


def measured_totals(terms: Real, squares: Float) -> Float:
    """Return P**2 of every column's sum, (O, H), of `terms`, (O, n, H); `squares`: their sums of
    squares, (H,)."""
    blocked = Blocked.of(terms).entries
    size = blocked.shape[2]
    sums = np.ones(size, terms.dtype) @ blocked  # (O, B, H)
    return followed(sums, squares * size)


def followed(sums: Real, terms: Float) -> Float:
    """Return P**2 from the sums of the blocks, (O, B, ...), and from T**2 of each sum."""
    orders, blocks = sums.shape[:2]
    ends = np.matmul(triangle(blocks, sums.dtype), sums.reshape(orders, blocks, -1))
    square: Float = np.add.reduce(np.square(ends, dtype=np.float64), axis=1)
    square *= 2 / blocks
    square = square.reshape(orders, *sums.shape[2:])
    square += terms * (OF_TERMS * (blocks + 1) / blocks**2)
    return square


@lru_cache(maxsize=64)
def triangle(count: int, dtype: DTypeLike) -> Real:
    """Return the matrix that adds up: a product with it is many times faster than `cumsum`."""
    return np.tri(count, dtype=dtype)

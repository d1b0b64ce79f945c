"""Partial sums of a long sum, looked at at the ends of blocks of its terms.

Errors of a sum of random signs are far below those of the worst order, and an allowance that knows
it sees smaller mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Self

import numpy as np
from numpy.typing import DTypeLike

from compare.allowance.squares import column_squares, safe
from compare.allowance.sums import OF_TERMS
from compare.contracts.arrays import Float, Real


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
    """Factors of the terms of many sums, cut into blocks: `entries`, (B, M, H)."""

    entries: Real

    @classmethod
    def of(cls, factors: Real) -> Self:
        """Cut `factors`, (n, H)."""
        count, width = factors.shape
        blocks, size = cut(count)
        return cls(factors[: blocks * size].reshape(blocks, size, width))

    @cached_property
    def squares(self) -> Float:
        """Sums of squares within each block, (B, H)."""
        quick: Real = np.einsum("bnh,bnh->bh", self.entries, self.entries)
        if quick.dtype == np.float64 or np.count_nonzero(safe(quick)) == quick.size:
            return quick.astype(np.float64, copy=False)
        wide = self.entries.astype(np.float64)
        return np.asarray(np.einsum("bnh,bnh->bh", wide, wide))


def measured(left: Blocked, right: Blocked) -> Float:
    """Return P**2 of every sum `sum_n left_nf right_nh`, (F, H), in the order of the n."""
    sums = np.matmul(left.entries.swapaxes(1, 2), right.entries)  # (B, F, H)
    return followed(sums, left.squares.T @ right.squares)  # these are at least T**2


def measured_totals(terms: Real) -> Float:
    """Return P**2 of every column's sum, (H,), of `terms`, (n, H), in their order."""
    blocked = Blocked.of(terms).entries
    size = blocked.shape[1]
    sums = np.ones(size, terms.dtype) @ blocked  # (B, H)
    return followed(sums, column_squares(terms) * size)


def followed(sums: Real, terms: Float) -> Float:
    """Return P**2 from the sums of the blocks, (B, ...), and from T**2 of each sum."""
    blocks = len(sums)
    ends = triangle(blocks, sums.dtype) @ sums.reshape(blocks, -1)
    square: Float = np.add.reduce(np.square(ends, dtype=np.float64))
    square *= 2 / blocks
    square = square.reshape(sums.shape[1:])
    square += terms * (OF_TERMS * (blocks + 1) / blocks**2)
    return square


@lru_cache(maxsize=64)
def triangle(count: int, dtype: DTypeLike) -> Real:
    """Return the matrix that adds up: a product with it is many times faster than `cumsum`."""
    return np.tri(count, dtype=dtype)

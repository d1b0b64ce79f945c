"""The two factors of a matrix product, and what the rules read of each, found once when asked for.

An `Operand` stands on the left: inputs, hidden values, and on the way back dz. A `Right` stands on
the right: weights, or their transpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from compare.allowance.alike import multiplicities
from compare.allowance.partial import Blocked
from compare.allowance.sample import sampled
from compare.allowance.squares import column_squares
from compare.contracts.arrays import Float, Real

Where = NDArray[np.intp]

INNER = 40
"""From this many units on the partial sums over units are measured, in a few rows."""
FEW = 8
"""In so many rows of a matrix product the partial sums over its units are measured."""
SMALL = 1 << 13
"""Matrices with at most this many entries keep their squares."""
MANY = 256
"""In so many rows its results are looked at."""


@dataclass(frozen=True, slots=True)
class Picked:
    """Many rows of an operand, and a few of them.

    `many`: which rows, (M,); `inverses`: of their norms, (M, 1), in their format; `few`: which of
    them; `sizes`: their sums of squares, (8, 1); `left`: the few rows in blocks of units; `rows`:
    the few rows, each brought to norm 1, (8, n).
    """

    many: Where
    inverses: Real
    few: slice | Where
    sizes: Float
    left: Blocked
    rows: Real


@dataclass(frozen=True)
class Operand:
    """A matrix that is multiplied, (N, H): its entries, and the sums of squares of its rows, (N,).

    `square` and `sizes`, where they are stored: squares and absolute values of the entries. Squares
    of a layer's input are (N, H + 1), with the bias as the weight of an input of 1.
    """

    entries: Real
    rows: Float
    square: Float | None = None
    sizes: Float | None = None

    @cached_property
    def columns(self) -> Float:
        """Sums of squares of the columns, (H,), with a bias (H + 1,)."""
        return column_squares(self.entries) if self.square is None else np.add.reduce(self.square)

    @cached_property
    def picked(self) -> Picked | None:
        """A few of the rows that are not zero, or None if all are."""
        some = np.flatnonzero(self.rows > 0)
        if not len(some):
            return None
        many = some[sampled(len(some), MANY)]
        few, sizes = sampled(len(many), FEW), self.rows[many, None]
        inverses = np.minimum(1 / np.sqrt(sizes), np.finfo(self.entries.dtype).max)
        inverses = inverses.astype(self.entries.dtype)
        rows = self.entries[many[few]]
        left = Blocked.of(np.ascontiguousarray(rows.T))
        return Picked(many, inverses, few, sizes[few], left, rows * inverses[few])


@dataclass(frozen=True)
class Right:
    """What the rules read of a matrix that is multiplied from the right, (n, H).

    `untransposed`: the matrix whose transpose it is, if that has been read before.
    """

    entries: Real
    untransposed: Right | None = None

    @property
    def small(self) -> bool:
        """Whether its squares are as good as free."""
        return self.entries.size <= SMALL

    @property
    def transposed(self) -> Right:
        """The same for the transpose, (H, n)."""
        return Right(self.entries.T, self)

    @cached_property
    def squares(self) -> Float:
        """The squares of all entries, (n, H)."""
        if self.untransposed is not None:
            return self.untransposed.squares.T
        return np.square(self.entries, dtype=np.float64)

    @property
    def absolute(self) -> Real:
        """The absolute values of all entries, (n, H)."""
        return np.abs(self.entries)

    @property
    def often(self) -> Float | None:
        """How often each column occurs, (H,), or None if all differ.

        Equal columns have equal sums of squares; in float32 so have some that are not equal.
        """
        times = multiplicities(self.columns)
        if times is None or self.small or self.entries.dtype == np.float64:
            return times
        return multiplicities(np.add.reduce(self.squares))

    @cached_property
    def blocked(self) -> Blocked:
        """Its rows in blocks, for partial sums."""
        return Blocked.of(self.entries)

    @cached_property
    def columns(self) -> Float:
        """Sums of squares of the columns, (H,)."""
        squares: Float
        if self.small:
            squares = np.add.reduce(self.squares)
            return squares
        if len(self.entries) < INNER:
            return column_squares(self.entries)
        squares = np.add.reduce(self.blocked.squares)
        blocks, size, _ = self.blocked.entries.shape
        squares += column_squares(self.entries[blocks * size :])
        return squares

    @property
    def one_sign(self) -> Float:
        """What n errors of one sign, of square sum 1, add to the columns' sums of squares, (H,).

        Weights that are mostly positive add them up.
        """
        total: Float = np.add.reduce(self.entries, dtype=np.float64)
        total *= total
        total -= self.columns
        np.maximum(total, 0.0, out=total)
        total /= len(self.entries)
        return total

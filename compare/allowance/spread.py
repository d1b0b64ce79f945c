"""What the rules read and what they hand on: operands, products, slopes, gradients.

A matrix of squared allowances, (N, H), has one of two forms with the same operations. `Dense`
keeps every entry. `LowRank` keeps two thin non-negative factors: the rounding of a matrix product
is a product of norms, hence of rank one, and a product with squared weights acts on the smaller
factor alone. That turns the cost of an allowance from a matrix product into a few passes. Where a
rule is not of rank one, `LowRank` takes a bound that is, so it is not below `Dense`; errors that
are followed one by one are bounded by those of some hundred rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from compare.allowance.alike import multiplicities
from compare.allowance.arithmetic import Arithmetic
from compare.allowance.rules import ActivationRule
from compare.allowance.squares import column_squares

Float = NDArray[np.float64]
Real = NDArray[np.floating[Any]]
Where = NDArray[np.intp]
S = TypeVar("S")


@dataclass(frozen=True)
class Operand:
    """A matrix that is multiplied, (N, H): its entries, the sums of squares of its rows, (N,), and
    its squares, where they are stored."""

    entries: Real
    rows: Float
    square: Float | None

    @cached_property
    def columns(self) -> Float:
        """Sums of squares of the columns, (H,)."""
        return column_squares(self.entries) if self.square is None else np.add.reduce(self.square)


@dataclass(frozen=True)
class Right:
    """What the rules read of a matrix that is multiplied from the right, (n, H).

    `untransposed`: the matrix whose transpose it is, if that has been read before.
    """

    entries: Real
    untransposed: Right | None = None

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

    @cached_property
    def often(self) -> Float | None:
        """How often each column occurs, (H,), or None if all differ.

        Equal columns have equal sums of squares; in float32 so have some that are not equal.
        """
        times = multiplicities(self.columns)
        if times is None or self.entries.dtype == np.float64:
            return times
        return multiplicities(np.add.reduce(self.squares))

    @cached_property
    def columns(self) -> Float:
        """Sums of squares of the columns, (H,)."""
        return column_squares(self.entries)

    @cached_property
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


@dataclass(frozen=True, slots=True)
class Followed:
    """Squared allowance of errors that were followed one by one, beyond what their squares say.

    `square`, (S, H), in some `rows`; elsewhere in proportion to `sizes`, (N,), those squared errors
    where they came from.
    """

    sizes: Float
    rows: slice | NDArray[np.int64]
    square: Float

    def per_size(self) -> Float:
        """Return the largest of each column per size, (H,)."""
        sizes = self.sizes[self.rows, None]
        quotients = np.divide(self.square, sizes, out=np.zeros(self.square.shape), where=sizes > 0)
        largest: Float = np.maximum.reduce(quotients)
        return largest


@dataclass(frozen=True, slots=True)
class Product:
    """What the rule of a product `value = left @ right + constant` reads.

    `rows`: sums of squares of the rows of `left`, (N,). `own`: squared rounding of the sums
    themselves for a row of norm 1, (H,); what is left of it, `of_value`, times `value**2`. `alike`:
    how often each of the n inner items occurs, (n,), or None. `constant`: squared allowance that
    every row has, (H,). `common`: squared relative error that all of a row share, (N,).
    """

    rows: Float
    own: Float
    right: Right
    alike: Float | None
    value: Real
    of_value: float
    constant: Float
    common: Float | None = None
    followed: Followed | None = None

    @property
    def squares(self) -> Float:
        """`right**2`, (n, H), weighted for alike inner items."""
        squares = self.right.squares
        return squares if self.alike is None else squares * self.alike[:, None]


@dataclass(frozen=True, slots=True)
class Slope(Generic[S]):
    """What the rule of `dz = dh * f'(z)` reads beside A(dh)**2; `h = f(z)`."""

    rule: ActivationRule
    h: Operand
    h_spread: S
    dh: Real
    floor: float


@dataclass(frozen=True, slots=True)
class Gathered:
    """Squared allowances of `[h, 1].T @ dz`, (fan_in + 1, fan_out): a bias weighs an input of 1.

    `square` is what was carried in, `shared` its total without the bias; `columns` are the sums of
    squares of the columns of `[h, 1]`, (fan_in + 1,).
    """

    square: Float
    shared: float
    columns: Float


def distance(z: Real, kinks: tuple[float, ...]) -> Real:
    """Return how far each entry is from the nearest of the kinks."""
    nearest: Real = np.minimum.reduce([np.abs(z - kink) for kink in kinks])
    return nearest


class Spread(Protocol):
    """Squared allowances of a matrix, (N, H)."""

    @classmethod
    def of(cls, entries: Float) -> Self:
        """Keep `entries`, unit by unit, (H, N)."""

    @staticmethod
    def read(entries: Real) -> Operand:
        """Return what the rules need of a matrix that is multiplied."""

    @classmethod
    def product(cls, carried: Self | None, made: Product) -> Self:
        """Return `carried @ squares`, and the rounding of the product itself."""

    def activated(self, rule: ActivationRule, z: Real, h: Real, arithmetic: Arithmetic) -> Self:
        """Return A(h)**2 for `h = f(z)`, of which this is A(z)**2."""

    def sloped(self, slope: Slope[Self], arithmetic: Arithmetic) -> Self:
        """Return A(dz)**2 for `dz = dh * f'(z)`, of which this is A(dh)**2."""

    def gathered(
        self, h: Operand, h_spread: Self | None, dz: Operand, weights: Float | None
    ) -> Gathered:
        """Return `[h, 1]**2.T @ self + [h_spread, 0].T @ (dz**2 + self)`, rows weighted."""

    def entries(self) -> Float:
        """Return the squared allowances, (N, H)."""

    def reaching(self, kinks: tuple[float, ...], z: Real) -> tuple[Where, Where]:
        """Return the `(rows, units)` where z is within its allowance of a kink."""

    def some_entries(self, units: slice) -> Float:
        """Return a copy of some of their columns."""

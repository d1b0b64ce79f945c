"""What the rules hand on: products, slopes, gradients, and the two forms of squared allowances.

A matrix of squared allowances, (N, H), has one of two forms with the same operations. `Dense`
keeps every entry. `LowRank` keeps two thin non-negative factors: the rounding of a matrix product
is a product of norms, hence of rank one, and a product with squared weights acts on the smaller
factor alone. That turns the cost of an allowance from a matrix product into a few passes. Where a
rule is not of rank one, `LowRank` takes a bound that is, so it is not below `Dense`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.operands import Operand, Right, Where
from compare.allowance.rules import ActivationRule
from compare.allowance.shelf import Shelf
from compare.contracts.arrays import Float, Real, Values

S = TypeVar("S")


class Product(NamedTuple):
    """What the rule of a product `value = left @ right + constant` reads.

    `rows`: sums of squares of the rows of `left`, (N,). `own`: squared rounding of the sums
    themselves for a row of norm 1, (H,); what is left of it, `of_value`, times `value**2`. `alike`:
    how often each of the n inner items occurs, (n,), or None. `constant`: squared allowance that
    every row has, (H,).
    """

    rows: Float
    right: Right
    own: Float
    of_value: float
    alike: Float | None
    value: Real
    constant: Float

    @property
    def squares(self) -> Float:
        """`right**2`, (n, H), weighted for alike inner items."""
        squares = self.right.squares
        return squares if self.alike is None else squares * self.alike[:, None]

    def rounding(self, rows: Where | slice) -> Float:
        """Return the squared rounding of the product itself in some rows, (S, H)."""
        square = np.multiply.outer(self.rows[rows], self.own) + self.constant
        if self.of_value:
            square += self.of_value * np.square(self.value[rows], dtype=np.float64)
        return square


class Slope(NamedTuple, Generic[S]):
    """What the rule of `dz = dh * f'(z)` reads beside A(dh)**2; `h = f(z)`.

    `samples`: of the whole batch. `z` and its spread are there where f' is written in z.
    """

    rule: ActivationRule
    samples: int
    h: Operand
    h_spread: S
    dh: Real
    floor: float
    z: Real | None = None
    z_spread: S | None = None


class Gathered(NamedTuple):
    """Squared allowances of `[h, 1].T @ dz`, (fan_in + 1, fan_out): a bias weighs an input of 1.

    `square` is what was carried in, and what the sums themselves round by their terms, of which
    `terms` returns some rows; `shared` and `bias_shared` are the totals of what was carried in;
    `columns` are the sums of squares of the columns of `[h, 1]`, (fan_in + 1,).
    """

    square: Float
    shared: float
    bias_shared: float
    columns: Float
    terms: Callable[[slice], Float]


class Carried(Protocol):
    """Squared allowances of `[h, 1].T @ dz` that some rows of a batch carry in.

    A sum over the batch is the sum over its blocks of rows, and so are these: see `plus`.
    """

    def plus(self, others: Sequence[Self]) -> Self:
        """Add those of other blocks."""

    def gathered(self, dz_columns: Float, of_terms: float, bias: Float | None) -> Gathered:
        """Return them all, with `of_terms` times T**2 of the sums, or `bias` in the last row if
        that is known; `dz_columns` are sums of squares over the batch, (fan_out,)."""


def distance(z: Real, kinks: tuple[float, ...]) -> Real:
    """Return how far each entry is from the nearest of the kinks."""
    nearest: Real = np.abs(z - kinks[0])
    for kink in kinks[1:]:
        np.minimum(nearest, np.abs(z - kink), out=nearest)
    return nearest


class Spread(Protocol):
    """Squared allowances of a matrix, (N, H).

    `remembered`: what it reads of a batch takes so little memory that it is read once.
    """

    remembered: ClassVar[bool]

    @classmethod
    def of(cls, entries: Float) -> Self:
        """Keep `entries`, unit by unit, (H, N)."""

    @staticmethod
    def taken(values: Values) -> Values:
        """Return matrices in the format in which the rules read them."""

    @staticmethod
    def read(entries: Real, *, bias: bool = False) -> Operand:
        """Return what the rules need of a matrix that is multiplied, of an input with its bias."""

    @classmethod
    def product(cls, carried: Self | None, made: Product) -> Self:
        """Return `carried @ squares`, and the rounding of the product itself."""

    def activated(self, rule: ActivationRule, z: Real, h: Real, arithmetic: Arithmetic) -> Self:
        """Return A(h)**2 for `h = f(z)`, of which this is A(z)**2."""

    def sloped(self, slope: Slope[Self], arithmetic: Arithmetic) -> Self:
        """Return A(dz)**2 for `dz = dh * f'(z)`, of which this is A(dh)**2."""

    def carried(
        self, h: Operand, h_spread: Self | None, dz: Operand, weights: Float | None
    ) -> Carried:
        """Return `[h, 1]**2.T @ self + [h_spread, 0].T @ (dz**2 + self)`, rows weighted."""

    def entries(self) -> Float:
        """Return the squared allowances, (N, H)."""

    def reaching(self, kinks: tuple[float, ...], z: Real) -> tuple[Where, Where]:
        """Return the `(rows, units)` where z is within its allowance of a kink."""

    def some_rows(self, rows: Where | slice) -> Float:
        """Return some rows of them, (S, H)."""

    def widened(self, factor: Float) -> Self:
        """Multiply the columns by a factor each, (H,)."""

    def kept(self, shelf: Shelf) -> Self:
        """Return the same in memory of the shelf."""


@dataclass(frozen=True, slots=True)
class Stacked:
    """Squared allowances of a matrix whose values come block by block of rows.

    `near`: the `(rows, units)` at kinks, if they were noted as the blocks passed by.
    """

    blocks: Sequence[tuple[slice, Spread]]
    near: tuple[Where, Where] | None = None

    def entries(self) -> Float:
        """Return the squared allowances, (N, H)."""
        return np.concatenate([block.entries() for _, block in self.blocks])

    def reaching(self, kinks: tuple[float, ...], z: Real) -> tuple[Where, Where]:
        """Return the `(rows, units)` where z is within its allowance of a kink."""
        if self.near is not None:
            return self.near
        found = []
        for part, block in self.blocks:
            rows, units = block.reaching(kinks, z[part])
            found.append((rows + part.start, units))
        rows, units = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return rows, units

"""A matrix of squared allowances, (N, H), in one of two forms with the same operations.

`Dense` keeps every entry. `LowRank` keeps `rows @ columns`, non-negative factors of a few columns:
the first term of every rule is a product of norms, hence of rank one, and a product with squared
weights acts on `columns` alone. That turns the cost of an allowance from a matrix product into a
few passes. Where a factor is not of rank one (the slope of an activation), `LowRank` takes a
bound of rank one that the caller supplies beside the entries, so it is never below `Dense`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compare.allowance.squares import squared_products

Float = NDArray[np.float64]
Entries = Callable[[], Float]


@dataclass(frozen=True, slots=True)
class Dense:
    """Squared allowances entry by entry, (N, H)."""

    square: Float

    @classmethod
    def of(cls, entries: Float) -> Dense:
        """Keep `entries`, (N, K), as they are."""
        return cls(entries)

    @classmethod
    def outer(cls, rows: list[Float], columns: list[Float]) -> Dense:
        """Return the sum of the outer products `rows[i] columns[i]`."""
        return cls(np.stack(rows, axis=1) @ np.stack(columns))

    def plus(self, other: Dense) -> Dense:
        """Return `self + other`."""
        return Dense(self.square + other.square)

    def plus_entries(self, entries: Entries, rows: Float, columns: Float) -> Dense:
        """Return `self + entries()`."""
        return Dense(self.square + entries())

    def times(self, entries: Entries, rows: Float | float, columns: Float | float) -> Dense:
        """Return `self * entries()`."""
        return Dense(self.square * entries())

    def through(self, weight_square: Float) -> Dense:
        """Return `self @ weight_square`: carried through a matrix product."""
        return Dense(self.square @ weight_square)

    def totals(self, weights: Float) -> Float:
        """Return `sum_n weights_n self_nh`, (H,)."""
        return weights @ self.square

    def gathered(self, left: NDArray[np.floating], weights: Float) -> tuple[Float, Float]:
        """Return `(left**2).T @ (weights * self)`, (F, H), and the column sums of `left**2`."""
        return squared_products(left, self.square * weights[:, None])

    def collected(self, right: Float) -> Float:
        """Return `self.T @ right`, (H, M)."""
        return self.square.T @ right

    def entries(self) -> Float:
        """Return the squared allowances, (N, H)."""
        return self.square


@dataclass(frozen=True, slots=True)
class LowRank:
    """Squared allowances as `rows @ columns`, (N, k) and (k, H)."""

    rows: Float
    columns: Float

    @classmethod
    def of(cls, entries: Float) -> LowRank:
        """Keep `entries`, (N, K), exactly: rank K, which for a layer of K classes is low."""
        return cls(entries, np.eye(entries.shape[1]))

    @classmethod
    def outer(cls, rows: list[Float], columns: list[Float]) -> LowRank:
        """Return the sum of the outer products `rows[i] columns[i]`."""
        return cls(np.stack(rows, axis=1), np.stack(columns))

    def plus(self, other: LowRank) -> LowRank:
        """Return `self + other`; the ranks add up."""
        rows = np.concatenate((self.rows, other.rows), axis=1)
        return LowRank(rows, np.concatenate((self.columns, other.columns)))

    def plus_entries(self, entries: Entries, rows: Float, columns: Float) -> LowRank:
        """Return at least `self + entries()`, which `rows` and `columns` bound."""
        return self.plus(LowRank(rows[:, None], columns[None, :]))

    def times(self, entries: Entries, rows: Float | float, columns: Float | float) -> LowRank:
        """Return at least `self * entries()`, which `rows` and `columns` bound."""
        return LowRank(self.rows * np.reshape(rows, (-1, 1)), self.columns * columns)

    def through(self, weight_square: Float) -> LowRank:
        """Return `self @ weight_square`: only the small factor is multiplied."""
        return LowRank(self.rows, self.columns @ weight_square)

    def totals(self, weights: Float) -> Float:
        """Return `sum_n weights_n self_nh`, (H,)."""
        return (weights @ self.rows) @ self.columns

    def gathered(self, left: NDArray[np.floating], weights: Float) -> tuple[Float, Float]:
        """Return `(left**2).T @ (weights * self)`, (F, H), and the column sums of `left**2`."""
        product, columns = squared_products(left, self.rows * weights[:, None])
        return product @ self.columns, columns

    def collected(self, right: Float) -> Float:
        """Return `self.T @ right`, (H, M)."""
        return self.columns.T @ (self.rows.T @ right)

    def entries(self) -> Float:
        """Return the squared allowances, (N, H)."""
        return self.rows @ self.columns


SpreadType = type[Dense] | type[LowRank]

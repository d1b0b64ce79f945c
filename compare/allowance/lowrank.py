"""Squared allowances as a product of thin factors: the form that large networks can afford."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.dense import Dense, widened
from compare.allowance.operands import Operand, Where
from compare.allowance.rules import ActivationRule, lean
from compare.allowance.shelf import Shelf
from compare.allowance.spread import Gathered, Product, Slope, distance
from compare.allowance.squares import blocks, largest_quotients, row_squares, squared_products
from compare.contracts.arrays import Float, Real, Values

EXACT = 32
"""Layers of up to so many units keep every entry where a rule is not of rank one."""
ROUNDED_UP = 1 + 2.0**-20
"""What is rounded to float32 and multiplied by this is not below what it was."""


@dataclass(frozen=True, slots=True)
class LowRank:
    """Squared allowances `rows.T @ columns`, (k, N) and (k, H); `Spread` explains the methods."""

    rows: Float
    columns: Float
    remembered: ClassVar[bool] = True

    @classmethod
    def of(cls, entries: Float) -> Self:
        """Keep `entries`, (H, N), exactly: rank H, which for a layer of a few classes is low."""
        return cls(entries, np.eye(len(entries)))

    @staticmethod
    def taken(values: Values) -> Values:
        return values

    @staticmethod
    def read(entries: Real, *, bias: bool = False) -> Operand:
        return Operand(entries, row_squares(entries))

    @classmethod
    def product(cls, carried: Self | None, made: Product) -> Self:
        """At least `Dense.product`: the squares of the value are bounded by those of the norms."""
        norms = made.right.columns  # value**2 <= 2 rows norms + 2 bias**2
        rows, columns = [made.rows[None]], [(made.own + 2 * made.of_value * norms)[None]]
        rows.append(np.ones((1, len(made.rows))))
        columns.append(3 * made.constant[None])  # its own rounding, and twice that of the value
        if carried is not None:
            rows += [carried.rows, (np.add.reduce(carried.columns, axis=1) @ carried.rows)[None]]
            columns += [carried.columns @ made.squares, made.right.one_sign[None]]
        return cls(np.concatenate(rows), np.concatenate(columns))

    def activated(self, rule: ActivationRule, z: Real, h: Real, arithmetic: Arithmetic) -> Self:
        if h.shape[1] <= EXACT:
            return type(self).of(
                self._dense().activated(rule, widened(z), widened(h), arithmetic).square.T
            )
        if rule.bend is None:
            return self
        steep = self.columns * np.square(rule.steepest(h))
        own = (rule.value * arithmetic.unit) ** 2 + arithmetic.floor() ** 2
        return type(self)(self.rows, steep).plus(np.ones(len(h)), np.full(h.shape[1], own))

    def plus(self, rows: Float, columns: Float) -> Self:
        """Add an outer product."""
        return type(self)(
            np.concatenate((self.rows, rows[None])), np.concatenate((self.columns, columns[None]))
        )

    def sloped(self, slope: Slope[Self], arithmetic: Arithmetic) -> Self:
        rule, h, h_spread = slope.rule, slope.h.entries, slope.h_spread
        if h.shape[1] <= EXACT:
            exact = Slope(
                rule, slope.samples, Dense.read(h, bias=True), h_spread._dense(),
                widened(slope.dh), slope.floor,
            )  # fmt: skip
            return type(self).of(self._dense().sloped(exact, arithmetic).square.T)
        if rule.bend is None:
            return self
        sizes = row_squares(slope.dh)
        sizes += float(sizes.mean()) or 1.0
        columns = largest_quotients(slope.dh, sizes)
        bias = lean(slope.samples, arithmetic) * rule.steepest_bend**2  # |h| <= 1
        own = (rule.slope_rounding * arithmetic.unit) ** 2 + bias
        error = h_spread.columns * rule.steepest_bend**2
        steepest = np.square(rule.steepest(h)) + own + h_spread.rows.max(axis=1) @ error
        below = type(self)(
            np.concatenate((self.rows, h_spread.rows * sizes)),
            np.concatenate((self.columns * steepest, error * columns)),
        )
        flushed = np.full(h.shape[1], slope.floor**2)
        return below.plus(sizes, own * columns).plus(np.ones(len(h)), flushed)

    def carried(
        self, h: Operand, h_spread: Self | None, dz: Operand, weights: Float | None
    ) -> LowRankCarried:
        rank = len(self.columns)
        beside = np.empty((rank + 1, self.rows.shape[1]))
        beside[:-1] = self.rows if weights is None else self.rows * weights
        beside[-1] = 1.0
        sums = np.empty((rank + 1, h.entries.shape[1] + 1))
        sums[:, :-1] = squared_products(h.entries, h.rows, beside)
        np.add.reduce(beside, axis=1, out=sums[:, -1])
        left, right = sums[:-1], self.columns
        if h_spread is not None:
            below = h_spread.rows if weights is None else h_spread.rows * weights
            product = squared_products(dz.entries, dz.rows, below)
            product += (below @ self.rows.T) @ self.columns
            not_of_bias = np.zeros((len(product), 1))
            left = np.concatenate((left, np.hstack((h_spread.columns, not_of_bias))))
            right = np.concatenate((right, product))
        return LowRankCarried(left, right, sums[-1])

    def _dense(self) -> Dense:
        return Dense(self.entries())

    def entries(self) -> Float:
        return (self.columns.T @ self.rows).T  # the last stage reads them class by class

    def reaching(self, kinks: tuple[float, ...], z: Real) -> tuple[Where, Where]:
        """Look closely only where z is near enough to a kink for the widest of a block."""
        found = [(np.empty(0, np.intp), np.empty(0, np.intp))]
        for part, block in blocks(z):
            widest = np.maximum.reduce(self.rows[:, part], axis=1) @ self.columns  # (H,)
            away = distance(block, kinks)
            farther = away > np.sqrt(widest).astype(z.dtype) * ROUNDED_UP
            rows, units = np.nonzero(~farther)  # NaN is not farther
            exact = np.einsum("kn,kn->n", self.rows[:, part][:, rows], self.columns[:, units])
            near = away[rows, units] <= np.sqrt(exact)
            found.append((rows[near] + part.start, units[near]))
        rows, units = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return rows, units

    def some_rows(self, rows: Where | slice) -> Float:
        return self.rows[:, rows].T @ self.columns

    def widened(self, factor: Float) -> Self:
        return type(self)(self.rows, self.columns * factor)

    def kept(self, shelf: Shelf) -> Self:
        return type(self)(shelf.put(self.rows), shelf.put(self.columns))


@dataclass(frozen=True, slots=True)
class LowRankCarried:
    """A product `left.T @ right` of thin factors, and `whole`; `Carried` explains the methods.

    (k, fan_in + 1) and (k, fan_out). `columns`: sums of squares of the columns of `[h, 1]`.
    `whole`, (fan_in + 1, fan_out): the product of the factors that were too many to be kept.
    """

    left: Float
    right: Float
    columns: Float
    whole: Float | None = None

    def plus(self, others: Sequence[Self]) -> Self:
        every = (self, *others)
        multiplied = [one.whole for one in every if one.whole is not None]
        return type(self)(
            np.concatenate([one.left for one in every]),
            np.concatenate([one.right for one in every]),
            np.add.reduce([one.columns for one in every]),
            sum(multiplied[1:], multiplied[0]) if multiplied else None,
        ).folded()

    def folded(self) -> Self:
        """Return the same in no more numbers than the product has: they do not grow with N."""
        rank, fan_in, fan_out = len(self.left), self.left.shape[1], self.right.shape[1]
        if self.whole is None and rank * (fan_in + fan_out) <= fan_in * fan_out:
            return self
        nothing = np.empty((0, fan_in)), np.empty((0, fan_out))
        return type(self)(*nothing, self.columns, self.multiplied())

    def multiplied(self) -> Float:
        """Return the sum of both products, (fan_in + 1, fan_out)."""
        product: Float = self.left.T @ self.right
        if self.whole is not None:
            product += self.whole
        return product

    def gathered(self, dz_columns: Float, of_terms: float, bias: Float | None) -> Gathered:
        square = self.multiplied()
        shared, of_bias = float(square[:-1].sum()), square[-1].copy()
        of_columns = self.columns * of_terms
        for part, block in blocks(square):
            block += np.multiply.outer(of_columns[part], dz_columns)
        if bias is not None:
            np.add(of_bias, bias, out=square[-1])

        def terms(part: slice) -> Float:
            rows: Float = np.multiply.outer(of_columns[part], dz_columns)
            if bias is not None and part.indices(len(of_columns))[1] == len(of_columns):
                rows[-1] = bias
            return rows

        return Gathered(square, shared, float(of_bias.sum()), self.columns, terms)

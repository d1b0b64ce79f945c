"""Squared allowances entry by entry: the form for small networks, and the exact one.

What it reads it reads in float64: in a small matrix every cast costs as much as a product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.operands import Operand, Where
from compare.allowance.rules import ActivationRule, lean
from compare.allowance.shelf import Shelf
from compare.allowance.spread import Gathered, Product, Slope, distance
from compare.allowance.sums import OF_TERMS
from compare.contracts.arrays import Float, Real, Values

UNEQUAL = 5 / 12 / OF_TERMS
"""No partial sum is larger than (T + |S|) / 2, so 5/12 T**2 + 5/8 S**2 bounds P**2 in any order of
terms of any sizes. The product of the norms, over 8, is less where the sizes hardly differ."""


def widened(entries: Real) -> Float:
    """Return the same in float64."""
    return np.asarray(entries, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Dense:
    """Squared allowances entry by entry, (N, H); `Spread` explains the methods."""

    square: Float
    remembered: ClassVar[bool] = False

    @classmethod
    def of(cls, entries: Float) -> Self:
        return cls(entries.T)

    @staticmethod
    def taken(values: Values) -> Values:
        return {name: widened(value) for name, value in values.items()}

    @staticmethod
    def read(entries: Real, *, bias: bool = False) -> Operand:
        wide = widened(entries)
        rows = np.asarray(np.vecdot(wide, wide))
        if not bias:
            return Operand(wide, rows, wide * wide, np.abs(wide))
        square = np.ones((len(wide), wide.shape[1] + 1))
        np.multiply(wide, wide, out=square[:, :-1])
        return Operand(wide, rows, square, np.abs(wide))

    @classmethod
    def product(cls, carried: Self | None, made: Product) -> Self:
        square = made.rows[:, None] * made.own
        if carried is not None:
            square += carried.square @ (made.squares + made.right.one_sign)
        if made.of_value:
            value = np.square(made.value)
            value *= made.of_value
            square += value
        square += made.constant
        return cls(square)

    def activated(self, rule: ActivationRule, z: Real, h: Real, arithmetic: Arithmetic) -> Self:
        if rule.straight:
            return self
        square = np.square(rule.slope(z if rule.of_z else h), dtype=np.float64)
        for kink, sides in rule.kinks.items():
            near = np.square(z - kink) <= self.square  # may be on either side
            np.maximum(square, max(sides) ** 2, out=square, where=near)
        square *= self.square
        if rule.value:
            square += (rule.value * arithmetic.unit) ** 2 * np.square(rule.rounded(z, h))
            square += arithmetic.floor() ** 2
        return type(self)(square)

    def sloped(self, slope: Slope[Self], arithmetic: Arithmetic) -> Self:
        rule, h = slope.rule, slope.h.entries
        if rule.bend is None:
            return type(self)(self.square * np.square(rule.slope(h))) if rule.kinks else self
        if slope.z is not None and slope.z_spread is not None:
            through = slope.z
            error = slope.z_spread.square * np.square(rule.bend(through))
            own = (rule.slope_rounding * arithmetic.unit) ** 2 + lean(slope.samples, arithmetic)
            error += own * np.square(rule.size_of_slope(through))
        else:
            assert slope.h.square is not None
            through = h
            error = slope.h_spread.square + lean(slope.samples, arithmetic) * slope.h.square[:, :-1]
            error *= np.square(rule.bend(h))
            error += (rule.slope_rounding * arithmetic.unit) ** 2
        square = np.square(rule.slope(through))
        square += error
        square *= self.square
        error *= np.square(slope.dh)
        square += error
        square += slope.floor**2
        return type(self)(square)

    def carried(
        self, h: Operand, h_spread: Self | None, dz: Operand, weights: Float | None
    ) -> DenseCarried:
        assert h.square is not None and dz.square is not None
        assert h.sizes is not None and dz.sizes is not None
        below = self.square if weights is None else self.square * weights[:, None]
        square: Float = h.square.T @ below
        if h_spread is not None:
            right = dz.square + self.square
            if weights is not None:
                right *= weights[:, None]
            square[:-1] += h_spread.square.T @ right
        return DenseCarried(square, h.sizes.T @ dz.sizes, h.columns)

    def entries(self) -> Float:
        return self.square

    def reaching(self, kinks: tuple[float, ...], z: Real) -> tuple[Where, Where]:
        rows, units = np.nonzero(distance(z, kinks) <= np.sqrt(self.square))
        return rows, units

    def some_rows(self, rows: Where | slice) -> Float:
        return self.square[rows]

    def widened(self, factor: Float) -> Self:
        return type(self)(self.square * factor)

    def kept(self, shelf: Shelf) -> Self:
        return type(self)(shelf.put(self.square))


@dataclass(frozen=True, slots=True)
class DenseCarried:
    """Entry by entry, (fan_in + 1, fan_out); `Carried` explains the methods.

    `sizes`: T of each sum but those of biases, (fan_in, fan_out); `columns`: sums of squares of the
    columns of `[h, 1]`.
    """

    square: Float
    sizes: Float
    columns: Float

    def plus(self, others: Sequence[Self]) -> Self:
        for other in others:
            for own, more in zip(self._arrays(), other._arrays(), strict=True):
                own += more
        return self

    def _arrays(self) -> tuple[Float, Float, Float]:
        return self.square, self.sizes, self.columns

    def gathered(self, dz_columns: Float, of_terms: float, bias: Float | None) -> Gathered:
        *shared, bias_shared = np.add.reduce(self.square, axis=1).tolist()
        terms = np.multiply.outer(self.columns, dz_columns)
        added = self.sizes  # T, not of biases: errors of alike samples show there
        added *= added
        added *= UNEQUAL
        np.minimum(terms[:-1], added, out=terms[:-1])
        terms *= of_terms
        if bias is not None:
            terms[-1] = bias
        square = self.square
        square += terms
        return Gathered(square, sum(shared), bias_shared, self.columns, terms.__getitem__)

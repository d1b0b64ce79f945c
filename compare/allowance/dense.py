"""Squared allowances entry by entry: the form for small networks, and the exact one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.operands import Float, Operand, Real, Where
from compare.allowance.rules import ActivationRule, lean
from compare.allowance.spread import Gathered, Product, Slope, distance


@dataclass(frozen=True, slots=True)
class Dense:
    """Squared allowances entry by entry, (N, H); `Spread` explains the methods."""

    square: Float

    @classmethod
    def of(cls, entries: Float) -> Self:
        return cls(entries.T)

    @staticmethod
    def read(entries: Real) -> Operand:
        wide = np.asarray(entries, dtype=np.float64)
        return Operand(entries, np.asarray(np.vecdot(wide, wide)), wide * wide)

    @classmethod
    def product(cls, carried: Self | None, made: Product) -> Self:
        square = made.rows[:, None] * made.own
        if carried is not None:
            square += carried.square @ (made.squares + made.right.one_sign)
        if made.of_value or made.common is not None:
            factor = made.of_value if made.common is None else made.of_value + made.common[:, None]
            value = np.square(made.value, dtype=np.float64)
            value *= factor
            square += value
        if made.followed is not None:
            square += made.followed.square
        square += made.constant
        return cls(square)

    def activated(self, rule: ActivationRule, z: Real, h: Real, arithmetic: Arithmetic) -> Self:
        if rule.bend is None:
            if not rule.kinks:
                return self
            near = np.square(z, dtype=np.float64) <= self.square  # may be on either side
            near |= h > 0
            return type(self)(self.square * near)
        square = np.square(rule.slope(h), dtype=np.float64)
        square *= self.square
        square += (rule.value * arithmetic.unit) ** 2 * np.square(h, dtype=np.float64)
        square += arithmetic.floor() ** 2
        return type(self)(square)

    def sloped(self, slope: Slope[Self], arithmetic: Arithmetic) -> Self:
        rule, h = slope.rule, slope.h.entries
        if rule.bend is None:
            return type(self)(self.square * (h > 0)) if rule.kinks else self
        assert slope.h.square is not None
        error = slope.h_spread.square + lean(len(h), arithmetic) * slope.h.square
        error *= np.square(rule.bend(h), dtype=np.float64)
        error += (rule.slope_rounding * arithmetic.unit) ** 2
        square = np.square(rule.slope(h), dtype=np.float64)
        square += error
        square *= self.square
        error *= np.square(slope.dh, dtype=np.float64)
        square += error
        square += slope.floor**2
        return type(self)(square)

    def gathered(
        self, h: Operand, h_spread: Self | None, dz: Operand, weights: Float | None
    ) -> Gathered:
        assert h.square is not None and dz.square is not None
        own = self.square if weights is None else self.square * weights[:, None]
        square = np.empty((h.square.shape[1] + 1, own.shape[1]))
        np.matmul(h.square.T, own, out=square[:-1])
        np.add.reduce(own, out=square[-1])
        if h_spread is not None:
            right = dz.square + self.square
            if weights is not None:
                right *= weights[:, None]
            square[:-1] += h_spread.square.T @ right
        columns = np.empty(len(square))
        columns[:-1], columns[-1] = h.columns, len(own)
        return Gathered(square, float(np.add.reduce(square[:-1], axis=None)), columns)

    def entries(self) -> Float:
        return self.square

    def reaching(self, kinks: tuple[float, ...], z: Real) -> tuple[Where, Where]:
        rows, units = np.nonzero(distance(z, kinks) <= np.sqrt(self.square))
        return rows, units

    def some_entries(self, units: slice) -> Float:
        return self.square[:, units].copy()

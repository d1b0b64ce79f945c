"""The allowances of one layer's gradients: sums over the batch, where most of the error is made.

    A(dw)**2 = own(h.T @ dz) + A(h)**2.T @ (dz**2 + A(dz)**2) + h**2.T @ A(dz)**2
    A(db)**2 = own(sum_n dz) + sum_n A(dz)**2

A bias is treated as the weight of an input of 1: the last row of every matrix here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np

from compare.allowance.alike import largest_multiplicity
from compare.allowance.arithmetic import Arithmetic
from compare.allowance.batch import Batch
from compare.allowance.crowds import crowding
from compare.allowance.operands import Float, Operand, Real
from compare.allowance.spread import Gathered
from compare.allowance.squares import blocks
from compare.allowance.sums import (
    OF_RESULT,
    SHORT,
    Blocked,
    Orders,
    measured,
    measured_totals,
    of_alike_terms,
    over_batch,
    own_square,
)

LONG = 64
"""From this many samples on the partial sums over a batch are measured, if that is cheap:"""
CHEAP = 1 << 16
"""entries that may be read for it,"""
FEW_SUMS = 1 << 10
"""and sums that may be followed."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What all sums over one batch have in common.

    `weights`: how often each row occurs, (N,); `crowded`: whether many rows of dlogits are nearly
    equal; `orders`: in which orders the rows may be added up, None if that is not to be asked.
    """

    arithmetic: Arithmetic
    weights: Float | None
    crowded: bool
    orders: Orders | None


@dataclass(frozen=True, slots=True)
class GradientAllowances:
    """A(dw), (fan_in, fan_out), A(db), (fan_out,), and the allowances of their projections."""

    w: Float
    b: Float
    w_projection: float
    b_projection: float


def batch_sums(
    arithmetic: Arithmetic, dlogits: Operand, batch: Batch, weights: Float | None, *, measure: bool
) -> Sums:
    """Return what the sums over this batch have in common; `dlogits`: (N, K)."""
    count, crowded = len(dlogits.entries), False
    orders: Orders | None = None
    if count > SHORT:
        digits = arithmetic.roundoff * np.sqrt(count * dlogits.columns)
        crowded = crowding(dlogits.entries, digits) is not None
    if measure and count >= LONG:
        orders = batch.orders
    return Sums(arithmetic, weights, crowded, orders)


def gradient_allowances(
    sums: Sums, h: Operand, dz: Operand, carried: Gathered, dw: Real, db: Real, scale: float
) -> GradientAllowances:
    """Return the allowances of `dw = h.T @ dz` and `db = sum_n dz_n`; dz is multiplied by scale.

    Block by block: of a large layer, only what was carried and the result are ever whole.
    """
    floor = len(dz.entries) * sums.arithmetic.floor(scale)
    own = OwnRounding.of(sums, h, dz, carried.columns)
    more = equal_terms(sums, h, dz, own, db * scale)
    total = carried.square  # (fan_in + 1, fan_out), and in the end the allowances
    bias_shared = float(np.add.reduce(total[-1]))
    rows = np.zeros((3, len(total)))  # of each row: S**2, own**2 S**2, and what its entries share
    ones = np.ones(len(db))
    for part, block in blocks(total):
        square = squared(dw, db, part, scale)
        rounding = own.square(part, square)
        rows[0, part] = np.vecdot(square, ones)
        rows[1, part] = np.vecdot(rounding, square)
        if more is not None:
            beside = more.times(part) * rounding
            rows[2, part] = np.vecdot(beside, ones)
            block += beside
        block += rounding
        np.sqrt(block, out=block)
        block += floor
        if scale != 1.0:
            block /= scale
    alike = largest_multiplicity(dz.columns)
    both = alike * largest_multiplicity(carried.columns[:-1])
    norm, independent, shared = np.add.reduce(rows[:, :-1], axis=1).tolist()
    bias_norm, bias_independent, bias_more = rows[:, -1].tolist()
    return GradientAllowances(
        total[:-1],
        total[-1],
        projection_allowance(carried.shared + shared, independent * both, norm),
        projection_allowance(bias_shared + bias_more, bias_independent * alike, bias_norm),
    )


def squared(dw: Real, db: Real, part: slice, scale: float) -> Float:
    """Return the squares of some rows of `[dw, db]`, multiplied by `scale`."""
    rows = dw[part]
    square = np.empty((min(part.stop, len(dw) + 1) - part.start, len(db)))
    square[: len(rows)] = rows
    square[len(rows) :] = db  # no row, or the last one
    if scale != 1.0:
        square *= scale
    square *= square
    return square


@dataclass(frozen=True, slots=True)
class OwnRounding:
    """What the sums `[h, 1].T @ dz` themselves round, each on average, squared.

    `columns`, (fan_in + 1,), and `dz_columns`, (fan_out,): sums of squares, those of `[h, 1]`
    and of dz; T**2 is at most their product. `partial`: P**2 of the last sums, or of all, where it
    is known; elsewhere the worst order.
    """

    times: float
    unit_square: float
    columns: Float
    dz_columns: Float
    partial: Float | None

    @classmethod
    def of(cls, sums: Sums, h: Operand, dz: Operand, columns: Float) -> OwnRounding:
        """Look at the sums of one layer."""
        times = over_batch(len(dz.entries))
        partial = partial_sums(sums, h, dz)
        return cls(times, sums.arithmetic.unit**2, columns, dz.columns, partial)

    def square(self, part: slice, total: Float) -> Float:
        """Return own**2 of some rows; `total`: S**2 there."""
        per_term = own_square(self.times, 1.0, 0.0) * self.unit_square
        own = np.multiply.outer(self.columns[part] * per_term, self.dz_columns)
        own += total * (own_square(self.times, 0.0, 1.0) * self.unit_square)
        if self.partial is not None:
            first = len(self.partial) - len(self.columns) + part.start
            known = self.partial[max(0, first) : max(0, first + len(total))]
            here = slice(len(total) - len(known), None)
            own[here] = (known * self.times + total[here] * OF_RESULT) * self.unit_square
        return own


def partial_sums(sums: Sums, h: Operand, dz: Operand) -> Float | None:
    """Return P**2 of the sums of all rows of `[h, 1].T @ dz`, or of the last one, or None."""
    count, width = dz.entries.shape
    if sums.orders is None or count * width > CHEAP:
        return None
    right = dz.entries[sums.orders]  # (O, N, fan_out)
    inputs = h.entries.shape[1]
    if inputs * width > FEW_SUMS or count * (inputs + 1 + width) > CHEAP:
        totals: Float = np.maximum.reduce(measured_totals(right, dz.columns), keepdims=True)
        return totals
    left = np.ones((len(right), count, inputs + 1), h.entries.dtype)
    left[..., :-1] = h.entries[sums.orders]
    every: Float = np.maximum.reduce(measured(Blocked.of(left), Blocked.of(right)))
    return every


@dataclass(frozen=True, slots=True)
class EqualTerms:
    """What equal and nearly equal terms add to own**2, as a factor: they err alike.

    Rows that occur several times count by their share of each column of dz, `often`, (fan_out,).
    Products of nearly equal factors are nearly equal: where `left` is, (fan_in + 1,), `right`,
    (fan_out,), may be too.
    """

    count: int
    often: Float
    left: Float
    right: Float

    def times(self, part: slice) -> Float:
        """Return the factor for some rows of `[h, 1].T @ dz`."""
        alike = np.minimum.outer(self.left[part], self.right)
        alike *= self.count
        alike += self.often
        more: Float = np.asarray(of_alike_terms(self.count, alike))
        more /= over_batch(self.count)
        return more


def equal_terms(
    sums: Sums, h: Operand, dz: Operand, own: OwnRounding, db: Real
) -> EqualTerms | None:
    """Return how equal the terms of these sums are, or None; `db` is multiplied as dz is."""
    if sums.weights is None and not sums.crowded:
        return None
    count, width = dz.entries.shape
    often, left, right = np.zeros(width), np.zeros(len(own.columns)), np.zeros(width)
    if sums.weights is not None:
        square = np.square(dz.entries, dtype=np.float64)
        total = np.add.reduce(square)
        share = sums.weights @ square / np.where(total > 0, total, np.inf)
        often = np.maximum(share - 1, 0.0)
    crowd = None
    if sums.crowded:
        bias = own.square(slice(len(own.columns) - 1, len(own.columns)), np.square(db)[None])[0]
        size = np.sqrt(bias / over_batch(count)) / sums.arithmetic.unit
        crowd = crowding(dz.entries, 2 * size * sums.arithmetic.roundoff)
    if crowd is not None:
        left[:], right = 1.0, crowd.alike
        if crowd.slack < 1:
            close = crowding(h.entries, crowd.slack * np.sqrt(own.columns[:-1] / count))
            left[:-1] = 0.0 if close is None else close.alike
    if sums.weights is None and crowd is None:
        return None
    return EqualTerms(count, often, left, right)


def projection_allowance(shared: float, independent: float, norm: float) -> float:
    """Return A(<d, g> / <g, g>); `norm` is <g, g>, `independent` the sum of own**2 g**2.

    A sum's own rounding is independent from entry to entry, unless columns are alike: it adds in
    squares. What entries share, `shared`, is bounded by Cauchy and Schwarz.
    """
    if norm == 0.0:
        return inf
    square = shared / norm + independent / norm / norm
    return sqrt(square) if square >= 0 else nan

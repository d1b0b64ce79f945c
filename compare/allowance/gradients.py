"""The allowances of one layer's gradients: sums over the batch, where most of the error is made.

    A(dw)**2 = own(h.T @ dz) + A(h)**2.T @ (dz**2 + A(dz)**2) + h**2.T @ A(dz)**2
    A(db)**2 = own(sum_n dz) + sum_n A(dz)**2

A bias is treated as the weight of an input of 1: the last row of every matrix here.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from compare.allowance.alike import largest_multiplicity
from compare.allowance.arithmetic import Arithmetic
from compare.allowance.crowds import crowding
from compare.allowance.spread import Float, Gathered, Operand, Real
from compare.allowance.squares import squared_products
from compare.allowance.sums import (
    OF_RESULT,
    SHORT,
    measured,
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
    equal; `orders`: in which orders the rows may be added up, none if that is not to be asked.
    """

    arithmetic: Arithmetic
    weights: Float | None
    crowded: bool
    orders: tuple[NDArray[np.int64] | slice, ...]


@dataclass(frozen=True, slots=True)
class GradientAllowances:
    """A(dw), (fan_in, fan_out), A(db), (fan_out,), and the allowances of their projections."""

    w: Float
    b: Float
    w_projection: float
    b_projection: float


def batch_sums(
    arithmetic: Arithmetic, dlogits: Real, targets: Real, weights: Float | None, *, measure: bool
) -> Sums:
    """Return what the sums over this batch have in common; `dlogits`, `targets`: (N, K)."""
    count, crowded = len(dlogits), False
    orders: tuple[NDArray[np.int64] | slice, ...] = ()
    if count > SHORT:
        squares = np.einsum("nk,nk->k", dlogits, dlogits, dtype=np.float64)
        crowded = crowding(dlogits, arithmetic.roundoff * np.sqrt(count * squares)) is not None
    if measure and count >= LONG:
        classes = np.argmax(targets, axis=1)
        orders = (slice(None), np.argsort(classes, kind="stable"))
    return Sums(arithmetic, weights, crowded, orders)


def gradient_allowances(
    sums: Sums, h: Operand, dz: Operand, carried: Gathered, dw: Real, db: Real, scale: float
) -> GradientAllowances:
    """Return the allowances of `dw = h.T @ dz` and `db = sum_n dz_n`; dz is multiplied by scale."""
    gradient = np.empty_like(carried.square)  # (fan_in + 1, fan_out)
    gradient[:-1], gradient[-1] = dw, db
    gradient *= scale
    gradient *= gradient
    dz_columns = column_squares(dz)  # (fan_out,)
    own = own_rounding(sums, h, dz, np.multiply.outer(carried.columns, dz_columns), gradient)
    total, shared = carried.square, carried.shared
    bias_shared = float(np.add.reduce(total[-1]))
    if sums.crowded or sums.weights is not None:
        more = rounding_of_equal_terms(sums, h, dz, carried.columns, own)
        total += more
        shared += float(np.add.reduce(more[:-1], axis=None))
        bias_shared += float(np.add.reduce(more[-1]))
    total += own
    alike = largest_multiplicity(dz_columns)
    beside = alike * largest_multiplicity(carried.columns[:-1])
    allowance = np.sqrt(total, out=total)
    allowance += len(dz.entries) * sums.arithmetic.floor(scale)
    allowance /= scale
    return GradientAllowances(
        allowance[:-1],
        allowance[-1],
        projection_allowance(shared, own[:-1], gradient[:-1], beside),
        projection_allowance(bias_shared, own[-1], gradient[-1], alike),
    )


def column_squares(operand: Operand) -> Float:
    """Return the sums of squares of the columns, (H,)."""
    if operand.square is None:
        ones = np.ones((1, len(operand.entries)))
        only: Float = squared_products(operand.entries, operand.rows, ones)[0]
        return only
    squares: Float = np.add.reduce(operand.square)
    return squares


def own_rounding(sums: Sums, h: Operand, dz: Operand, terms: Float, gradient: Float) -> Float:
    """Return own**2 of every sum: with partial sums measured where that is cheap, else the worst.

    `terms`: T**2 or more; `gradient`: S**2.
    """
    count, unit_square = len(dz.entries), sums.arithmetic.unit**2
    times = over_batch(count)
    own = own_square(times, terms, gradient) * unit_square
    found = partial_sums(sums, h, dz)
    if found is not None:
        part = slice(-len(found), None)
        own[part] = (times * found + OF_RESULT * gradient[part]) * unit_square
    return own


def partial_sums(sums: Sums, h: Operand, dz: Operand) -> Float | None:
    """Return P**2 of the sums of all rows of `[h, 1].T @ dz`, or of the last one, or None."""
    count, width = dz.entries.shape
    if not sums.orders or count * width > CHEAP:
        return None
    inputs = h.entries.shape[1]
    everything = inputs * width <= FEW_SUMS and count * (inputs + 1 + width) <= CHEAP
    left = np.ones((count, inputs + 1 if everything else 1))
    if everything:
        left[:, :-1] = h.entries
    right = np.asarray(dz.entries, dtype=np.float64)
    largest: Float = np.maximum.reduce(
        [measured(left[order], right[order]) for order in sums.orders]
    )
    return largest


def rounding_of_equal_terms(
    sums: Sums, h: Operand, dz: Operand, h_columns: Float, own: Float
) -> Float:
    """Return what equal and nearly equal terms add to own**2: they err alike.

    Rows that occur several times count by their share of each column of dz. Products of nearly
    equal factors are nearly equal: where one factor is, so may the other be.
    """
    count = len(dz.entries)
    times = np.zeros_like(own)
    if sums.weights is not None:
        square = np.square(dz.entries, dtype=np.float64)
        total = np.add.reduce(square)
        often = sums.weights @ square / np.where(total > 0, total, np.inf)
        times += of_alike_terms(count, np.maximum(often - 1, 0.0))
    single = over_batch(count)
    if sums.crowded:
        digits = 2 * np.sqrt(own[-1] / single) * sums.arithmetic.roundoff / sums.arithmetic.unit
        right = crowding(dz.entries, digits)
        if right is not None:
            alike = np.ones(len(h_columns))
            if right.slack < 1:
                left = crowding(h.entries, right.slack * np.sqrt(h_columns[:-1] / count))
                alike[:-1] = 0.0 if left is None else left.alike
            times += of_alike_terms(count, count * np.minimum.outer(alike, right.alike))
    times *= own
    times /= single
    return times


def projection_allowance(shared: float, own: Float, gradient: Float, alike: float) -> float:
    """Return A(<d, g> / <g, g>); `gradient` holds g**2.

    A sum's own rounding is independent from entry to entry, unless columns are `alike`: it adds in
    squares. What entries share, `shared`, is bounded by Cauchy and Schwarz.
    """
    norm = float(np.add.reduce(gradient, axis=None))
    if norm == 0.0:
        return inf
    independent = float(np.vdot(own, gradient)) * alike
    square = shared / norm + independent / norm / norm
    return sqrt(square) if square >= 0 else nan

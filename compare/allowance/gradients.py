"""The allowances of one layer's gradients: sums over the batch, where most of the error is made.

    A(dw)**2 = own(h.T @ dz) + A(h)**2.T @ (dz**2 + A(dz)**2) + h**2.T @ A(dz)**2
    A(db)**2 = own(sum_n dz) + sum_n A(dz)**2

A bias is treated as the weight of an input of 1: the last row of every matrix here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, nan, sqrt
from typing import NamedTuple, Self

import numpy as np

from compare.allowance.alike import largest_multiplicity
from compare.allowance.arithmetic import LAMBDA, Arithmetic
from compare.allowance.batch import Batch
from compare.allowance.near_duplicates import (
    SAMPLE_IF_WIDE,
    NearDuplicates,
    lost,
    most_looked_at,
    near_duplicates,
)
from compare.allowance.operands import Operand
from compare.allowance.partial import measured_totals
from compare.allowance.sample import sampled
from compare.allowance.spread import Gathered
from compare.allowance.squares import blocks
from compare.allowance.sums import OF_RESULT, SHORT, of_alike_terms, over_batch, worst_factors
from compare.contracts.arrays import Float, Real, Values

LONG = 128
"""From this many samples on the partial sums of biases are looked at, if there are few terms:"""
CHEAP = 1 << 17
"""at most so many: 1 MiB of float64, a tenth of what all else at such a point takes."""
FEW = SAMPLE_IF_WIDE
"""Terms of each sum that are looked at where rows are near-duplicates."""
ADDED_UP = 4
"""Roundings of one more part of the batch: to weigh it by its rows, to add it, to divide by all
rows, on the two sides in different order."""
NEARLY = 2.0
"""Terms that differ by less than so many last digits of their partial sums lose much the same."""


class Sums(NamedTuple):
    """What all sums over one batch have in common.

    `weights`: how often each row occurs, (N,); `times`: as how many roundings the sums count;
    `of_terms` and `of_sum`: the factors of T**2 and S**2 in `own**2`.
    """

    arithmetic: Arithmetic
    samples: int
    weights: Float | None
    times: float
    of_terms: float
    of_sum: float


class Factors(NamedTuple):
    """What is looked at of the factors of `[h, 1].T @ dz`, sums over `samples` of the batch.

    `h`, (M, fan_in), and `dz`, (M, fan_out): all rows, or those that `sampled` may return, which
    `places` finds among them. `columns`: sums of squares of the columns of dz, (fan_out,);
    `weighted`: the same of weighted rows, None if none counts more than once.
    """

    samples: int
    h: Real
    dz: Real
    columns: Float
    weighted: Float | None
    places: Mapping[int, slice] | None = None

    @classmethod
    def of(cls, h: Operand, dz: Operand, weights: Float | None) -> Self:
        """Look at all rows."""
        weighted = None if weights is None else weighted_squares(dz.entries, weights)
        return cls(len(dz.entries), h.entries, dz.entries, dz.columns, weighted)

    def sampled(self, terms: Real, most: int) -> Real:
        """Return up to `most` rows of `terms`, which is `h` or `dz`, at random."""
        at = sampled(self.samples, most) if self.places is None else self.places[most]
        return terms[at]

    def near_duplicates(self, terms: Real, digit: Float) -> NearDuplicates | None:
        """Return those among `terms`, which is `h` or `dz`."""
        return near_duplicates(self.sampled(terms, most_looked_at(terms)), digit, self.samples)


def weighted_squares(dz: Real, weights: Float) -> Float:
    """Return the weighted sums of squares of the columns, (fan_out,)."""
    return np.asarray(weights @ np.square(dz, dtype=np.float64))


class GradientAllowances(NamedTuple):
    """A(dw), (fan_in, fan_out), A(db), (fan_out,), and the allowances of their projections."""

    w: Float
    b: Float
    w_projection: float
    b_projection: float


class Found(NamedTuple):
    """The allowances of gradients and of their projections, by parameter."""

    entries: dict[str, Float]
    projections: dict[str, float]

    @staticmethod
    def of_layer(gradients: Values, layer: int, scale: float) -> tuple[Real, Float]:
        """Return dw, and `scale` times db: zeros where a network has no biases."""
        dw = gradients[f"w{layer}"]
        db = gradients.get(f"b{layer}", np.zeros(dw.shape[1]))
        return dw, np.asarray(db, dtype=np.float64) * scale

    def put(self, layer: int, made: GradientAllowances) -> None:
        """Enter a layer's."""
        self.entries.update({f"w{layer}": made.w, f"b{layer}": made.b})
        self.projections.update({f"w{layer}": made.w_projection, f"b{layer}": made.b_projection})

    def ordered(self, names: Iterable[str]) -> tuple[dict[str, Float], dict[str, float]]:
        """Return those of these names: a network may have no biases."""
        return {name: self.entries[name] for name in names}, self.projections


def batch_sums(arithmetic: Arithmetic, count: int, weights: Float | None) -> Sums:
    """Return what the sums over this batch of `count` samples have in common."""
    times = over_batch(count) + ADDED_UP * (arithmetic.parts - 1)
    return Sums(arithmetic, count, weights, times, *worst_factors(times, arithmetic.unit**2))


def bias_rounding(sums: Sums, batch: Batch, dz: Operand, db: Float) -> Float | None:
    """Return the part of own**2 that the terms of `db = sum_n dz_n` make, (fan_out,), or None.

    Partial sums are looked at in the order of the batch and class by class, where that is cheap.
    P**2 is at least S**2 / 3, so it also counts what all sums are allowed for S**2.
    """
    if sums.samples < LONG or dz.entries.size > CHEAP:
        return None
    partial = measured_totals(dz.entries)
    np.maximum(partial, measured_totals(dz.entries[batch.by_class]), out=partial)
    own: Float = (sums.times * partial + OF_RESULT * db * db) * sums.arithmetic.unit**2
    own -= sums.of_sum * db * db
    of_norms = sums.of_terms * sums.samples * dz.columns
    return np.minimum(np.maximum(own, 0.0), of_norms)


def gradient_allowances(
    sums: Sums, batch: Batch, factors: Factors, carried: Gathered,
    dw: Real, db: Float, scale: float,
) -> GradientAllowances:  # fmt: skip
    """Return the allowances of `dw = h.T @ dz` and `db = sum_n dz_n`.

    All but `dw` and the result are multiplied by `scale`.
    """
    total = carried.square  # (fan_in + 1, fan_out), and in the end the allowances
    more = equal_terms(sums, batch, factors, carried, db)
    rows = into_allowances(sums, carried, more, dw, db, scale)
    units = largest_multiplicity(factors.columns)
    both = units * largest_multiplicity(carried.columns[:-1])
    norm, independent, shared = np.add.reduce(rows[:, :-1], axis=1).tolist()
    bias_norm, bias_independent, bias_more = rows[:, -1].tolist()
    return GradientAllowances(
        total[:-1],
        total[-1],
        projection_allowance(carried.shared + shared, independent * both, norm),
        projection_allowance(carried.bias_shared + bias_more, bias_independent * units, bias_norm),
    )


def into_allowances(
    sums: Sums, carried: Gathered, more: EqualTerms | None, dw: Real, db: Float, scale: float
) -> Float:
    """Add what is missing to the squares that were carried in, and take the root, in place.

    Block by block: of a large layer, only these squares are ever whole. Returns of each row S**2,
    A**2 S**2 and what equal terms add, (3, fan_in + 1).
    """
    total, ones = carried.square, np.ones(len(db))
    rows = np.zeros((3, len(total)))
    floor = sums.samples * sums.arithmetic.floor(scale)
    for part, block in blocks(total):
        square = squared(dw, db, part, scale)
        own = square * sums.of_sum
        block += own
        rows[0, part] = square @ ones
        rows[1, part] = np.vecdot(block, square)
        if more is not None:
            own += carried.terms(part)
            own *= more.times(part, own)
            rows[2, part] = own @ ones
            block += own
        np.sqrt(block, out=block)
        block += floor
        if scale != 1.0:
            block /= scale
    return rows


def squared(dw: Real, db: Float, part: slice, scale: float) -> Float:
    """Return the squares of some rows of `[dw, db]`; db is multiplied by `scale`, dw is not yet."""
    rows = dw[part]
    square = np.empty((min(part.stop, len(dw) + 1) - part.start, len(db)))
    square[: len(rows)] = rows
    if scale != 1.0:
        square[: len(rows)] *= scale
    square[len(rows) :] = db  # no row, or the last one
    square *= square
    return square


class EqualTerms(NamedTuple):
    """What equal and nearly equal terms add to own**2, as a factor: they err alike.

    A sum of so many `terms` counts as so many `roundings` if they are all different. Rows that
    occur several times count by their share of each column of dz, `often`, (fan_out,). Products of
    nearly equal factors are nearly equal: where `left` is, (fan_in + 1,), `right`, (fan_out,), may
    be too. Near-duplicate rows have nearly equal products of any size, see `Small`.
    """

    terms: int
    roundings: float
    often: Float
    left: Float
    right: Float
    small: Small | None

    def times(self, part: slice, own: Float) -> Float:
        """Return the factor for some rows of `[h, 1].T @ dz`, of which that is `own**2`."""
        alike = np.minimum.outer(self.left[part], self.right)
        if self.small is not None:
            np.maximum(alike, self.small.share(part, np.sqrt(own / self.roundings)), out=alike)
        alike *= self.terms
        alike += self.often
        more: Float = np.asarray(of_alike_terms(self.terms, alike))
        more /= self.roundings
        return more


class Small(NamedTuple):
    """Terms of near-duplicate rows that are small enough to lose alike what a partial sum drops.

    `left`, (M, fan_in + 1), and `right`, (M, fan_out): factors of some of the terms; `near`: the
    share of pairs of rows that are near-duplicates, `apart` of each other.
    """

    left: Real
    right: Real
    near: float
    apart: float

    def share(self, part: slice, partial: Float) -> Float:
        """Return the share of pairs of terms that lose alike; `partial`: LAMBDA u P of each sum."""
        digit = partial * (2 / LAMBDA)
        total = np.zeros(digit.shape)
        for left, right in zip(self.left[:, part], self.right, strict=True):
            size = np.abs(np.multiply.outer(left, right))
            size /= digit
            size[~(size * self.apart < NEARLY)] = 0.0
            total += lost(size)
        total *= total  # of pairs
        total *= self.near / len(self.right) ** 2
        return total


def equal_terms(
    sums: Sums, batch: Batch, factors: Factors, carried: Gathered, db: Float
) -> EqualTerms | None:
    """Return how equal the terms of these sums are, or None; `db` is multiplied as dz is."""
    near, small = near_terms(sums, factors, carried, db), small_terms(sums, batch, factors)
    if factors.weighted is None and near is None and small is None:
        return None
    count, width = sums.samples, len(factors.columns)
    often, left, right = np.zeros(width), np.zeros(len(carried.columns)), np.zeros(width)
    if factors.weighted is not None:
        share = factors.weighted / np.where(factors.columns > 0, factors.columns, np.inf)
        often = np.maximum(share - 1, 0.0)
    if near is not None:
        left[:], right = 1.0, near.share
        if near.slack < 1:
            digit = near.slack * np.sqrt(carried.columns[:-1] / count)
            close = factors.near_duplicates(factors.h, digit)
            left[:-1] = 0.0 if close is None else close.share
    return EqualTerms(count, sums.times, often, left, right, small)


def small_terms(sums: Sums, batch: Batch, factors: Factors) -> Small | None:
    """Return some terms of `[h, 1].T @ dz`, if there are near-duplicates among the rows."""
    found = batch.near_duplicates(sums.arithmetic.roundoff) if sums.samples > SHORT else None
    if found is None:
        return None
    right = factors.sampled(factors.dz, FEW)
    left = np.hstack([factors.sampled(factors.h, FEW), np.ones((len(right), 1))])
    return Small(left, right, *found)


def near_terms(sums: Sums, factors: Factors, carried: Gathered, db: Float) -> NearDuplicates | None:
    """Return the near-duplicates among the terms of `db`, which are the factors of those of dw."""
    if sums.samples <= SHORT:
        return None
    bias = carried.terms(slice(-1, None))[0] + sums.of_sum * np.square(db)
    size = np.sqrt(bias / sums.times) / sums.arithmetic.unit  # P
    return factors.near_duplicates(factors.dz, 2 * size * sums.arithmetic.roundoff)


def projection_allowance(shared: float, independent: float, norm: float) -> float:
    """Return A(<d, g> / <g, g>); `norm` is <g, g>, `independent` the sum of A**2 g**2.

    A sum's own rounding is independent from entry to entry, unless columns are alike: it adds in
    squares. What entries share, `shared`, is bounded by Cauchy and Schwarz; whether they do is not
    asked, so what was carried in counts both ways.
    """
    if norm == 0.0:
        return inf
    square = shared / norm + independent / norm / norm
    return sqrt(square) if square >= 0 else nan

"""Errors that several units share, followed through the layers by a few random ones.

Adding squares is for independent errors. What a layer of few units, or with weights of low rank,
hands on is not independent: behind it all units have one error, which adds up with the weights of
the next layer, or cancels, and may do so in every layer after that (measured: honest differences of
33 allowances at the logits of five aligned layers). So errors of the allowed sizes and random signs
are drawn where they arise and carried through the linearised network, as they are, in some of the
rows. Where they come to more than the sum of squares, the allowance is what they come to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compare.allowance.rules import ActivationRule
from compare.allowance.sample import sampled
from compare.contracts.arrays import Float, Real

ROWS, DRAWN = 16, 128
"""In so many rows, so many errors in all: what a unit is allowed is their mean, right to 1/8."""
NOISE, NOISE_OF_ROW = 1.25, 2.5
"""By how much the mean square of independent errors may exceed what it should be by chance: of all
that are drawn for a unit, and of the 8 or more in one row."""
STEP = 2.0**-12
"""Half of the distance over which it is seen whether a slope rises."""


@dataclass
class Propagated:
    """Errors on their way through a network, (R, S, H): R of them in each of S `rows`.

    `hidden`: those of the values that a hidden layer's slopes are written in: the way back shares
    them.
    """

    rows: slice | NDArray[np.int64]
    draws: int
    every: bool = False
    entries: Float | None = None
    hidden: dict[int, Float] = field(default_factory=dict)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @classmethod
    def of(cls, count: int, *, every: bool, weights: Float | None = None) -> Propagated:
        """Start at the inputs of `count` samples, which have no error; `every`: in all of them.

        `weights`: how much each counts in the sums over the batch, (N,). Half of the rows are those
        that count most: one may decide a gradient, and have errors as no other has.
        """
        rows = slice(None) if every else chosen(count, weights)
        return cls(rows, -(-DRAWN // min(count, ROWS)), every)

    def start(self, square: Float) -> None:
        """Start anew with independent errors of these squared sizes, (S, H)."""
        self.entries = self._drawn(square)

    def through(self, right: Real, own: Float, rule: Float) -> Float:
        """Go on to `left @ right`, which rounds by `own`; return how far `rule` is exceeded.

        `own` and `rule`, squared allowances, (S, H). Returns a factor for each unit, (H,), or, if
        every row is followed, for each entry.
        """
        before, self.entries = self.entries, self._drawn(own)
        if before is None:
            return np.ones(rule.shape[1])
        made = self.entries
        made += before @ right
        square = np.add.reduce(np.square(made)) / self.draws  # (S, H)
        quotients = np.divide(square, rule, out=np.ones(rule.shape), where=rule > 0)
        factor = np.add.reduce(quotients) / (len(quotients) * NOISE)
        total = np.add.reduce(rule)
        of_sum = np.divide(np.add.reduce(square), total, out=np.ones_like(total), where=total > 0)
        factor = np.maximum(factor, of_sum / NOISE_OF_ROW)
        if self.every:
            factor = np.maximum(factor, quotients / NOISE_OF_ROW)
        factor[~((factor > 1) & np.isfinite(factor))] = 1.0
        return np.asarray(factor)

    def activated(self, rule: ActivationRule, z: Real, h: Real, layer: int) -> None:
        """Go on to `h = f(z)`; `z` and `h`: the values in these rows."""
        assert self.entries is not None
        before, through = self.entries, widest(z if rule.of_z else h)
        self.entries = before * rule.slope(through)
        self.hidden[layer] = before if rule.of_z else self.entries

    def sloped(
        self, rule: ActivationRule, through: Real, dh: Real, unit: float, layer: int
    ) -> None:
        """Go on to `dz = dh * f'`, in which f' has the error of what it is written in."""
        assert self.entries is not None
        through = widest(through)
        self.entries = self.entries * rule.slope(through)
        if rule.bend is not None:
            rising = rule.slope(through + STEP) > rule.slope(through - STEP)
            bend = np.where(rising, 1.0, -1.0) * rule.bend(through)
            self.entries += dh * bend * self.hidden[layer]
            rounding = np.full(through.shape, (rule.slope_rounding * unit) ** 2)
            self.entries += dh * self._drawn(rounding)

    def _drawn(self, square: Float) -> Float:
        drawn: Float = self.random.standard_normal((self.draws, *square.shape))
        drawn *= np.sqrt(square)
        return drawn


def chosen(count: int, weights: Float | None) -> slice | NDArray[np.int64]:
    """Return which rows are followed: some of all, and those of the largest weights."""
    if weights is None or count <= ROWS:
        return sampled(count, ROWS)
    heaviest = np.argpartition(weights, -ROWS // 2)[-ROWS // 2 :]
    return np.union1d(heaviest, np.arange(count)[sampled(count, ROWS // 2)])


def widest(entries: Real) -> Float:
    """Return the same in float64."""
    return np.asarray(entries, dtype=np.float64)

"""One number for the whole of an update: it sees a wrong factor that every single entry hides.

    <manual - reference, d> / <d, d>        d = the change of the parameter, or the velocity

Every entry of an update is rounded on its own, so in this mean of n of them roundings shrink like
the square root of n. Two kinds do not: those of the learning rate and the momentum, which all
entries share, and those of entries that are equal (constant weights, equal units).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np

from compare.allowance.arithmetic import LAMBDA, quiet
from compare.checks.comparison import HONEST, Comparison
from compare.checks.ratio import ratio
from compare.checks.transition import IN_STATE, Transition
from compare.contracts.arrays import Float, Real
from compare.contracts.measured import Worst

SHARED = 4 / (LAMBDA * sqrt(IN_STATE))
"""What rate and momentum may round, on both sides, as a part of A(v): four times u at most."""
LOOKED_AT = 256
"""So many entries tell how many are equal; all of them if there are no more than `FEW`."""
FEW = 640
GOLDEN = (sqrt(5) - 1) / 2

Along = Callable[[slice], Float]


@dataclass(frozen=True)
class Projection:
    """One of a tensor: `expected` entries, along which direction `d`, <d, d>, and its allowance

        sqrt(m squares) / <d, d> + shared / <d, d>

    of `squares` = sum_i A_i**2 d_i**2 and `shared` = SHARED sum_i A(v)_i |d_i|.
    """

    expected: Real
    along: Along
    operands: tuple[Real, Real, Real]
    norm: float
    squares: float
    shared: float

    @cached_property
    def alike(self) -> float:
        """Return m, how many entries are rounded alike."""
        return alike_entries(*self.operands)

    @quiet
    def allowance(self, alike: float = 1.0) -> float:
        """Return what rounding may make of it; infinity where there is no direction."""
        if not 0.0 < self.norm < np.inf:
            return np.inf
        return (sqrt(alike * self.squares) + self.shared) / self.norm

    @quiet
    def compare(self, name: str, manual: Real, parts: list[slice]) -> Comparison | None:
        """Hold `manual` against it; None where there is no direction, or no finite allowance.

        Entries that are rounded alike are only looked for where it matters.
        """
        allowance = self.allowance()
        if not np.isfinite(allowance):
            return None
        moved = 0.0
        for part in parts:
            error = np.subtract(manual[part], self.expected[part], dtype=np.float64)
            moved += float(np.vdot(error, self.along(part)))
        shift = moved / self.norm
        if abs(shift) > HONEST * allowance:
            allowance = self.allowance(self.alike)
        size = abs(shift)
        worst = Worst(size, allowance, float(ratio(size, allowance)), (), 1 + shift, 1.0)
        return Comparison(name, worst, bool(np.isfinite(shift)), True)


@dataclass(frozen=True)
class Projections:
    """Those of an update: of the change of the parameter, `w`, and of its velocity, `v`."""

    now: Transition

    @cached_property
    def w(self) -> Projection:
        """Return that of the change."""
        now = self.now
        sums = self._sums(now.change, now.parameter_allowance, abs(now.into_parameter))
        return Projection(now.next_w, now.change, (now.next_v, now.next_w, now.next_v), *sums)

    @cached_property
    def v(self) -> Projection:
        """Return that of the velocity."""
        now = self.now
        sums = self._sums(now.velocity, lambda part, state: state, 1.0)
        return Projection(now.next_v, now.velocity, (now.next_v, now.dw, now.v), *sums)

    @quiet
    def _sums(
        self, along: Along, allowance: Callable[[slice, Float], Float], of_state: float
    ) -> list[float]:
        """Return <d, d>, `squares` and `shared`; a rounding of the state counts `of_state`."""
        sums = np.zeros(3)
        for part in self.now.parts:
            state = self.now.state_allowance(part)
            sums += added(along(part), allowance(part, state), state)
        sums[2] *= SHARED * of_state
        return sums.tolist()

    def smallest_change(self) -> float:
        """Return the relative error of the change that moves its projection by its allowance."""
        return self.w.allowance(self.w.alike)

    @quiet
    def smallest_error(self, factor: float, term: Real) -> float:
        """Return the error of `factor * term` that moves v's projection by its allowance."""
        now, v = self.now, self.v
        moved = 0.0
        for part in now.parts:
            moved += float(np.vdot(term[part].astype(np.float64), now.velocity(part)))
        moved = abs(factor * moved)
        return v.allowance(v.alike) * v.norm / moved if moved > 0 else np.inf


def added(along: Float, allowance: Float, state: Float) -> tuple[float, float, float]:
    """Return `<d, d>`, `sum A**2 d**2` and `sum A(v) |d|` of a part of the entries."""
    size = np.abs(along)
    weighed = allowance * size
    return float(np.vdot(size, size)), float(np.vdot(weighed, weighed)), float(np.vdot(state, size))


def alike_entries(counted: Real, one: Real, other: Real) -> float:
    """Return how many entries the usual one is rounded alike with: equal in both arrays.

    The share of equal pairs among some entries, spread evenly, times all entries. Where `counted`
    is 0 they do not count.
    """
    count = one.size
    at = np.arange(count)
    if count > FEW:
        at = (np.arange(LOOKED_AT) * GOLDEN % 1 * count).astype(np.intp)
    pairs = np.empty(len(at), np.complex128)
    pairs.real, pairs.imag = np.abs(one[at]), np.abs(other[at])
    pairs = np.sort(pairs[counted[at] != 0])
    if len(pairs) < 2:
        return 1.0
    often = np.diff(np.flatnonzero(np.r_[True, pairs[1:] != pairs[:-1], True]))
    share = float(often @ (often - 1)) / (len(pairs) * (len(pairs) - 1))
    return 1.0 + share * max(0.0, count * len(pairs) / len(at) - 1)

"""One number for the whole of an update: it sees a wrong factor that every single entry hides.

    <manual - reference, d> / <d, d>        d = the change of the parameter, or the velocity

Every entry of an update is rounded on its own, so in this mean of n of them roundings shrink like
the square root of n. Two kinds do not: those of the learning rate and the momentum, which all
entries share, and those of entries that are equal (constant weights, equal units).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np

from compare.allowance.arithmetic import LAMBDA, quiet
from compare.checks.comparison import Comparison
from compare.checks.ratio import ratio
from compare.checks.transition import IN_STATE, Float, Real, Transition
from compare.contracts.result import Worst

SHARED = 4 / (LAMBDA * sqrt(IN_STATE))
"""What rate and momentum may round, on both sides, as a part of A(v): four times u at most."""
LOOKED_AT = 256
"""So many entries tell how many are equal; all of them if there are no more than `FEW`."""
FEW = 640
GOLDEN = (sqrt(5) - 1) / 2

Along = Callable[[slice], Float]


@dataclass(frozen=True, slots=True)
class Projection:
    """How a whole tensor is compared: `expected` entries, along which direction `d`, <d, d>, and
    what rounding may make of the projection."""

    expected: Real
    along: Along
    norm: float
    allowance: float

    @quiet
    def compare(self, name: str, manual: Real, parts: list[slice]) -> Comparison | None:
        """Hold `manual` against it; None where there is no direction, or no finite allowance."""
        if not (0.0 < self.norm < np.inf and np.isfinite(self.allowance)):
            return None
        moved = 0.0
        for part in parts:
            error = np.subtract(manual[part], self.expected[part], dtype=np.float64)
            if error.any():  # NaN is
                moved += float(np.vdot(error, self.along(part)))
        shift = moved / self.norm
        size = abs(shift)
        worst = Worst(size, self.allowance, float(ratio(size, self.allowance)), (), 1 + shift, 1.0)
        return Comparison(name, worst, bool(np.isfinite(shift)), True)


@dataclass(frozen=True, slots=True)
class Projections:
    """Those of the change of a parameter, `w`, and of its velocity, `v`.

    `of_gradient` and `of_velocity`: by how much the projection of the new velocity moves, for a
    relative error of 1 in the term of the gradient or of the old velocity.
    """

    w: Projection
    v: Projection
    of_gradient: float
    of_velocity: float


@quiet
def project(now: Transition) -> Projections:
    """Return both projections of an update, with their allowances.

        sqrt(m sum_i A_i**2 d_i**2) / <d, d>  +  SHARED sum_i A(v)_i |d_i| / <d, d>

    m: how many entries are rounded alike.
    """
    sums = np.zeros((2, 3))  # <d, d>, the squares, and what is shared; of w and of v
    from_gradient = from_velocity = 0.0
    for part in now.parts:
        v = now.next_v[part].astype(np.float64)
        state, change = now.state_allowance(part), now.change(part)
        sums[0] += added(change, now.parameter_allowance(part, state), state)
        sums[1] += added(v, state, state)
        from_gradient += float(np.vdot(now.dw[part], v))
        from_velocity += float(np.vdot(now.v[part], v))
    norms = sums[:, 0]
    alike = [alike_entries(now.next_v, *two) for two in ((now.next_w, now.next_v), (now.dw, now.v))]
    shared = SHARED * sums[:, 2] * (abs(now.into_parameter), 1.0)
    w, v_ = (np.sqrt(np.array(alike) * sums[:, 1]) + shared) / norms
    terms = np.abs((now.into_state * from_gradient, now.momentum * from_velocity)) / norms[1]
    return Projections(
        Projection(now.next_w, now.change, float(norms[0]), float(w)),
        Projection(now.next_v, now.velocity, float(norms[1]), float(v_)),
        *map(float, terms),
    )


def added(along: Float, allowance: Float, state: Float) -> tuple[float, float, float]:
    """Return `<d, d>`, `sum A**2 d**2` and `sum A(v) |d|` of a part of the entries."""
    size = np.abs(along)
    weighed = allowance * size
    return float(np.vdot(size, size)), float(np.vdot(weighed, weighed)), float(np.vdot(state, size))


def alike_entries(counted: Real, one: Real, other: Real) -> float:
    """Return how many entries the usual one is rounded alike with: equal in both arrays.

    Entries where `counted` is 0 do not count.

    The share of equal pairs among some entries, spread evenly, times all entries.
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

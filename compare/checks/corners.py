"""Corners above the last layer, resolved as hidden kinks are.

At a corner of an absolute error, a hinge or a ReLU output each entry takes one of the two slopes
beside it, or the one slope that its implementation takes exactly at the corner: never one for each
entry. The difference of the gradients is exact in these slopes, so they are fitted, and what is
left must be within the allowance of a reference that takes them itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from compare.allowance import Allowances
from compare.checks.exact import Forward, Rows, the_same_everywhere
from compare.checks.joint_fit import MOST_RESOLVED, Joint, common_share, few
from compare.checks.kinks import CONVENTIONS, KinkExplanation, explanations
from compare.checks.slopes import Above, ReferencePoint, Slopes, effect, substituted
from compare.contracts.arrays import Float, Mask, Real, Values
from compare.contracts.objective import Objective
from compare.textbook.corners import Corners, corners_of
from compare.textbook.losses import LOSS_RULES, OUTPUT_RULES
from compare.textbook.pair import Pair, exact

Allow = Callable[[Values, Values], Allowances]


def has_corners(objective: Objective) -> bool:
    """Whether a loss or its output has a point without a derivative."""
    rules = LOSS_RULES[objective.loss], OUTPUT_RULES[objective.output]
    return any(rule.corner is not None for rule in rules)


@dataclass(frozen=True)
class Listed:
    """Those of the corners that are `asked`; the others keep the shares of `base`."""

    corners: Corners
    asked: Mask
    base: Float

    @property
    def shares(self) -> Float:
        """The reference's own."""
        return self.corners.shares[self.asked]

    def slopes(self, shares: Float) -> Slopes:
        """The changes of slope that give these shares."""
        every = self.base.copy()
        every[self.asked] = shares
        moved, corners = every != self.corners.shares, self.corners
        if not moved.any():
            return Slopes()
        dlogits = corners.dlogits(every)
        taken = corners.taken(every)[moved]
        places = corners.rows[moved], corners.units[moved]
        return Slopes(above=Above(*places, corners.margin[moved], taken, dlogits))


@dataclass(frozen=True)
class AtCorners:
    """What corners may do at one point. `widened`: the allowances of all they may do together."""

    point: ReferencePoint
    gradients: Values
    objective: Objective
    targets: Real
    allow: Allow
    widened: Callable[[], Allowances]

    @cached_property
    def corners(self) -> Corners | None:
        """Those that rounding reaches, or None."""
        values, dtype = self.point.values, self.point.x.dtype
        allowed = self.point.allowances.forward.head.logits.T
        z, y = Pair(values["logits"].astype(np.float64), allowed, dtype), exact(self.targets, dtype)
        return corners_of(z, y, self.objective, values["p"], self._never_rounded)

    def explanations(self, difference: Mapping[str, Float]) -> Iterator[KinkExplanation]:
        """Yield what may explain `difference`, which is `manual - gradients`: simplest first."""
        corners = self.corners
        if corners is None:
            return
        searched = resolved = int((~corners.exact).sum()) <= MOST_RESOLVED
        for share in self._conventions(corners, difference):
            base = corners.shares
            if share is not None:
                base = np.where(corners.exact, share, base)
                slopes = Listed(corners, corners.exact, base).slopes(base[corners.exact])
                yield from self._with(slopes, difference)
            near = Listed(corners, ~corners.exact, base)
            if resolved and len(near.shares):
                for part in self._parts(difference):
                    if not few(len(near.shares), part):
                        searched = False
                        continue
                    joint = Joint(self.point, near, part, share)
                    for slopes in joint.proposals():
                        yield from self._with(slopes, difference)
                    searched &= joint.searched
        if not searched:
            yield KinkExplanation(self.gradients, self.widened(), widened=True)

    def _conventions(
        self, corners: Corners, difference: Mapping[str, Float]
    ) -> Iterator[float | None]:
        """Yield the shares that corners nobody rounds may have in common; None without any."""
        if not corners.exact.any():
            yield None
            return
        yield from CONVENTIONS
        listed = Listed(corners, corners.exact, corners.shares)
        fitted = common_share(self.point, listed, difference)
        if fitted is not None:
            yield fitted

    def _parts(self, difference: Mapping[str, Float]) -> Iterator[Mapping[str, Float]]:
        """Yield the gradients to fit: all, or those of the last layer, which no hidden kink
        reaches."""
        depth = self.point.depth
        yield difference
        yield {
            name: left for name, left in difference.items() if name in (f"w{depth}", f"b{depth}")
        }

    def _with(self, slopes: Slopes, difference: Mapping[str, Float]) -> Iterator[KinkExplanation]:
        """Yield what a side with these slopes is held against, and with hidden kinks besides."""
        moved = effect(self.point, slopes)
        gradients = {name: one + moved[name] for name, one in self.gradients.items()}
        values = substituted(self.point, slopes)
        allowances = self.allow(values, gradients)
        yield KinkExplanation(gradients, allowances, slopes)
        there = replace(self.point, values=values, allowances=allowances)
        left = {name: one - moved[name] for name, one in difference.items()}
        for other in explanations(there, gradients, left, self.allow):
            yield replace(other, slopes=slopes.with_those(other.slopes))

    def _never_rounded(self, rows: Rows) -> Mask:
        """Return of which rows no logit is ever rounded."""
        point = self.point
        if point.inside:
            return np.zeros(len(rows), dtype=bool)
        units = np.arange(point.values["logits"].shape[1])
        every = np.repeat(np.unique(rows), len(units))
        at = every, np.tile(units, len(every) // len(units))
        forward = Forward(point.parameters, point.x, point.values, point.activation)
        fixed = the_same_everywhere(forward, {point.depth: at})[point.depth]
        whole: Mask = np.all(fixed.reshape(-1, len(units)), axis=1)
        return whole[np.searchsorted(np.unique(rows), rows)]

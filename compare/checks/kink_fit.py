"""Finding the slopes at kinks that explain a difference: layer by layer, or all at once.

A unit on a kink takes one of the two slopes beside it, or, where its implementation's own z is
exactly on the kink, the one slope that implementation takes there: never one slope for each unit.
Slopes are written as shares: 0 is the flatter side, 1 the steeper one, in between what is common.

Only column j of dw and db of a layer sees its unit j, so a layer falls apart into small problems,
from the last layer to the first. Where these leave a choice (rows with equal inputs, more kinks
than inputs) the gradients of the layers below decide, and all slopes are fitted at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.checks.discrete import choose
from compare.checks.exact import Candidates, Rows
from compare.checks.joint_fit import MOST_RESOLVED, Common, Joint, choices, few, nearest
from compare.checks.slopes import ReferencePoint, Slopes, count, effect, one_sided, slopes_of
from compare.contracts.arrays import Float

MOST_FITTED = 4096
"""More units than this on a kink are not fitted unit by unit."""


@dataclass(frozen=True)
class Units:
    """All candidates of all layers in one list: the reference's slopes, and the two beside them."""

    near: Candidates
    own: Float
    low: Float
    high: Float

    @classmethod
    def of(cls, point: ReferencePoint, near: Candidates) -> Units:
        """List the candidates of a point, layer by layer."""
        own = [slopes_of(point, layer, *at) for layer, at in near.items()]
        sides = [one_sided(point, layer, *at) for layer, at in near.items()]
        low, high = (np.concatenate(side) for side in zip(*sides, strict=True))
        return cls(near, np.concatenate(own), low, high)

    @property
    def shares(self) -> Float:
        """The reference's own shares."""
        return (self.own - self.low) / (self.high - self.low)

    def slopes(self, shares: Float) -> Slopes:
        """The changes of slope that give these shares."""
        change = self.low + shares * (self.high - self.low) - self.own
        found, start = Slopes(), 0
        for layer, (rows, units) in self.near.items():
            found.put(layer, rows, units, change[start : start + len(rows)])
            start += len(rows)
        return found


@dataclass
class Fit:
    """Slopes that may explain `difference`; `searched`: whether all there are were tried.

    `common` is the share at units exactly on a kink, or None where it is not known: then what a
    plain fit asks for is tried.
    """

    point: ReferencePoint
    near: Candidates
    difference: Mapping[str, Float]
    common: float | None
    searched: bool = True

    def proposals(self) -> Iterator[Slopes]:
        """Yield slopes to try, the quickest found first."""
        units = count(self.near)
        self.searched = units <= MOST_RESOLVED
        if not 0 < units <= MOST_FITTED:
            return
        if not any(one.gamma is not None for one in self.point.inside.values()):
            slopes, asked = self.by_layers(choices(self.common))
            yield slopes
            if self.common is None and asked is not None:
                yield self.by_layers(choices(asked))[0]
        if units <= MOST_RESOLVED and few(units, self.difference):
            self.searched = True  # however the layers alone fared
            yield from self.jointly()

    def by_layers(self, shares: tuple[float, ...]) -> tuple[Slopes, float | None]:
        """Fit the layers from the last to the first: a slope changes everything below it.

        Also returns the share in between that the uppermost layer with one asks for.
        """
        slopes, asked = Slopes(), Common()
        for layer in sorted(self.near, reverse=True):
            here = Common()
            self._layer(layer, slopes, shares, here)
            asked = here if asked.share is None else asked
        return slopes, asked.share

    def _layer(self, layer: int, slopes: Slopes, shares: tuple[float, ...], asked: Common) -> None:
        """Fit the slopes of one layer, unit by unit: only column j of dw and db sees unit j."""
        rows, units = self.near[layer]
        moved = effect(self.point, slopes) if len(slopes) else {}
        listed = Units.of(self.point, {layer: self.near[layer]})
        dh = _upstream(self.point, slopes, rows, layer)[np.arange(len(rows)), units]
        rise = (listed.high - listed.low) * dh
        found = listed.shares
        for unit in np.unique(units):
            mine = np.flatnonzero(units == unit)
            h = self.point.inputs_of(layer)[rows[mine]].astype(np.float64)
            columns = (np.column_stack((h, np.ones(len(mine)))) * rise[mine, None]).T
            left, scale = self._of_unit(layer, int(unit), moved)
            columns = columns[: len(left)]  # without that of the bias, if there is none
            scale += np.finfo(self.point.x.dtype).eps * np.abs(columns).sum(axis=1)
            scale[~(np.isfinite(scale) & (scale > 0))] = np.inf  # these entries tell nothing
            columns, left = columns / scale[:, None], left / scale  # (fan_in + 1, kinks)
            plain = found[mine] + np.linalg.lstsq(columns, left, rcond=None)[0]
            asked.see(plain, np.linalg.norm(columns, axis=0))
            left += columns @ found[mine]
            chosen = choose(columns, left, found[mine], shares, np.sqrt(len(left)))
            self.searched &= chosen.searched
            found[mine] = nearest(plain, shares) if chosen.values is None else chosen.values
        slopes.put(layer, rows, units, listed.low + found * (listed.high - listed.low) - listed.own)

    def _of_unit(self, layer: int, unit: int, moved: Mapping[str, Float]) -> tuple[Float, Float]:
        """The entries of one unit's dw and db that are left to explain, and their allowances."""
        names = [name for name in (f"w{layer}", f"b{layer}") if name in self.point.parameters]
        left, allowed = (
            np.hstack([table[name][..., unit] for name in names])
            for table in (self.difference, self.point.allowances.gradients)
        )
        if moved:
            left -= np.hstack([moved[name][..., unit] for name in names])
        return left, allowed

    def jointly(self) -> Iterator[Slopes]:
        """Fit all slopes at once."""
        joint = Joint(self.point, Units.of(self.point, self.near), self.difference, self.common)
        yield from joint.proposals()
        self.searched &= joint.searched


def _upstream(point: ReferencePoint, slopes: Slopes, rows: Rows, layer: int) -> Float:
    """dh of `layer` for `rows`, (R, H), with the slopes above it already changed."""
    rule = ACTIVATION_RULES[point.activation]
    dz = point.values["dlogits"][rows].astype(np.float64)
    for above in range(point.depth, layer, -1):
        dh: Float = dz @ point.parameters[f"w{above}"].astype(np.float64).T
        dh *= point.kept(above - 1, rows)
        if above - 1 == layer:
            return dh
        slope = rule.slope(point.through(above - 1)[rows].astype(np.float64))
        if above - 1 in slopes.change:
            for row, unit, change in zip(
                slopes.rows[above - 1], slopes.units[above - 1], slopes.change[above - 1],
                strict=True,
            ):  # fmt: skip
                slope[rows == row, unit] += change
        dz = dh * slope
    raise AssertionError("a hidden layer lies below the last one")

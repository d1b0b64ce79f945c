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
from dataclasses import dataclass, field

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.checks.discrete import bounded, choose
from compare.checks.exact import Candidates, Rows
from compare.checks.slopes import ReferencePoint, Slopes, count, effect, one_sided, slopes_of
from compare.contracts.arrays import Float

MOST_FITTED = 4096
"""More units than this on a kink are not fitted unit by unit."""
MOST_RESOLVED = 64
"""More than this are not fitted jointly, and if nothing explains them the allowance is widened."""
MOST_ENTRIES = 1 << 22
"""A joint fit has at most this many numbers: entries of the gradients times units."""
ROUNDS = 3
"""Two slopes of one row in different layers multiply, so the joint fit is repeated."""
IN_BETWEEN = 1e-3
"""A share nearer than this to 0 or 1 asks for no slope in between."""


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
class Common:
    """The share in between that a plain fit asks for where it is surest of it."""

    share: float | None = None
    weight: float = field(default=0.0, repr=False)

    def see(self, shares: Float, weights: Float) -> None:
        """Look at the shares of a plain fit; the weights say how sure it is of each."""
        between = (shares > IN_BETWEEN) & (shares < 1 - IN_BETWEEN)
        weights = np.where(between, weights, 0.0)
        surest = int(weights.argmax())
        if weights[surest] > self.weight:
            self.share, self.weight = float(shares[surest]), float(weights[surest])


def nearest(shares: Float, usual: tuple[float, ...]) -> Float:
    """Return the choice nearest to each share."""
    taken: Float = np.asarray(usual)[np.abs(shares[:, None] - np.asarray(usual)).argmin(axis=1)]
    return taken


def choices(common: float | None) -> tuple[float, ...]:
    """Return the shares a unit may take, ascending."""
    return (0.0, 1.0) if common in (None, 0.0, 1.0) else (0.0, common, 1.0)


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
        entries = sum(left.size for left in self.difference.values()) * units
        if units <= MOST_RESOLVED and entries <= MOST_ENTRIES:
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
        moved = effect(self.point, slopes)
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
        left, taken, allowed = (
            np.hstack([table[name][..., unit] for name in names])
            for table in (self.difference, moved, self.point.allowances.gradients)
        )
        return left - taken, allowed

    def jointly(self) -> Iterator[Slopes]:
        """Fit all slopes at once."""
        point, difference = self.point, self.difference
        units, weigh = Units.of(point, self.near), weighing(point, difference)
        shares = units.shares
        low, high = np.zeros(len(shares)), np.ones(len(shares))
        for _ in range(ROUNDS):
            columns, target = linearised(point, units, shares, difference, weigh)
            shares = bounded(columns, target, shares, low, high)
        asked = Common()
        asked.see(shares, np.linalg.norm(columns, axis=0))
        unknown = self.common is None and asked.share is not None
        for common in (None, asked.share) if unknown else (self.common,):
            found = shares
            for _ in range(ROUNDS):
                columns, target = linearised(point, units, found, difference, weigh)
                chosen = choose(
                    columns, target, units.shares, choices(common), np.sqrt(len(target))
                )
                self.searched &= chosen.searched
                if chosen.values is None:
                    break
                found = chosen.values
                yield units.slopes(found)


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


Weigh = Mapping[str, Float]


def weighing(point: ReferencePoint, difference: Mapping[str, Float]) -> Weigh:
    """Return what each entry of the gradients is divided by: its allowance, and a rounding."""
    scale = {
        name: point.allowances.gradients[name]
        + np.finfo(point.x.dtype).eps * float(np.abs(left).max())
        for name, left in difference.items()
    }
    for entries in scale.values():
        entries[~(np.isfinite(entries) & (entries > 0))] = np.inf  # nothing can be told from these
    return scale


def linearised(
    point: ReferencePoint,
    units: Units,
    shares: Float,
    difference: Mapping[str, Float],
    weigh: Weigh,
) -> tuple[Float, Float]:
    """Return columns and target of `columns @ shares = target`, right near these shares."""

    def weighed(moved: Mapping[str, Float]) -> Float:
        return np.concatenate([(moved[name] / weigh[name]).ravel() for name in weigh])

    base = weighed(effect(point, units.slopes(shares)))
    steps = np.where(shares <= 0.5, 1.0, -1.0)
    columns = np.stack(
        [
            (weighed(effect(point, units.slopes(shares + step))) - base) / step.sum()
            for step in np.diag(steps)
        ],
        axis=1,
    )
    return columns, weighed(difference) - base + columns @ shares


def common_share(
    point: ReferencePoint, near: Candidates, difference: Mapping[str, Float]
) -> float | None:
    """Return the one share of all these units that explains most, if it lies in between."""
    units, weigh = Units.of(point, near), weighing(point, difference)
    share = 0.5
    for _ in range(2 * ROUNDS):
        moved, beside = (
            effect(point, units.slopes(np.full(len(units.own), at))) for at in (share, share / 2)
        )
        along = left = 0.0
        for name, scale in weigh.items():
            column = (moved[name] - beside[name]) / (share / 2 * scale)
            along += float(np.vdot(column, column))
            left += float(np.vdot(column, (difference[name] - moved[name]) / scale))
        if not along > 0:
            return None
        share += left / along
        if not IN_BETWEEN < share < 1 - IN_BETWEEN:
            return None
    return share

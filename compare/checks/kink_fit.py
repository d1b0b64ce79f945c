"""Finding the slopes at kinks that explain a difference: least squares, layer by layer or jointly.

Only column j of dw and db of a layer sees its unit j, so a layer falls apart into small problems,
from the last layer to the first. Where these leave a choice (rows with equal inputs, more kinks
than inputs) the gradients of the layers below decide, and all slopes are fitted at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compare.allowance.rules import ACTIVATION_RULES
from compare.checks.slopes import Candidates, Float, Point, Rows, Slopes, effect

SNAP = 0.05
"""A fitted slope this close to one of the usual choices (0, 1/2, 1) is taken to be that choice."""
ROUNDS = 3
"""Two slopes of one row in different layers multiply, so the joint fit is repeated."""
GAIN = 1e-12
"""A unit whose slope gains less than this part of the first gain is left where it is."""


def fit_by_layers(
    point: Point, near: Candidates, difference: Mapping[str, Float], snap: float
) -> Slopes:
    """Fit the layers from the last to the first: a slope changes everything below it."""
    slopes = Slopes()
    for layer in sorted(near, reverse=True):
        _fit_layer(point, near[layer], layer, difference, slopes, snap)
    return slopes


def _fit_layer(
    point: Point,
    near: tuple[Rows, Rows],
    layer: int,
    difference: Mapping[str, Float],
    slopes: Slopes,
    snap: float,
) -> None:
    """Fit the slopes of one layer, unit by unit: only column j of dw and db sees unit j."""
    rows, units = near
    moved = effect(point, slopes)
    slope = ACTIVATION_RULES[point.activation].slope(point.values[f"h{layer}"][rows, units])
    dh = _upstream(point, slopes, rows, layer)[np.arange(len(rows)), units]
    h = point.inputs_of(layer)
    change = np.zeros(len(rows))
    for unit in np.unique(units):
        mine = np.flatnonzero(units == unit)
        left = np.append(
            difference[f"w{layer}"][:, unit] - moved[f"w{layer}"][:, unit],
            difference[f"b{layer}"][unit] - moved[f"b{layer}"][unit],
        )
        scale = np.append(
            point.allowances.gradients[f"w{layer}"][:, unit],
            point.allowances.gradients[f"b{layer}"][unit],
        )
        scale[~np.isfinite(scale)] = np.inf  # nothing can be told from these entries
        beside = np.column_stack((h[rows[mine]].astype(np.float64), np.ones(len(mine))))
        columns = (beside * dh[mine, None]).T  # (fan_in + 1, kinks of this unit)
        change[mine] = np.linalg.lstsq(columns / scale[:, None], left / scale, rcond=None)[0]
    slopes.put(layer, rows, units, _between(slope + change, snap) - slope)


def _between(slope: Float, snap: float) -> Float:
    """Clip to what lies between the one-sided slopes, and snap to the usual choices."""
    clipped = np.clip(slope, 0.0, 1.0)
    usual = np.round(clipped * 2) / 2
    return np.where(np.abs(clipped - usual) <= snap, usual, clipped)


def _upstream(point: Point, slopes: Slopes, rows: Rows, layer: int) -> Float:
    """dh of `layer` for `rows`, (R, H), with the slopes above it already changed."""
    rule = ACTIVATION_RULES[point.activation]
    dz = point.values["dlogits"][rows].astype(np.float64)
    for above in range(point.depth, layer, -1):
        dh: Float = dz @ point.parameters[f"w{above}"].astype(np.float64).T
        if above - 1 == layer:
            return dh
        slope = rule.slope(point.values[f"h{above - 1}"][rows].astype(np.float64))
        if above - 1 in slopes.change:
            for row, unit, change in zip(
                slopes.rows[above - 1], slopes.units[above - 1], slopes.change[above - 1],
                strict=True,
            ):  # fmt: skip
                slope[rows == row, unit] += change
        dz = dh * slope
    raise AssertionError("a hidden layer lies below the last one")


@dataclass(frozen=True)
class Units:
    """All candidates of all layers in one list; `slope` is the reference's."""

    near: Candidates
    slope: Float

    def slopes(self, change: Float) -> Slopes:
        """The changes, one per unit of the list, layer by layer."""
        found, start = Slopes(), 0
        for layer, (rows, units) in self.near.items():
            found.put(layer, rows, units, change[start : start + len(rows)])
            start += len(rows)
        return found


def fit_jointly(
    point: Point, near: Candidates, difference: Mapping[str, Float], snap: float
) -> Slopes:
    """Fit all slopes at once, each between the two one-sided ones."""
    rule = ACTIVATION_RULES[point.activation]
    own = [rule.slope(point.values[f"h{layer}"][at]) for layer, at in near.items()]
    units = Units(near, np.concatenate(own).astype(np.float64))
    scale = {
        name: point.allowances.gradients[name]
        + np.finfo(point.x.dtype).eps * float(np.abs(left).max())
        for name, left in difference.items()
    }
    for entries in scale.values():
        entries[~np.isfinite(entries)] = np.inf  # nothing can be told from these

    def weighed(moved: Mapping[str, Float]) -> Float:
        return np.concatenate([(moved[name] / scale[name]).ravel() for name in scale])

    change = np.zeros(len(units.slope))
    for _ in range(ROUNDS):
        base = effect(point, units.slopes(change))
        steps = np.where(units.slope + change <= 0.5, 1.0, -1.0)
        columns = [
            (weighed(effect(point, units.slopes(change + step))) - weighed(base)) / step.sum()
            for step in np.diag(steps)
        ]
        left = weighed({name: difference[name] - base[name] for name in difference})
        low, high = -units.slope - change, 1 - units.slope - change
        change = change + _bounded(np.stack(columns, axis=1), left, low, high)
    return units.slopes(_between(units.slope + change, snap) - units.slope)


def _bounded(columns: Float, left: Float, low: Float, high: Float) -> Float:
    """Least squares within bounds, from 0: free the unit that gains most, hold what hits a bound.

    Source: Stark & Parker 1995, Bounded-variable least-squares, Computational Statistics 10.
    """
    found = np.zeros(len(low))
    free = np.zeros(len(low), dtype=bool)
    for _ in range(3 * len(low)):
        gain = columns.T @ (left - columns @ found)
        gain[free | ((gain > 0) & (found >= high)) | ((gain < 0) & (found <= low))] = 0.0
        if np.abs(gain).max() <= GAIN * np.abs(columns.T @ left).max():
            break
        free[np.argmax(np.abs(gain))] = True
        _settle(columns, left, low, high, found, free)
    return found


def _settle(
    columns: Float, left: Float, low: Float, high: Float, found: Float, free: NDArray[np.bool_]
) -> None:
    """Move the free units to their best values; each that meets a bound on the way stays there."""
    while free.any():
        rest = left - columns[:, ~free] @ found[~free]
        best = np.linalg.lstsq(columns[:, free], rest, rcond=None)[0]
        way = best - found[free]
        room = np.where(way > 0, high[free] - found[free], low[free] - found[free])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(way != 0, room / way, np.inf)
        step = min(1.0, float(share.min()))
        found[free] = np.clip(found[free] + step * way, low[free], high[free])
        if step == 1.0:
            return
        free[np.flatnonzero(free)[share <= step]] = False

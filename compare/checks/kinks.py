"""Kinks: units whose pre-activation rounding may push across a point without a derivative.

ReLU at 0 has two right slopes, and anything between. Where two correct sides land on different
sides of it, a gradient moves by several per cent although nobody is wrong. So kinks are resolved,
not widened: the difference must be `sum_k t_k C_k`, with C_k the contribution of kink k to the
reference's gradient and t_k a change of slope between the one-sided slopes, and what is left
must be within the ordinary allowance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Allowances
from compare.allowance.rules import ACTIVATION_RULES

Float = NDArray[np.float64]
Values = Mapping[str, NDArray[np.floating]]

MOST_CANDIDATES = 4096
"""More units than this on a kink are not fitted one by one; their slopes are one convention."""
SNAP = 0.05
"""A fitted slope this close to one of the usual choices (0, 1/2, 1) is taken to be that choice."""
MOVED = 1e-6
"""A smaller change of slope is none."""


@dataclass
class Slopes:
    """Changes of slope `t` at units `(row, unit)`, per layer."""

    rows: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    units: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    change: dict[int, Float] = field(default_factory=dict)

    def put(
        self, layer: int, rows: NDArray[np.int64], units: NDArray[np.int64], change: Float
    ) -> None:
        """Set the changes of `layer`, leaving out those that are none."""
        moved = np.abs(change) > MOVED
        self.rows[layer], self.units[layer] = rows[moved], units[moved]
        self.change[layer] = change[moved]

    def __len__(self) -> int:
        return sum(len(change) for change in self.change.values())


@dataclass(frozen=True, slots=True)
class Point:
    """The reference's evaluation at which kinks are looked for."""

    parameters: Values
    x: NDArray[np.floating]
    values: Values
    allowances: Allowances
    activation: str

    @property
    def depth(self) -> int:
        """Number of layers L."""
        return len(self.parameters) // 2

    def inputs_of(self, layer: int) -> NDArray[np.floating]:
        """The array that `layer` multiplies, (N, fan_in)."""
        return self.x if layer == 1 else self.values[f"h{layer - 1}"]


def candidates(point: Point) -> dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return per hidden layer the `(rows, units)` with |z - kink| within the allowance of z."""
    found = {}
    for layer in range(1, point.depth):
        z = point.values[f"z{layer}"]
        allowance = np.sqrt(point.allowances.forward.z[layer].entries())
        near = np.zeros(z.shape, dtype=bool)
        for kink in ACTIVATION_RULES[point.activation].kinks:
            near |= np.abs(z - kink) <= allowance
        rows, units = np.nonzero(near)
        if len(rows):
            found[layer] = rows, units
    return found


def effect(point: Point, slopes: Slopes) -> dict[str, Float]:
    """Return how much each gradient moves when the slopes change: float64, exact in the changes."""
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *slopes.rows.values()]))
    rule = ACTIVATION_RULES[point.activation]
    moved: dict[str, Float] = {}
    dz = point.values["dlogits"][rows].astype(np.float64)  # (R, K), as it was
    dz_new = dz  # (R, K), with the changed slopes
    for layer in range(point.depth, 0, -1):
        h = point.inputs_of(layer)[rows].astype(np.float64)  # (R, fan_in)
        moved[f"w{layer}"] = h.T @ (dz_new - dz)
        moved[f"b{layer}"] = (dz_new - dz).sum(axis=0)
        if layer == 1:
            return moved
        w = point.parameters[f"w{layer}"].astype(np.float64)
        slope = rule.slope(h)
        slope_new = slope.copy()
        if layer - 1 in slopes.change:
            at = np.searchsorted(rows, slopes.rows[layer - 1])
            slope_new[at, slopes.units[layer - 1]] += slopes.change[layer - 1]
        dz, dz_new = (dz @ w.T) * slope, (dz_new @ w.T) * slope_new
    return moved


def excess(point: Point, difference: Mapping[str, Float], moved: Mapping[str, Float]) -> float:
    """Return the largest `|difference - moved| / allowance` over all gradients."""
    return max(
        float((np.abs(difference[k] - moved[k]) / point.allowances.gradients[k]).max())
        for k in difference
    )


@dataclass(frozen=True, slots=True)
class Resolution:
    """What explains a difference at kinks: `slopes`, and by how much each gradient `moved`.

    Past `MOST_CANDIDATES` the slopes are not resolved: `widened` is what all of them together may
    do, added up linearly because flips do not add in squares, and the point is weak.
    """

    slopes: Slopes
    moved: dict[str, Float]
    widened: dict[str, Float] | None = None


def resolve(point: Point, difference: Mapping[str, Float]) -> Resolution | None:
    """Return slopes at kinks that explain `manual - reference`, or None.

    First every unit that is exactly on a kink is given one common slope, because that is a
    convention; then the layers are fitted from the last to the first, because a slope changes
    everything below it.
    """
    near = candidates(point)
    if not near:
        return None
    for common in (1.0, 0.5):
        slopes = _exactly_on_a_kink(point, near, common)
        moved = effect(point, slopes)
        if len(slopes) and excess(point, difference, moved) <= 1.0:
            return Resolution(slopes, moved)
    if sum(len(rows) for rows, _ in near.values()) > MOST_CANDIDATES:
        nothing = effect(point, Slopes())
        return Resolution(Slopes(), nothing, _everything(point, near))
    slopes = Slopes()
    for layer in sorted(near, reverse=True):
        _fit_layer(point, near[layer], layer, difference, slopes)
    moved = effect(point, slopes)
    return Resolution(slopes, moved) if excess(point, difference, moved) <= 1.0 else None


def _everything(
    point: Point, near: Mapping[int, tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> dict[str, Float]:
    """The most that all candidates together can move each gradient, in any combination."""
    rule = ACTIVATION_RULES[point.activation]
    rows = np.unique(np.concatenate([rows for rows, _ in near.values()]))
    size = np.abs(point.values["dlogits"][rows].astype(np.float64))  # (R, K), bound of |dz|
    moved = np.zeros_like(size)  # (R, K), bound of its change
    widened: dict[str, Float] = {}
    for layer in range(point.depth, 0, -1):
        h = np.abs(point.inputs_of(layer)[rows].astype(np.float64))
        widened[f"w{layer}"] = h.T @ moved
        widened[f"b{layer}"] = moved.sum(axis=0)
        if layer == 1:
            return widened
        w = np.abs(point.parameters[f"w{layer}"].astype(np.float64))
        slope = np.abs(rule.slope(point.inputs_of(layer)[rows].astype(np.float64)))
        on_kink = np.zeros(slope.shape)
        if layer - 1 in near:
            on_kink[np.searchsorted(rows, near[layer - 1][0]), near[layer - 1][1]] = 1.0
        steepest = np.maximum(slope, on_kink)
        size, moved = (size @ w.T), (moved @ w.T)
        moved = moved * steepest + size * on_kink
        size = size * steepest
    return widened


def _exactly_on_a_kink(
    point: Point,
    near: Mapping[int, tuple[NDArray[np.int64], NDArray[np.int64]]],
    common: float,
) -> Slopes:
    """Slopes that give every unit with z == kink the same slope; the reference's there is 0."""
    slopes = Slopes()
    for layer, (rows, units) in near.items():
        at_zero = point.values[f"z{layer}"][rows, units] == 0
        slopes.put(layer, rows[at_zero], units[at_zero], np.full(int(at_zero.sum()), common))
    return slopes


def _fit_layer(
    point: Point,
    near: tuple[NDArray[np.int64], NDArray[np.int64]],
    layer: int,
    difference: Mapping[str, Float],
    slopes: Slopes,
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
            (difference[f"w{layer}"] - moved[f"w{layer}"])[:, unit],
            (difference[f"b{layer}"] - moved[f"b{layer}"])[unit],
        )
        scale = np.append(
            point.allowances.gradients[f"w{layer}"][:, unit],
            point.allowances.gradients[f"b{layer}"][unit],
        )
        beside = np.column_stack((h[rows[mine]].astype(np.float64), np.ones(len(mine))))
        columns = (beside * dh[mine, None]).T  # (fan_in + 1, kinks of this unit)
        change[mine] = np.linalg.lstsq(columns / scale[:, None], left / scale, rcond=None)[0]
    slopes.put(layer, rows, units, _between(slope + change) - slope)


def _between(slope: Float) -> Float:
    """Clip to what lies between the one-sided slopes, and snap to the usual choices."""
    clipped = np.clip(slope, 0.0, 1.0)
    usual = np.round(clipped * 2) / 2
    return np.where(np.abs(clipped - usual) <= SNAP, usual, clipped)


def _upstream(point: Point, slopes: Slopes, rows: NDArray[np.int64], layer: int) -> Float:
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

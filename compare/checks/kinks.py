"""Kinks: units whose pre-activation rounding may push across a point without a derivative.

ReLU at 0 has two right slopes, and anything between. Where two correct sides land on different
sides of it, a gradient moves by several per cent although nobody is wrong. So kinks are resolved,
not widened: the difference must be `sum_k t_k C_k`, with C_k the contribution of kink k to the
reference's gradient and t_k a change of slope between the one-sided slopes, and what is left
must be within the ordinary allowance of a reference that takes these slopes itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Allowances
from compare.allowance.rules import ACTIVATION_RULES

Float = NDArray[np.float64]
Values = Mapping[str, NDArray[np.floating]]
Candidates = Mapping[int, tuple[NDArray[np.int64], NDArray[np.int64]]]
"""Per hidden layer the `(rows, units)` that may be on a kink."""

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


def candidates(point: Point) -> Candidates:
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


def shifts(point: Point, slopes: Slopes) -> tuple[NDArray[np.int64], dict[int, Float]]:
    """Return the rows with changed slopes, and how much dz of each layer moves there, (R, H)."""
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *slopes.rows.values()]))
    rule = ACTIVATION_RULES[point.activation]
    dz = point.values["dlogits"][rows].astype(np.float64)  # (R, K), as it was
    dz_new = dz  # (R, K), with the changed slopes
    found = {point.depth: dz_new - dz}
    for layer in range(point.depth - 1, 0, -1):
        w = point.parameters[f"w{layer + 1}"].astype(np.float64)
        slope = rule.slope(point.values[f"h{layer}"][rows].astype(np.float64))
        slope_new = slope.copy()
        if layer in slopes.change:
            at = np.searchsorted(rows, slopes.rows[layer])
            slope_new[at, slopes.units[layer]] += slopes.change[layer]
        dz, dz_new = (dz @ w.T) * slope, (dz_new @ w.T) * slope_new
        found[layer] = dz_new - dz
    return rows, found


def effect(point: Point, slopes: Slopes) -> dict[str, Float]:
    """Return how much each gradient moves when the slopes change: float64, exact in the changes."""
    rows, moved = shifts(point, slopes)
    found: dict[str, Float] = {}
    for layer, dz in moved.items():
        found[f"w{layer}"] = point.inputs_of(layer)[rows].astype(np.float64).T @ dz
        found[f"b{layer}"] = dz.sum(axis=0)
    return found


def substituted(point: Point, slopes: Slopes) -> dict[str, NDArray[np.floating]]:
    """Return the reference's values as they are with the slopes changed.

    Where a unit was off and is not any more, h is the smallest number whose slope is not 0.
    """
    values = dict(point.values)
    rows, moved = shifts(point, slopes)
    for layer in range(1, point.depth):
        dz = values[f"dz{layer}"].copy()
        dz[rows] += moved[layer].astype(dz.dtype)
        values[f"dz{layer}"] = dz
        if layer in slopes.change:
            h = values[f"h{layer}"].copy()
            at = slopes.rows[layer], slopes.units[layer]
            h[at] = np.maximum(h[at], np.finfo(h.dtype).tiny)
            values[f"h{layer}"] = h
    return values


@dataclass(frozen=True, slots=True)
class Explanation:
    """The gradients, intermediates and allowances that a correct side would be held against.

    `slopes` are those it takes other than the reference. `widened`: there are too many units on a
    kink to say which; the allowances hold all they may do, and the point is weak.
    """

    gradients: Values
    values: Values
    allowances: Allowances
    slopes: Slopes = field(default_factory=Slopes)
    widened: bool = False


def explanations(
    point: Point,
    gradients: Values,
    difference: Mapping[str, Float],
    allow: Callable[[Values, Values], Allowances],
) -> Iterator[Explanation]:
    """Yield what may explain `difference`, which is `manual - gradients`, at kinks: simplest first.

    `allow` returns the allowances of the reference's values and gradients.
    """
    if not reachable(point, difference):
        return
    near = candidates(point)
    for slopes in proposals(point, near, difference):
        moved, values = effect(point, slopes), substituted(point, slopes)
        expected = {name: gradient + moved[name] for name, gradient in gradients.items()}
        yield Explanation(expected, values, allow(values, expected), slopes)
    if count(near) > MOST_CANDIDATES:
        allowances = widen(point.allowances, _everything(point, near))
        yield Explanation(gradients, point.values, allowances, widened=True)


def reachable(point: Point, difference: Mapping[str, Float]) -> bool:
    """No slope reaches the last layer's gradients: a difference there is not made of kinks."""
    last = {name: difference[name] for name in (f"w{point.depth}", f"b{point.depth}")}
    return bool(ACTIVATION_RULES[point.activation].kinks) and all(
        (np.abs(left) <= point.allowances.gradients[name]).all() for name, left in last.items()
    )


def proposals(point: Point, near: Candidates, difference: Mapping[str, Float]) -> Iterator[Slopes]:
    """Yield slopes to try.

    First every unit that is exactly on a kink is given one common slope, because that is a
    convention; then the layers are fitted from the last to the first, because a slope changes
    everything below it: once with slopes near a usual choice taken to be that choice, once without.
    """
    for common in (1.0, 0.5):
        slopes = _exactly_on_a_kink(point, near, common)
        if len(slopes):
            yield slopes
    if not 0 < count(near) <= MOST_CANDIDATES:
        return
    for snap in (SNAP, 0.0):
        slopes = Slopes()
        for layer in sorted(near, reverse=True):
            _fit_layer(point, near[layer], layer, difference, slopes, snap)
        yield slopes


def count(near: Candidates) -> int:
    """Return the number of candidates."""
    return sum(len(rows) for rows, _ in near.values())


def widen(allowances: Allowances, by: Mapping[str, Float]) -> Allowances:
    """Add `by` to the allowances of the gradients; their projections say nothing any more."""
    return replace(
        allowances,
        gradients={name: entry + by[name] for name, entry in allowances.gradients.items()},
        projections=dict.fromkeys(allowances.projections, np.inf),
    )


def _everything(point: Point, near: Candidates) -> dict[str, Float]:
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


def _exactly_on_a_kink(point: Point, near: Candidates, common: float) -> Slopes:
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
        beside = np.column_stack((h[rows[mine]].astype(np.float64), np.ones(len(mine))))
        columns = (beside * dh[mine, None]).T  # (fan_in + 1, kinks of this unit)
        change[mine] = np.linalg.lstsq(columns / scale[:, None], left / scale, rcond=None)[0]
    slopes.put(layer, rows, units, _between(slope + change, snap) - slope)


def _between(slope: Float, snap: float) -> Float:
    """Clip to what lies between the one-sided slopes, and snap to the usual choices."""
    clipped = np.clip(slope, 0.0, 1.0)
    usual = np.round(clipped * 2) / 2
    return np.where(np.abs(clipped - usual) <= snap, usual, clipped)


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

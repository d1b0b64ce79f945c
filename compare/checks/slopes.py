"""Slopes at kinks: which units may be on one, and what other slopes there do to the gradients.

A change of slope reaches the gradients of its own layer and of all below it. It is exact: the
backward pass is linear in every single slope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Allowances
from compare.allowance.arithmetic import quiet
from compare.allowance.between import Inside
from compare.allowance.rules import ACTIVATION_RULES
from compare.allowance.spread import distance
from compare.checks.exact import Candidates, Forward, Rows, the_same_everywhere
from compare.contracts.arrays import Float, Real, Values

MOVED = 1e-6
"""A smaller change of slope is none."""


@dataclass(frozen=True)
class Above:
    """Other slopes at corners above the last layer, at entries `(row, unit)` of the logits.

    `dlogits`: rows, each once, and what is added to dlogits there, (R, K).
    """

    rows: Rows
    units: Rows
    margin: Float
    slope: Float
    dlogits: tuple[Rows, Float]


@dataclass
class Slopes:
    """Changes of slope `t` at units `(row, unit)`, per hidden layer, and above the last one."""

    rows: dict[int, Rows] = field(default_factory=dict)
    units: dict[int, Rows] = field(default_factory=dict)
    change: dict[int, Float] = field(default_factory=dict)
    above: Above | None = None

    def put(self, layer: int, rows: Rows, units: Rows, change: Float) -> None:
        """Set the changes of `layer`, leaving out those that are none."""
        moved = np.abs(change) > MOVED
        self.rows[layer], self.units[layer] = rows[moved], units[moved]
        self.change[layer] = change[moved]

    def with_those(self, others: Slopes) -> Slopes:
        """These changes and the others, of other units."""
        found = Slopes(above=self.above or others.above)
        for layer in sorted({*self.rows, *others.rows}):
            both = [slopes for slopes in (self, others) if layer in slopes.rows]
            rows, units, change = (
                np.concatenate([table[layer] for table in tables])
                for tables in zip(*((s.rows, s.units, s.change) for s in both), strict=True)
            )
            found.put(layer, rows, units, change)
        return found

    def __len__(self) -> int:
        return sum(len(change) for change in self.change.values())


@dataclass(frozen=True, slots=True)
class ReferencePoint:
    """The reference's evaluation at which kinks are looked for."""

    parameters: Values
    x: NDArray[np.floating]
    values: Values
    allowances: Allowances
    activation: str
    inside: Mapping[int, Inside] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Number of layers L."""
        return sum(name[0] == "w" for name in self.parameters)

    def inputs_of(self, layer: int) -> NDArray[np.floating]:
        """The array that `layer` multiplies, (N, fan_in)."""
        return self.x if layer == 1 else self.values[f"h{layer - 1}"]

    def before(self, layer: int) -> str:
        """Return the name of what the activation of a layer takes: n, or z."""
        return f"n{layer}" if self.normalises(layer) else f"z{layer}"

    def behind(self, layer: int) -> str:
        """Return the name of what the activation of a layer gives: a, or h."""
        dropped = layer in self.inside and self.inside[layer].q is not None
        return f"a{layer}" if dropped else f"h{layer}"

    def normalises(self, layer: int) -> bool:
        """Return whether a layer is normalised."""
        return layer in self.inside and self.inside[layer].gamma is not None

    def taken(self, layer: int) -> Real:
        """Return what the activation of a layer takes, (N, H)."""
        return self.values[self.before(layer)]

    def through(self, layer: int) -> Real:
        """Return what the slope of a layer's activation is written in, (N, H)."""
        of_z = ACTIVATION_RULES[self.activation].of_z
        return self.values[self.before(layer) if of_z else self.behind(layer)]

    def rows_of(self, near: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows in which something moves if a slope does in `near`, sorted."""
        together = any(one.axis == 0 for one in self.inside.values())
        return np.arange(len(self.x)) if together else near

    def kept(self, layer: int, rows: NDArray[np.int64]) -> Float | float:
        """Return what dropout multiplies by in some rows of a layer."""
        q = self.inside[layer].q if layer in self.inside else None
        return 1.0 if q is None else q[rows]

    def within(self, layer: int, rows: NDArray[np.int64]) -> Inside | None:
        """Return what normalises some rows of a layer, or None."""
        found = self.inside.get(layer)
        return None if found is None or found.gamma is None else found.rows(rows)


@quiet
def candidates(point: ReferencePoint) -> Candidates:
    """Return per hidden layer the `(rows, units)` with |z - kink| within the allowance of z."""
    kinks = ACTIVATION_RULES[point.activation].kinks
    found: dict[int, tuple[Rows, Rows]] = {}
    for layer in range(1, point.depth if kinks else 1):
        spread = point.allowances.forward.z[layer]
        rows, units = spread.reaching(tuple(kinks), point.taken(layer))
        if len(rows):
            found[layer] = rows, units
    return found


def apart(point: ReferencePoint, near: Candidates) -> tuple[Candidates, Candidates]:
    """Part the candidates: those on a kink whatever is rounded, and those rounding may move.

    The slope of the first is no accident but a convention, one for all of them. A unit that is off
    its kink whatever is rounded belongs to neither.
    """
    if any(one.gamma is not None for one in point.inside.values()):
        return {}, near  # a mean is a quotient: nothing is the same on every side
    forward = Forward(point.parameters, point.x, point.values, point.activation)
    fixed = the_same_everywhere(forward, near)
    kinks = tuple(ACTIVATION_RULES[point.activation].kinks)
    exact: dict[int, tuple[Rows, Rows]] = {}
    others: dict[int, tuple[Rows, Rows]] = {}
    for layer, (rows, units) in sorted(near.items()):
        on_kink = distance(point.taken(layer)[rows, units], kinks) == 0
        for table, chosen in ((exact, fixed[layer] & on_kink), (others, ~fixed[layer])):
            if chosen.any():
                table[layer] = rows[chosen], units[chosen]
    return exact, others


def slopes_of(point: ReferencePoint, layer: int, rows: Rows, units: Rows) -> Float:
    """Return the slopes that the reference takes at some units of a layer."""
    rule = ACTIVATION_RULES[point.activation]
    slope: Float = rule.slope(point.through(layer)[rows, units]).astype(np.float64)
    return slope


def one_sided(point: ReferencePoint, layer: int, rows: Rows, units: Rows) -> tuple[Float, Float]:
    """Return the flatter and the steeper slope beside the nearest kink of each of some units."""
    kinks = ACTIVATION_RULES[point.activation].kinks
    sides = np.sort(np.array(list(kinks.values())), axis=1)  # (kinks, 2)
    z = point.taken(layer)[rows, units]
    nearest = np.abs(z[:, None] - np.array(list(kinks))).argmin(axis=1)
    return sides[nearest, 0], sides[nearest, 1]


def together(*several: Candidates) -> Candidates:
    """Put the candidates of several tables into one."""
    found: dict[int, tuple[Rows, Rows]] = {}
    for near in several:
        for layer, pair in near.items():
            parts = [found[layer], pair] if layer in found else [pair]
            rows, units = (np.concatenate(part) for part in zip(*parts, strict=True))
            found[layer] = rows, units
    return found


def count(near: Candidates) -> int:
    """Return the number of candidates."""
    return sum(len(rows) for rows, _ in near.values())


@dataclass(frozen=True)
class Moved:
    """How much dz of each layer, and dn and dh of the hidden ones, moves in some rows, (R, H)."""

    rows: Rows
    dz: dict[int, Float]
    dn: dict[int, Float]
    dh: dict[int, Float]


def shifts(point: ReferencePoint, slopes: Slopes) -> Moved:
    """Return what moves when slopes change, in the rows where anything does."""
    of_top = [] if slopes.above is None else [slopes.above.dlogits[0]]
    near = np.unique(np.concatenate([np.empty(0, np.int64), *slopes.rows.values(), *of_top]))
    rows = point.rows_of(near)
    rule = ACTIVATION_RULES[point.activation]
    dz = point.values["dlogits"][rows].astype(np.float64)  # (R, K), as it was
    dz_new = dz.copy()  # (R, K), with the changed slopes
    if slopes.above is not None:
        at, change = slopes.above.dlogits
        dz_new[np.searchsorted(rows, at)] += change
    found = Moved(rows, {point.depth: dz_new - dz}, {}, {})
    for layer in range(point.depth - 1, 0, -1):
        w = point.parameters[f"w{layer + 1}"].astype(np.float64)
        slope = rule.slope(point.through(layer)[rows].astype(np.float64))
        slope_new = slope.copy()
        if layer in slopes.change:
            at = np.searchsorted(rows, slopes.rows[layer])
            slope_new[at, slopes.units[layer]] += slopes.change[layer]
        kept = point.kept(layer, rows)
        dh, dh_new = dz @ w.T, dz_new @ w.T
        found.dh[layer] = dh_new - dh
        dz, dz_new = dh * kept * slope, dh_new * kept * slope_new
        found.dn[layer] = dz_new - dz
        inside = point.within(layer, rows)
        if inside is not None:
            dz, dz_new = inside.back(dz), inside.back(dz_new)
        found.dz[layer] = dz_new - dz
    return found


def effect(point: ReferencePoint, slopes: Slopes) -> dict[str, Float]:
    """Return how much each gradient moves when the slopes change: float64, exact in the changes."""
    moved = shifts(point, slopes)
    found: dict[str, Float] = {}
    for layer, dz in moved.dz.items():
        found[f"w{layer}"] = point.inputs_of(layer)[moved.rows].astype(np.float64).T @ dz
        if f"b{layer}" in point.parameters:
            found[f"b{layer}"] = dz.sum(axis=0)
    for layer, dn in moved.dn.items():
        inside = point.within(layer, moved.rows)
        if inside is not None and f"gamma{layer}" in point.parameters:
            found[f"gamma{layer}"] = (dn * inside.s).sum(axis=0)
            found[f"beta{layer}"] = dn.sum(axis=0)
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """What other slopes make of the reference's values, by their names.

    `dz`: what is added in some `rows`, (R, H); `h`: what h is at some units instead, see
    `substituted`.
    """

    rows: Rows
    dz: dict[str, Float]
    h: dict[str, tuple[Rows, Rows, NDArray[np.floating]]]

    @classmethod
    def of(cls, point: ReferencePoint, slopes: Slopes) -> Change:
        """Return what these slopes change at this point."""
        moved = shifts(point, slopes)
        rule, instead = ACTIVATION_RULES[point.activation], {}
        for layer in slopes.change:
            at = slopes.rows[layer], slopes.units[layer]
            h, steep = point.values[point.behind(layer)][at], one_sided(point, layer, *at)[1]
            for beside in (np.nextafter(h, 0), np.finfo(h.dtype).tiny):
                h = np.where(rule.slope(h) < steep, beside, h)
            instead[point.behind(layer)] = *at, h
        added = {f"dz{k}": dz for k, dz in moved.dz.items() if k < point.depth}
        if slopes.above is not None:
            added |= {"dlogits": moved.dz[point.depth]}
            added |= {f"dh{k}": dh for k, dh in moved.dh.items()}
        added |= {f"dn{k}": dn for k, dn in moved.dn.items() if point.normalises(k)}
        return cls(moved.rows, added, instead)

    def made(self, numbers: Rows, values: Values) -> dict[str, NDArray[np.floating]]:
        """Return the values of the rows of these numbers as they are with the slopes changed."""
        found = dict(values)
        for name, moved in self.dz.items():
            if name not in values:
                continue  # only the pass forward is wanted
            dz = found[name] = values[name].copy()
            here, places = places_of(self.rows, numbers)
            dz[places] += moved[here].astype(dz.dtype)
        for name, (rows, units, instead) in self.h.items():
            h = found[name] = values[name].copy()
            here, places = places_of(rows, numbers)
            h[places, units[here]] = instead[here]
        return found


def places_of(rows: Rows, numbers: Rows) -> tuple[NDArray[np.bool_], Rows]:
    """Return which of the `rows` are among `numbers`, and where there."""
    order = np.argsort(numbers)
    found = np.searchsorted(numbers, rows, sorter=order)
    places = order[np.minimum(found, len(numbers) - 1)]
    here = numbers[places] == rows
    return here, places[here]


def substituted(point: ReferencePoint, slopes: Slopes) -> Values:
    """Return the reference's values as they are with the slopes changed.

    h of a changed unit becomes the nearest number at which the activation is as steep as beside the
    kink, so that allowances see the steeper of its slopes.
    """
    if not len(slopes) and slopes.above is None:
        return point.values
    change = Change.of(point, slopes)
    if isinstance(point.values, Changeable):
        return point.values.changed(change)
    return change.made(np.arange(len(point.x)), point.values)


@runtime_checkable
class Changeable(Protocol):
    """Values that are not there all at once."""

    def changed(self, change: Change) -> Values:
        """Return them with other slopes."""

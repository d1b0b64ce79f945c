"""Slopes at kinks: which units may be on one, and what other slopes there do to the gradients.

A change of slope reaches the gradients of its own layer and of all below it. It is exact: the
backward pass is linear in every single slope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Allowances
from compare.allowance.arithmetic import quiet
from compare.allowance.rules import ACTIVATION_RULES

Float = NDArray[np.float64]
Rows = NDArray[np.int64]
Values = Mapping[str, NDArray[np.floating]]
Candidates = Mapping[int, tuple[Rows, Rows]]
"""Per hidden layer the `(rows, units)` that may be on a kink."""

MOVED = 1e-6
"""A smaller change of slope is none."""


@dataclass
class Slopes:
    """Changes of slope `t` at units `(row, unit)`, per layer."""

    rows: dict[int, Rows] = field(default_factory=dict)
    units: dict[int, Rows] = field(default_factory=dict)
    change: dict[int, Float] = field(default_factory=dict)

    def put(self, layer: int, rows: Rows, units: Rows, change: Float) -> None:
        """Set the changes of `layer`, leaving out those that are none."""
        moved = np.abs(change) > MOVED
        self.rows[layer], self.units[layer] = rows[moved], units[moved]
        self.change[layer] = change[moved]

    def with_those(self, others: Slopes) -> Slopes:
        """These changes and the others, of other units."""
        found = Slopes()
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


@quiet
def candidates(point: Point) -> Candidates:
    """Return per hidden layer the `(rows, units)` with |z - kink| within the allowance of z."""
    kinks = ACTIVATION_RULES[point.activation].kinks
    found: dict[int, tuple[Rows, Rows]] = {}
    for layer in range(1, point.depth if kinks else 1):
        spread = point.allowances.forward.z[layer]
        rows, units = spread.reaching(kinks, point.values[f"z{layer}"])
        if len(rows):
            found[layer] = rows, units
    return found


def apart(point: Point, near: Candidates) -> tuple[Candidates, Candidates]:
    """Part the candidates: those that no rounding moves off their kink, and all others.

    A unit all of whose terms are zero (a blank input, no bias) has z == 0 on every side, however it
    is computed. Its slope is no accident of rounding but a convention, the same for all of them.
    """
    exact: dict[int, tuple[Rows, Rows]] = {}
    others: dict[int, tuple[Rows, Rows]] = {}
    for layer, (rows, units) in sorted(near.items()):
        still = ~_has_terms(point, layer, others.get(layer - 1), rows, units)
        for table, chosen in ((exact, still), (others, ~still)):
            if chosen.any():
                table[layer] = rows[chosen], units[chosen]
    return exact, others


def _has_terms(
    point: Point, layer: int, below: tuple[Rows, Rows] | None, rows: Rows, units: Rows
) -> NDArray[np.bool_]:
    """Whether anything but zeros is added up in z at these units, on any side.

    `below`: units of the layer below that are zero on one side only, perhaps.
    """
    some, at = np.unique(rows, return_inverse=True)
    maybe = point.inputs_of(layer)[some] != 0  # (R, fan_in)
    if below is not None:
        here = np.isin(below[0], some)
        maybe[np.searchsorted(some, below[0][here]), below[1][here]] = True
    w, b = point.parameters[f"w{layer}"], point.parameters[f"b{layer}"]
    terms = maybe.astype(np.float32) @ (w != 0).astype(np.float32)  # (R, H)
    found: NDArray[np.bool_] = (terms[at, units] > 0) | (b[units] != 0)
    return found


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


def shifts(point: Point, slopes: Slopes) -> tuple[Rows, dict[int, Float]]:
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
    if not len(slopes):
        return values
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

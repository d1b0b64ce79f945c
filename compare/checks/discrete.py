"""Least squares whose unknowns take one of a few values, by branch and bound.

Where the columns determine the unknowns, the nearest choice to the plain solution is all there is
to it. Where they do not (equal rows, more units than equations) boxes of unknowns are split between
two neighbouring choices, and those that cannot explain the target are thrown away.

Sources: Land & Doig 1960, Econometrica 28 (branch and bound); Stark & Parker 1995, Computational
Statistics 10 (least squares within bounds).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Float

MOST_BOXES = 200
"""Boxes that are looked at before the search is given up."""
GAIN = 1e-12
"""An unknown that gains less than this part of the first gain is left where it is."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """`values`, or None where no choice explains the target; `searched`: that is certain."""

    values: Float | None
    searched: bool = True


def choose(
    columns: Float, target: Float, start: Float, choices: Sequence[float], tolerance: float
) -> Chosen:
    """Return values out of `choices` with `||target - columns @ values|| <= tolerance`.

    As few as possible leave `start`. `columns` is (equations, unknowns); choices are ascending.
    """
    if len(columns) > len(start):
        basis, columns = np.linalg.qr(columns)
        inside = basis.T @ target
        tolerance = np.sqrt(max(0.0, tolerance**2 - float(np.sum((target - basis @ inside) ** 2))))
        target = inside
    usual = np.asarray(choices)
    boxes = [(np.full(len(start), usual[0]), np.full(len(start), usual[-1]))]
    for _ in range(MOST_BOXES):
        if not boxes:
            return Chosen(None)
        low, high = boxes.pop()
        best = bounded(columns, target, np.clip(start, low, high), low, high)
        if np.linalg.norm(target - columns @ best) > tolerance:
            continue
        nearest = usual[np.abs(best[:, None] - usual).argmin(axis=1)]
        if np.linalg.norm(target - columns @ nearest) <= tolerance:
            return Chosen(nearest)
        boxes += split(low, high, best, usual)
    return Chosen(None, searched=False)


def split(low: Float, high: Float, best: Float, choices: Float) -> list[tuple[Float, Float]]:
    """Part a box at the unknown that is farthest from every choice; the likelier half comes last.

    No halves where all unknowns sit on choices already: the box holds nothing else worth trying.
    """
    away = np.abs(best[:, None] - choices).min(axis=1)
    at = int(away.argmax())
    if away[at] < GAIN:
        return []
    above = int(np.searchsorted(choices, best[at]))
    below, up = high.copy(), low.copy()
    below[at], up[at] = choices[above - 1], choices[above]
    halves = [(low, below), (up, high)]
    nearer_above = choices[above] - best[at] < best[at] - choices[above - 1]
    return halves if nearer_above else halves[::-1]


def bounded(columns: Float, target: Float, start: Float, low: Float, high: Float) -> Float:
    """Least squares within bounds: free the unknown that gains most, hold what hits a bound."""
    found = start.copy()
    free = np.zeros(len(low), dtype=bool)
    sizes = np.linalg.norm(columns, axis=0)
    along = columns / np.where(sizes > 0, sizes, 1.0)
    most = np.abs(along.T @ (target - columns @ found)).max()
    for _ in range(3 * len(low)):
        gain = along.T @ (target - columns @ found)
        gain[free | ((gain > 0) & (found >= high)) | ((gain < 0) & (found <= low))] = 0.0
        if np.abs(gain).max() <= GAIN * most:
            break
        free[np.argmax(np.abs(gain))] = True
        _settle(columns, target, low, high, found, free)
    return found


def _settle(
    columns: Float, target: Float, low: Float, high: Float, found: Float, free: NDArray[np.bool_]
) -> None:
    """Move the free unknowns to their best values; each that meets a bound on the way stays."""
    while free.any():
        rest = target - columns[:, ~free] @ found[~free]
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

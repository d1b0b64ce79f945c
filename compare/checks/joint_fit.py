"""All slopes that may explain a difference, fitted at once: of units, or of corners above them.

Two slopes of one row in different layers multiply, so the fit is repeated from what it found. A
slope is one of the two beside a kink, or one in between that all have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from compare.checks.comparison import BLOCK
from compare.checks.discrete import bounded, choose
from compare.checks.slopes import ReferencePoint, Slopes, effect
from compare.contracts.arrays import Float

MOST_RESOLVED = 64
"""More than this are not fitted jointly, and if nothing explains them the allowance is widened."""
MOST_ENTRIES = 1 << 22
"""A joint fit has at most this many numbers: entries of the gradients times units."""
ROUNDS = 3
"""Two slopes of one row in different layers multiply, so the joint fit is repeated."""
IN_BETWEEN = 1e-3
"""A share nearer than this to 0 or 1 asks for no slope in between."""


class Listed(Protocol):
    """Candidates in one list: the reference's shares, and the slopes that others stand for."""

    @property
    def shares(self) -> Float:
        """The reference's own shares."""

    def slopes(self, shares: Float) -> Slopes:
        """Return the changes of slope that give these shares."""


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


def few(units: int, difference: Mapping[str, Float]) -> bool:
    """Whether the columns of so many candidates are kept at once."""
    return sum(left.size for left in difference.values()) * units <= MOST_ENTRIES


@dataclass
class Joint:
    """Slopes of some units that may explain `difference`; `searched`: whether all were tried.

    `common`: the share in between that some take, or None where it is not known.
    """

    point: ReferencePoint
    units: Listed
    difference: Mapping[str, Float]
    common: float | None
    searched: bool = True

    def proposals(self) -> Iterator[Slopes]:
        """Yield slopes to try."""
        point, units, difference = self.point, self.units, self.difference
        weigh, shares = weighing(point, difference), self.units.shares
        low, high = np.zeros(len(shares)), np.ones(len(shares))
        for _ in range(ROUNDS):
            columns, target = linearised(point, units, shares, difference, weigh)
            shares = bounded(columns, target, shares, low, high)
        asked = Common()
        asked.see(shares, np.linalg.norm(columns, axis=0))
        unknown = self.common is None and asked.share is not None
        for common in (None, asked.share) if unknown else (self.common,):
            yield from self._of(shares, common, weigh)

    def _of(self, shares: Float, common: float | None, weigh: Weigh) -> Iterator[Slopes]:
        """Yield slopes beside the kinks, or of one share in between, near these shares."""
        found, own = shares, self.units.shares
        for _ in range(ROUNDS):
            columns, target = linearised(self.point, self.units, found, self.difference, weigh)
            chosen = choose(columns, target, own, choices(common), np.sqrt(len(target)))
            self.searched &= chosen.searched
            if chosen.values is None:
                return
            found = chosen.values
            yield self.units.slopes(found)


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
    units: Listed,
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


def in_parts(*arrays: Float) -> Iterator[tuple[Float, ...]]:
    """Yield the same entries of arrays of one shape, a few at a time: what is made of large ones
    is then small."""
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, flat[0].size, BLOCK):
        yield tuple(array[start : start + BLOCK] for array in flat)


def common_share(
    point: ReferencePoint, units: Listed, difference: Mapping[str, Float]
) -> float | None:
    """Return the one share of all these units that explains most, if it lies in between."""
    weigh, share = weighing(point, difference), 0.5
    for _ in range(2 * ROUNDS):
        moved, beside = (
            effect(point, units.slopes(np.full(len(units.shares), at))) for at in (share, share / 2)
        )
        along = left = 0.0
        for name, whole in weigh.items():
            arrays = (moved[name], beside[name], difference[name], whole)
            for here, there, wanted, scale in in_parts(*arrays):
                column = (here - there) / (share / 2 * scale)
                along += float(np.vdot(column, column))
                left += float(np.vdot(column, (wanted - here) / scale))
        if not along > 0:
            return None
        share += left / along
        if not IN_BETWEEN < share < 1 - IN_BETWEEN:
            return None
    return share

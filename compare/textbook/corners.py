"""Corners above the last layer: of an absolute error, a hinge, a ReLU as output.

At a corner two right sides may take other slopes, and from there on everything moves by several per
cent although nobody is wrong. So which slopes there are is told apart from how the rest rounds:
`steepest` gives the allowance of the derivative once the slopes are known, `Corners` what any of
them do to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from compare.contracts.arrays import Float, Mask, Real
from compare.contracts.objective import Objective
from compare.textbook import losses
from compare.textbook.losses import Corner
from compare.textbook.pair import Pair, exact

Rows = NDArray[np.int64]


class Kind(NamedTuple):
    """The corners of one kind: their rule, the margins with allowances, those of torch, (N, K)."""

    corner: Corner
    margin: Pair
    reference: Float

    @property
    def near(self) -> Mask:
        """Where rounding reaches the corner."""
        found: Mask = np.abs(self.margin.value) <= self.margin.allowance
        return found

    @property
    def steps(self) -> Float:
        """The slopes that the reference takes."""
        return self.corner.step(self.reference)


def kinds_of(z: Pair, y: Pair, objective: Objective, predicted: Real) -> tuple[Kind | None, ...]:
    """Return the corners of the loss and of the output, None where it has none.

    `predicted`: what stands before the loss, as the reference rounds it, (N, K).
    """
    loss, above = losses.LOSS_RULES[objective.loss].corner, losses.OUTPUT_RULES[objective.output]
    of_loss = of_output = None
    if loss is not None:
        margin = loss.margin(losses.output(z, objective), losses.counting(y, objective))
        of_loss = Kind(loss, margin, loss.rounded(predicted, y.value))
    if above.corner is not None:
        of_output = Kind(above.corner, above.corner.margin(z, z), z.value)
    return of_loss, of_output


def steepest(kind: Kind | None, dtype: DTypeLike) -> Pair | None:
    """Return the slopes of one kind, at its corners the larger of the two, as exact numbers."""
    if kind is None:
        return None
    most = max(np.abs(kind.corner.sides))
    return exact(np.where(kind.near, most, kind.steps), dtype)


@dataclass(frozen=True)
class Corners:
    """All corners that rounding reaches at a point, in one list.

    `kind`: 0 of the loss, 1 of the output; `own`: the reference's slope; `exact`: on the corner
    whatever is rounded; `share`: what the sum of all terms is multiplied by.
    """

    z: Pair
    y: Pair
    objective: Objective
    kinds: tuple[Kind | None, ...]
    share: float
    kind: Rows
    rows: Rows
    units: Rows
    low: Float
    high: Float
    own: Float
    margin: Float
    exact: Mask

    @property
    def shares(self) -> Float:
        """The reference's slopes as shares: 0 is the lower side, 1 the upper one."""
        found: Float = (self.own - self.low) / (self.high - self.low)
        return found

    def __len__(self) -> int:
        return len(self.rows)

    def taken(self, shares: Float) -> Float:
        """Return the slopes that these shares stand for."""
        found: Float = self.low + shares * (self.high - self.low)
        return found

    def dlogits(self, shares: Float) -> tuple[Rows, Float]:
        """Return rows, (R,), and what these shares add to the reference's dlogits there."""
        rows = np.unique(self.rows)
        change = self._along(rows, self.taken(shares)) - self._along(rows, self.own)
        return rows, change * self.share

    def _along(self, rows: Rows, slopes: Float) -> Float:
        steps: list[Pair | None] = [None, None]
        for number, kind in enumerate(self.kinds):
            if kind is not None:
                taken, mine = kind.steps[rows], self.kind == number
                taken[np.searchsorted(rows, self.rows[mine]), self.units[mine]] = slopes[mine]
                steps[number] = exact(taken, np.float64)
        z, y = (exact(one.value[rows], np.float64) for one in (self.z, self.y))
        return losses.derivative_along(z, y, self.objective, *steps).value


def corners_of(
    z: Pair, y: Pair, objective: Objective, predicted: Real, fixed: Callable[[Rows], Mask]
) -> Corners | None:
    """Return the corners that rounding reaches, or None; `fixed`: of which rows no logit is ever
    rounded."""
    kinds = kinds_of(z, y, objective, predicted)
    parts = []
    for number, kind in enumerate(kinds):
        if kind is None:
            continue
        rows, units = np.nonzero(kind.near)
        known = np.zeros(len(rows), dtype=bool)
        if number == 1 or objective.output == "identity":
            own = kind.margin.value[rows, units] == 0
            known = own & fixed(rows)
        low, high = kind.corner.sides
        ones = np.ones(len(rows))
        parts.append((
            np.full(len(rows), number), rows, units, low * ones, high * ones,
            kind.steps[rows, units], kind.reference[rows, units], known,
        ))  # fmt: skip
    joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
    if not parts or not len(joined[0]):
        return None
    return Corners(z, y, objective, kinds, objective.share(y.value), *joined)

"""How fast the losses of a turn rise along a direction of its weights, by central differences."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from compare.contracts.arrays import Arrays
from compare.examine.starter.own.groups import Base, Group
from compare.examine.starter.own.replay import Turn, replayed

STEP, NEAR, UNIT = 1e-4, 1.25e-5, float(np.finfo(float).eps)
"""How far a weight is moved, relative to its size. Beside a kink the two differences differ."""
ROUNDINGS = 30
"""Of a loss, in units of the last place."""


@dataclass(frozen=True)
class Slope:
    """A slope and how far it may be off: what differences at two distances say, and rounding."""

    value: float
    off: float


@dataclass
class Slopes:
    """The slopes at each turn of a loop, found when they are asked for."""

    base: Base
    until: float
    mark: int = 0
    """Where in a turn the weights are moved: behind their update, for a loss that is computed
    there. The slopes are then those of the next turn."""
    found: dict[tuple[int, str, int], dict[str, Slope]] = field(default_factory=dict)

    def at(self, turn: int, group: Group, number: int) -> dict[str, Slope]:
        """Return the slopes of all losses of a turn along a direction, by the name of the loss."""
        key = turn, group.name, number
        if key not in self.found:
            self.found[key] = self.measured(turn, group, number)
        return self.found[key]

    def is_flat(self, group: Group, loss: str) -> bool:
        """Whether a loss knows nothing of a group: a running mean of losses is no weight of one."""
        turns = range(int(self.mark > 0), len(self.base.turns))
        return all(loss in found and found[loss].value == 0
                   for turn in turns for found in [self.at(turn, group, 0)])  # fmt: skip

    def measured(self, turn: int, group: Group, number: int) -> dict[str, Slope]:
        """Return the slopes of a turn along a direction."""
        in_time(self.until)
        far = [self.numbers(turn, group, number, step) for step in (STEP, -STEP)]
        near = [self.numbers(turn, group, number, step) for step in (NEAR, -NEAR)]
        still, every = self.base.turns[turn - (self.mark > 0)].numbers, (*far, *near)
        return {way: slope_of(still.get(way, np.nan), [one[way] for one in every])
                for way in sorted(set.intersection(*map(set, every)))}  # fmt: skip

    def numbers(self, turn: int, group: Group, number: int, step: float) -> dict[str, float]:
        """Return the losses of a turn at moved weights."""
        turn -= self.mark > 0
        by = {way: step * one for way, one in group.direction(number).items()}
        seen = self.run(turn, by, self.mark)
        return seen[turn].numbers if len(seen) > turn else {}

    def run(self, turn: int, by: Arrays, mark: int = 0) -> list[Turn]:
        """Run to the end of a turn with something moved in it."""
        moves = {key: dict(value) for key, value in self.base.shift.items()}
        there = moves.setdefault((turn, mark), {})
        for way, one in by.items():
            there[way] = there.get(way, 0.0) + one
        return replayed(self.base.loop, self.base.supply, turn + 1, moves, asked=self.base.asked,
                        squares=self.base.squares, named=self.base.named)  # fmt: skip


def in_time(until: float) -> None:
    """Raise TimeoutError where the processor time that may be spent is spent."""
    if time.process_time() > until:
        raise TimeoutError


def slope_of(still: float, moved: Sequence[float]) -> Slope:
    """Return the slope that losses at four moves show, beside the one where nothing is moved: a
    corner in between shows in the difference of the slopes at both sides."""
    wide, narrow = (moved[0] - moved[1]) / (2 * STEP), (moved[2] - moved[3]) / (2 * NEAR)
    bends = [(moved[0] - 2 * still + moved[1]) / STEP, (moved[2] - 2 * still + moved[3]) / NEAR]
    curved = (bends[0] - bends[1]) / (STEP - NEAR)
    corner = abs(bends[1] - NEAR * curved)
    rounding = ROUNDINGS * UNIT * abs(moved[0]) / NEAR
    off = abs(narrow - wide) / 2 + rounding
    return Slope(narrow, off + (corner if corner > 4 * rounding else 0.0))

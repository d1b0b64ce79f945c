"""The steps of a loop beside the slopes of one of its losses, along directions of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from compare.contracts.arrays import Arrays
from compare.examine.starter.own.groups import Base, Group
from compare.examine.starter.own.slopes import Slope, Slopes

DIRECTIONS, ATTEMPTS, HOPELESS, LOOKED_AT = (0, 1), 4, 1e5, 4
SURE, CLOSE, POWER, CLEAR = 4.0, 1e-6, 0.01, 30.0
"""How many times as far off as a slope may be, and as much of it, a step may be; the share of the
largest slope below which a slope tells nothing of its own; how far off is a mistake."""


Beside = tuple[str, ...]
"""The ways to arrays that lie beside the weights of a group."""


@dataclass(frozen=True)
class Reach:
    """One direction of a group at a turn: how far the step reaches along it, the slope of the loss
    there, how far the weights themselves reach, and how far off rounding may be."""

    group: str
    turn: int
    number: int
    step: float
    slope: Slope
    weights: float
    rounding: float

    @property
    def open(self) -> float:
        """How far a slope may be off."""
        return SURE * self.slope.off + CLOSE * abs(self.slope.value)

    def misses(self, factor: float) -> float:
        """How many times the step is farther from a factor times the slope than it may be."""
        allowed = abs(factor) * self.open + self.rounding
        return abs(self.step - factor * self.slope.value) / allowed


@dataclass
class Steps:
    """The steps of a loop beside the slopes of one of its losses."""

    base: Base
    groups: Sequence[Group]
    slopes: Slopes
    loss: str
    rates: tuple[float, ...] = ()
    known: dict[tuple[str, int, int, Beside], Reach] = field(default_factory=dict)

    def reaches(self, group: Group, turn: int, few: bool = False) -> list[Reach]:
        """Return how far a step of a group reaches along some directions, or along one."""
        return [self.reach(group, turn, number) for number in DIRECTIONS[: 1 if few else 2]]

    def fits(self, group: Group, turn: int, factor: float, beside: Beside = ()) -> bool:
        """Whether a step, or what lies beside the weights, is a factor times the slopes of a group;
        beside a corner of the loss, which one direction may meet, others are asked."""
        right, enough = 0, len(DIRECTIONS) if turn == self.turns[0] else 1
        for number in range(ATTEMPTS):
            misses = self.reach(group, turn, number, beside).misses(factor)
            right += misses <= 1
            if misses > HOPELESS or right == enough:
                break
        return right == enough

    def reach(self, group: Group, turn: int, number: int, beside: Beside = ()) -> Reach:
        """Return how far a step, or what lies beside the weights, reaches along one direction."""
        key = group.name, turn, number, beside
        if key not in self.known:
            direction = group.direction(number)
            before, after = self.kept(turn, 0), self.kept(turn, self.base.loop.last)
            weights = group.along(before, direction)
            step = weights - group.along(after, direction)
            if beside:
                pairs = zip(beside, direction.values(), strict=True)
                step = sum(float((after[way] * one).sum()) for way, one in pairs)
            size = sum(float(np.abs(before[way] * one).sum()) for way, one in direction.items())
            slope = self.slopes.at(turn, group, number).get(self.loss, Slope(0.0, np.inf))
            self.known[key] = Reach(group.name, turn, number, step, slope, weights,
                                    0.0 if beside else 1e-15 * size)  # fmt: skip
        return self.known[key]

    @property
    def turns(self) -> range:
        """The turns whose slopes are known."""
        return range(int(self.slopes.mark > 0), len(self.base.turns))

    def kept(self, turn: int, mark: int) -> Arrays:
        """Return everything that was kept at a mark."""
        return self.base.turns[turn].kept[mark]

    def every(self, turn: int) -> list[Reach]:
        """Return all reaches of a turn."""
        return [one for group in self.groups for one in self.reaches(group, turn)]

    def factor(self, turn: int) -> tuple[float, set[str]]:
        """Return the factor that steps of a turn are of their slopes for the most groups, and the
        names of those groups."""
        best: tuple[float, set[str]] = 0.0, set()
        for group in self.groups:
            found = self.snapped(factor_of(self.reaches(group, turn, turn != self.turns[0])))
            if not found:
                continue
            right = {one.name for one in self.groups if self.fits(one, turn, found)}
            if (len(right), self.is_rate(found)) > (len(best[1]), self.is_rate(best[0])):
                best = found, right
        return best

    def snapped(self, factor: float) -> float:
        """Return the rate that a factor is all but equal to, else the factor: one that is told by a
        slope takes a small error of this slope up."""
        near = [one for one in self.rates if np.isclose(factor, one, rtol=1e-4)]
        return near[0] if near else factor

    def is_rate(self, factor: float) -> bool:
        """Whether a factor is one of the rates."""
        return bool(np.isclose(factor, self.rates, rtol=1e-4).any())

    def tells(self, group: Group, turn: int) -> bool:
        """Whether the slopes of a group are known well enough to tell a mistake."""
        known = self.reaches(group, turn)
        return any(abs(one.slope.value) > one.slope.off / POWER for one in known)

    def power(self) -> float:
        """Return how large an error along a direction is at most, as a share of the largest slope,
        that does not show."""
        known = self.every(self.turns[0])
        largest = max(abs(one.slope.value) for one in known)
        return max(one.open for one in known) / largest

    def is_rough(self, group: Group) -> bool:
        """Whether the slopes of a group are so little known, beside the largest ones, that a wrong
        gradient would not show."""
        turn = self.turns[0]
        largest = max(abs(one.slope.value) for one in self.every(turn))
        return min(one.slope.off for one in self.reaches(group, turn)) > POWER * largest


def factor_of(reaches: Sequence[Reach]) -> float:
    """Return the factor that steps are of their slopes, told by the best known slope."""
    best = max(reaches, key=lambda one: abs(one.slope.value) / (one.slope.off + 1e-300))
    if not abs(best.slope.value) > best.slope.off:
        return 0.0
    return best.step / best.slope.value

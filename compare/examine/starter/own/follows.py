"""What the steps of a loop are made of, told by the slopes of one of its losses.

A step of plain descent reaches along every direction a rate times the slope there; one with
momentum also shares of the slopes of the turns before. Where steps are neither, arrays that lie
beside the weights may be the gradient, and a rule of squares may make the steps of them (`rules`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.own.groups import Base, Group, common
from compare.examine.starter.own.slopes import Slope, Slopes

MOST_DECAY = 0.5
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
            found = factor_of(self.reaches(group, turn, turn != self.turns[0]))
            if not found:
                continue
            right = {one.name for one in self.groups if self.fits(one, turn, found)}
            if (len(right), self.is_rate(found)) > (len(best[1]), self.is_rate(best[0])):
                best = found, right
        return best

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


@dataclass(frozen=True)
class Told:
    """What a loss tells: `kind` is plain, momentum, nesterov, last, added, squares or nothing;
    `factor` how many times its slope the steps are, `share` how much of a step stays, `right` the
    groups that move by it and `wrong` those that do not, `off` how far at least."""

    loss: str
    kind: str = ""
    factor: float = 0.0
    share: float = 0.0
    right: frozenset[str] = frozenset()
    wrong: frozenset[str] = frozenset()
    decay: float = 0.0
    factors: tuple[float, ...] = ()
    """Those of all turns, where steps are plain."""
    example: Reach | None = None


def told(steps: Steps) -> Told:
    """Return what one loss tells of the steps."""
    turns, names = steps.turns[:LOOKED_AT], {one.name for one in steps.groups}
    if not any(one.step for one in steps.every(turns[0])) and turns[0] == 0:
        return gathered(steps, names)
    first, right = steps.factor(turns[0])
    if right != names:
        return in_part(steps, first, right)
    later = [steps.factor(turn) for turn in turns[1:]]
    if all(right == names for _, right in later):
        every = (first, *(one for one, _ in later))
        return Told(steps.loss, "plain", first, right=frozenset(names), factors=every)
    if turns[0] == 0:
        return with_shares(steps, first, names)
    return Told(steps.loss, "", first, right=frozenset(names))


def with_shares(steps: Steps, first: float, names: set[str]) -> Told:
    """Return how much of the slopes of turns before is in steps whose first one is right."""
    found = Told(steps.loss, "", first, right=frozenset(names))
    if len(steps.base.turns) < 3:
        return found
    shares: list[float] = []
    for turn in (1, 2):
        rows, due, allowed = [], [], []
        for group in steps.groups:
            for one in steps.reaches(group, turn):
                before = [steps.reach(group, at, one.number).slope for at in range(turn)]
                rows.append([each.value for each in before])
                due.append(one.step - first * one.slope.value)
                off = sum(each.off for each in (*before, one.slope))
                allowed.append(SURE * abs(first) * off + 1e-5 * abs(one.step) + one.rounding)
        if not all(np.isfinite(one).all() for one in (rows, due, allowed)):
            return found
        matrix, aim, weight = np.array(rows), np.array(due), 1 / np.array(allowed)
        fit = np.linalg.lstsq(matrix * weight[:, None], aim * weight, rcond=None)[0]
        if (np.abs(matrix @ fit - aim) * weight > SURE).any():
            return found
        shares += list(fit / first)
    last, (older, newer) = shares[0], shares[1:]
    if np.allclose([last, older, newer], 1, atol=1e-3):
        return replace(found, kind="added")
    if not np.isclose(last, newer, rtol=1e-2, atol=1e-3):
        return found
    if np.isclose(older, last**2, rtol=1e-2, atol=1e-3):
        return replace(found, kind="momentum", share=last)
    if abs(older) < 1e-3:
        return replace(found, kind="last", share=last)
    share = older / last
    if np.isclose(last, share**2 / (1 + share), rtol=1e-2, atol=1e-3):
        return replace(found, kind="nesterov", share=share)
    return found


def gathered(steps: Steps, names: set[str]) -> Told:
    """Return what is told where a step is made of two turns: of their slopes in equal shares, and
    of no others."""
    found = Told(steps.loss, "", 0.0)
    if len(steps.base.turns) < 4 or any(one.step for one in steps.every(2)):
        return found
    fits = []
    for turn, before in ((1, (0, 1)), (3, (0, 1, 2, 3))):
        rows = [[steps.reach(group, at, number).slope.value for at in before]
                for group in steps.groups for number in DIRECTIONS]  # fmt: skip
        due = np.array([one.step for one in steps.every(turn)])
        if not (np.isfinite(rows).all() and np.isfinite(due).all()):
            return found
        fit = np.linalg.lstsq(np.array(rows), due, rcond=None)[0]
        if np.abs(np.array(rows) @ fit - due).max() > 1e-4 * np.abs(due).max():
            return found
        fits.append(fit)
    factor = float(fits[0][0])
    found = replace(found, factor=factor, right=frozenset(names))
    if np.allclose(fits[0], factor, rtol=1e-3) and np.allclose(fits[1], factor, rtol=1e-3):
        return replace(found, kind="added")
    whole = np.allclose(np.concatenate(fits) / factor, [1, 1, 0, 0, 1, 1], atol=1e-3)
    return replace(found, kind="gathered" if whole else "")


def in_part(steps: Steps, factor: float, right: set[str]) -> Told:
    """Return what is told where not all groups move by their slopes: a decay of the others, or a
    mistake."""
    others = [one for one in steps.groups if one.name not in right]
    found = Told(steps.loss, "", factor, right=frozenset(right),
                 wrong=frozenset(one.name for one in others))  # fmt: skip
    if not right:
        return found
    decays = [decay_of(steps, one, factor) for one in others]
    if all(decays):
        return replace(found, kind="decay", decay=max(decays))
    if any(is_led(steps, one) for one in others):
        return found
    far = [min(steps.reaches(one, steps.turns[0]), key=lambda each: each.misses(factor))
           for one in others]  # fmt: skip
    clear = all(one.misses(factor) > CLEAR for one in far)
    return replace(found, kind="wrong" if clear else "", example=far[0])


def decay_of(steps: Steps, group: Group, factor: float) -> float:
    """Return the share of itself that a group loses at a step beside its slopes; 0 if none."""
    known = [one for one in steps.reaches(group, steps.turns[0]) if one.weights and factor]
    shares = [(one.step - factor * one.slope.value) / one.weights / factor for one in known]
    several = sum(one.size for one in group.starts.values()) > 2 and len(shares) > 1
    alike = several and np.allclose(shares, shares[0], rtol=1e-3)
    return shares[0] if alike and 0 < shares[0] < MOST_DECAY else 0.0


def is_led(steps: Steps, group: Group) -> bool:
    """Whether a group is moved by no slope and is not meant to be: it stands still at a turn, as
    one of two that take turns, or goes a part of the way to another array, as a running mean."""
    return any(stands_still(steps, group, turn) or goes_to(steps, group, turn)
               for turn in steps.turns[:LOOKED_AT])  # fmt: skip


def stands_still(steps: Steps, group: Group, turn: int) -> bool:
    """Whether a turn does not change a group."""
    before, after = steps.kept(turn, 0), steps.kept(turn, steps.base.loop.last)
    return all(np.array_equal(before[way], after[way]) for way in group.starts)


def goes_to(steps: Steps, group: Group, turn: int) -> bool:
    """Whether a turn moves an array of a group a part of the way to another array of its shape."""
    before, after = steps.kept(turn, 0), steps.kept(turn, steps.base.loop.last)
    for way in group.starts:
        moved = after[way] - before[way]
        for kept in (before, after):
            for other, array in kept.items():
                if other not in group.starts and array.shape == moved.shape and moved.size > 2:
                    gap = array - before[way]
                    part = float((moved * gap).sum()) / (float((gap**2).sum()) or 1.0)
                    off = np.abs(moved - part * gap).max()
                    if 0 < part < 1 and off <= 1e-9 * np.abs(moved).max():
                        return True
    return False


def gradients_beside(steps: Steps, turn: int) -> dict[str, tuple[str, float]] | None:
    """Return for each group what lies beside the weights as its gradient, and its factor; None
    where one has none."""
    found: dict[str, tuple[str, float]] = {}
    kept = steps.kept(turn, steps.base.loop.last)
    own = {way for one in steps.groups for way in one.starts}
    beside = laid(kept, own)
    for group in steps.groups:
        factors = {name: factor_beside(steps, group, turn, kept, ways)
                   for name, ways in beside.items() if len(ways) == len(group.starts)}  # fmt: skip
        matches = [(name, factor) for name, factor in factors.items() if factor]
        if not matches:
            return None
        found[group.name] = min(matches, key=lambda one: abs(abs(one[1]) - 1))
    return found


def laid(kept: Arrays, own: set[str]) -> dict[str, list[str]]:
    """Return what is kept beside the weights in groups, as weights are."""
    found: dict[str, list[str]] = {}
    for way, array in kept.items():
        if way not in own:
            found.setdefault(way if array.ndim else common(way), []).append(way)
    return found


def factor_beside(
    steps: Steps, group: Group, turn: int, kept: Arrays, ways: Sequence[str]
) -> float:
    """Return how many times the slopes of a group something beside it reaches; 0 where it is
    none."""
    if [kept[way].shape for way in ways] != [one.shape for one in group.starts.values()]:
        return 0.0
    beside = tuple(ways)
    told = factor_of([steps.reach(group, turn, number, beside) for number in DIRECTIONS])
    return next((one for one in (1.0, -1.0, told)
                 if one and steps.fits(group, turn, one, beside)), 0.0)  # fmt: skip


def gradient_arrays(
    steps: Steps, ways: Mapping[str, tuple[str, float]]
) -> Iterator[dict[str, list[Array]]]:
    """Yield for each turn the gradients that lie beside the weights, by group."""
    own = {way for one in steps.groups for way in one.starts}
    for turn in range(len(steps.base.turns)):
        kept = steps.kept(turn, steps.base.loop.last)
        beside = laid(kept, own)
        yield {name: [kept[each] for each in beside.get(way, [])]
               for name, (way, _) in ways.items()}  # fmt: skip

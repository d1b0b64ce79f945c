"""What the loops of a program show of their losses, from the innermost loop outwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from compare.examine.starter.binding import plain
from compare.examine.starter.own.beside import BESIDE, wrong_beside
from compare.examine.starter.own.clipped import clipped_to
from compare.examine.starter.own.follows import (
    Told,
    gradient_arrays,
    gradients_beside,
    told,
)
from compare.examine.starter.own.groups import (
    Base,
    Group,
    base_of,
    changing,
    grouped,
    is_loss,
    shifted,
)
from compare.examine.starter.own.marked import marked
from compare.examine.starter.own.recovered import with_recovered
from compare.examine.starter.own.replay import counted, replayed
from compare.examine.starter.own.rules import rule_of
from compare.examine.starter.own.slopes import STEP, Slopes, in_time
from compare.examine.starter.own.steps import Steps
from compare.examine.starter.slots import RATE
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.supply import Supply
from compare.examine.starter.update_words import is_weight

TURNS, MOST_GROUPS = 4, 24
CARRIED, NEAR, NEAREST = 0.5, 1e-4, 1e-7
DECAYS, MOST_DECAY = re.compile(r"decay|\bwd\b"), 0.1
PENALISED = re.compile(
    r"decay|\bwd\b|l[12]\b|l[12]_|_?reg\b|regul|lam(bda|bd)?\b|lmbda|penal|ridge|lasso"
)
"""Words of a text whose gradients may have a term that no loss shows."""
SQUARED = re.compile(r"\*\* ?2|square|pow\(")


@dataclass(frozen=True)
class Seen:
    """What a loss tells of a loop: `added` if it is added up over turns, `rule` of squares that
    makes the steps of gradients beside the weights."""

    base: Base
    steps: Steps
    told: Told
    rates: tuple[float, ...]
    added: bool = False
    rule: str = ""

    @property
    def rate(self) -> float:
        """The rate that its factor is nearest to."""
        return min(self.rates, key=lambda one: abs(np.log(abs(self.told.factor / one))))

    @property
    def times(self) -> float:
        """How many times the gradient of the loss its steps are a rate times of."""
        return self.told.factor / self.rate

    def is_rate(self, factor: float) -> bool:
        """Whether a factor is one of the rates, or what stands for one."""
        return any(self.steps.is_rate(factor / one) for one in self.shares)

    @property
    def shares(self) -> list[float]:
        """How many times the loss may be meant: half of what is added up from sample to sample to
        be shown, where that is squares; where only an error is shown its squares or their mean."""
        if self.of_squares:
            sizes = {1, *(size for one in self.steps.kept(0, self.base.loop.last).values()
                          for size in (*one.shape, one.size))}  # fmt: skip
            return [times / size for size in sizes for times in (1.0, 2.0)]
        squared = self.added and SQUARED.search(self.base.loop.program.text)
        return [1.0, 0.5] if squared else [1.0]

    @property
    def halved(self) -> bool:
        """Whether half of the loss is meant."""
        plain = self.told.kind == "plain" and not self.of_squares
        return plain and not (self.steps.is_rate(self.told.factor) or self.clipped_to)

    @property
    def of_squares(self) -> bool:
        """Whether the squares of an error stand for a loss that is not shown."""
        return self.told.loss.startswith("half ")

    @cached_property
    def clipped_to(self) -> float:
        """The bound of its norm that a plain step keeps to, if one does."""
        plain = self.told.kind == "plain" and not self.of_squares
        return clipped_to(self.steps, self.told.factors, self.rates) if plain else 0.0

    @property
    def right(self) -> bool:
        """Whether its steps are its rate times the slopes of the loss."""
        found = self.told
        if any(map(self.steps.is_rough, self.steps.groups)):
            return False
        if self.rule:
            return True
        if found.kind == "plain":
            return all(map(self.is_rate, found.factors)) or self.clipped_to > 0
        if found.kind == "nesterov":
            return self.is_rate(found.factor / (1 + found.share))
        if found.kind == "momentum":
            averaged = found.share >= 0.5  # below, the two shares were exchanged as likely as not
            return self.is_rate(found.factor) or (
                averaged and self.is_rate(found.factor / (1 - found.share))
            )
        if found.kind == "gathered":
            return self.is_rate(2 * found.factor)
        return found.kind == "decay" and self.is_rate(found.factor)


def looked_at(program: Program, supply: Supply, until: float) -> Iterator[Seen]:
    """Yield what each loop shows of each of its losses."""
    for number in counted(program, supply):
        in_time(until)
        loop = marked(program, number)
        base = None if loop is None else base_of(loop, supply, TURNS)
        if loop is None or base is None:
            continue
        if not (base.asked or loop.errors or any(map(is_loss, base.turns[-1].numbers))):
            continue
        base = with_numbers(replace(base, squares=bool(loop.errors)))
        groups = grouped(list(changing(base)))
        named = {one.name for one in groups if one.is_numbers and is_loss(one.name)}
        groups = [one for one in groups if one.name not in named]
        if 0 < len(groups) <= MOST_GROUPS:
            yield from of_loop(base, groups, named, until)


def with_numbers(base: Base) -> Base:
    """Return what a loop does untouched, with all its losses."""
    marks = frozenset({0, base.loop.last})
    seen = replayed(base.loop, base.supply, len(base.turns), {}, marks, base.asked,
                    squares=base.squares)  # fmt: skip
    return replace(base, turns=tuple(seen)) if len(seen) == len(base.turns) else base


def of_loop(base: Base, groups: Sequence[Group], named: set[str], until: float) -> Iterator[Seen]:
    """Yield what one loop shows of its losses: those of the weights that a turn begins with, then
    those of the weights it ends with."""
    weights = weights_in(base, groups, until)
    moved = shifted(base, weights) if weights else None
    if moved is None:
        return
    rates = rates_of(moved)
    for mark in (0, *behind_update(moved, weights)):
        slopes = Slopes(moved, until, mark)
        every = {way for one in weights for way in slopes.at(int(mark > 0), one, 0) if is_loss(way)}
        for loss in sorted(every):
            own = [one for one in weights if not (one.is_numbers and slopes.is_flat(one, loss))]
            steps = Steps(moved, own, slopes, loss, rates)
            if any(steps.tells(one, steps.turns[0]) for one in own):
                yield with_rule(Seen(moved, steps, told(steps), rates, loss in named))


def weights_in(base: Base, groups: Sequence[Group], until: float) -> list[Group]:
    """Return the groups that a loss depends on and that are carried on."""
    if not depends(base, groups):
        return []
    slopes, found = Slopes(base, until), []
    for group in groups:
        in_time(until)
        if RATE.fullmatch(plain(group.word)):
            continue
        some = depends(base, [group]) and any(
            abs(one.value) > 3 * one.off for turn in (0, 1)
            for way, one in slopes.at(turn, group, 0).items() if is_loss(way))  # fmt: skip
        if some and is_carried(base, group):
            found.append(group)
        elif some and is_weight(group.word):
            return []  # a weight that is not carried on: its step is no small one
    return found


def depends(base: Base, groups: Sequence[Group]) -> bool:
    """Whether any loss of the first two turns changes where these are moved."""
    by = {way: STEP * one for group in groups for way, one in group.direction(0).items()}
    for turn in (1, 0):
        seen = replayed(base.loop, base.supply, turn + 1, {(turn, 0): by}, asked=base.asked,
                        squares=base.squares, named=base.named)  # fmt: skip
        moved, still = seen[-1].numbers if len(seen) > turn else {}, base.turns[turn].numbers
        if any(is_loss(way) and way in moved and moved[way] != value
               for way, value in still.items()):  # fmt: skip
            return True
    return False


def is_carried(base: Base, group: Group) -> bool:
    """Whether a small move is still there at the end of a turn, the other way round if a rate is
    too large; a unit that is taken over a corner may end it, so several moves are made."""
    narrow = any(one.dtype == np.float32 for one in group.starts.values())
    steps = (STEP,) if narrow else (STEP, NEAREST)
    left = (carried(base, group, number, step) for number, step in product((0, 1), steps))
    return any(abs(one) > CARRIED for one in left)


def carried(base: Base, group: Group, number: int, step: float) -> float:
    """Return how much of a small move is left at the end of a turn."""
    by = {way: step * one for way, one in group.direction(number).items()}
    last = base.loop.last
    runs = [replayed(base.loop, base.supply, 2, moves, frozenset({last}), named=base.named)
            for moves in ({(1, 0): by}, {})]  # fmt: skip
    if any(len(one) < 2 or last not in one[1].kept for one in runs):
        return 0.0
    moved, still = (group.along(one[1].kept[last], by) for one in runs)
    return (moved - still) / sum(float((one**2).sum()) for one in by.values())


def behind_update(base: Base, weights: Sequence[Group]) -> Iterator[int]:
    """Yield the mark at which the weights are for the first time as they are at the end."""
    kept, last = base.turns[0].kept, base.loop.last
    ways = [way for one in weights for way in one.starts]
    for mark in range(1, last):
        if all(way in kept[mark] and np.array_equal(kept[mark][way], kept[last][way])
               for way in ways):  # fmt: skip
            yield mark
            return


def rates_of(base: Base) -> tuple[float, ...]:
    """Return the numbers that are called a rate, or else all that are written."""
    every = rates_named(base) or [1.0, *base.loop.program.numbers]
    return tuple(dict.fromkeys(one for one in every if one > 0))


def rates_named(base: Base) -> list[float]:
    """Return the positive numbers that are called a rate."""
    kept = [
        float(array) for turn in base.turns for mark in (0, base.loop.last)
        for way, array in turn.kept.get(mark, {}).items()
        if not array.ndim and RATE.fullmatch(plain(way.rpartition(".")[2]))
    ]  # fmt: skip
    return [one for one in (*kept, *base.loop.program.rates) if one > 0]


def with_rule(seen: Seen) -> Seen:
    """Return what is seen with the rule of squares that makes its steps of the slopes, if one
    does."""
    steps, found = seen.steps, seen.told
    known = found.kind not in ("", "wrong") or len(found.right) == len(steps.groups)
    if known or steps.slopes.mark:
        return seen
    plain = found.kind == "wrong" and seen.is_rate(found.factor)
    taken = (steps, *with_recovered(steps))
    every = [(other, ways) for other in taken
             if (ways := gradients_beside(other, 0)) is not None]  # fmt: skip
    for other, ways in every:
        made = by_rule(replace(seen, steps=other), ways)
        if made.rule:
            return replace(seen, rule=made.rule)
        if made.told.kind == "beside" and not plain:
            return replace(seen, told=made.told)
    if every or plain or seen.of_squares:
        return seen
    # Means of gradients that a penalty was added to are none of the slopes of a loss without it.
    sure = taken[:1] if PENALISED.search(seen.base.loop.program.text) else taken
    told_beside = (wrong_beside(other, found) for other in sure)
    return replace(seen, told=next((one for one in told_beside if one.kind == BESIDE), found))


def by_rule(seen: Seen, ways: Mapping[str, tuple[str, float]]) -> Seen:
    """Return what is seen with the rule that makes its steps of the gradients that lie beside its
    weights; without one that they are right."""
    steps, program = seen.steps, seen.base.loop.program
    if any(gradients_beside(steps, turn) is None for turn in (1, 2)):
        return seen
    factors = [factor for _, factor in ways.values()]
    if not np.allclose(np.abs(factors), 1, rtol=NEAR) or np.ptp(np.sign(factors)):
        return seen
    names = [one.name for one in steps.groups]
    gradients = [joined(factors[0] * each for name in names for each in one[name])
                 for one in gradient_arrays(steps, ways)]  # fmt: skip
    kept = [[joined(turn.kept[mark][way] for one in steps.groups for way in one.starts)
             for mark in (0, seen.base.loop.last)] for turn in seen.base.turns]  # fmt: skip
    moves, weights = [one - other for one, other in kept], [one for one, _ in kept]
    decays = [one for one in program.numbers if 0 < one <= MOST_DECAY]
    decays = decays if DECAYS.search(program.text) else []
    rule = rule_of(moves, gradients, program.numbers, weights, decays)
    if rule is None or not seen.is_rate(rule[1]):
        return replace(seen, told=replace(seen.told, kind="beside"))
    return replace(seen, rule=rule[0])


def joined(arrays: Iterator[np.ndarray]) -> np.ndarray:
    """Return all entries of arrays, one after another."""
    return np.concatenate([np.ravel(one) for one in arrays])

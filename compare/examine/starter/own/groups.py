"""What of the numbers that a loop moves are weights: the loss at a turn depends on them, and they
are carried on from turn to turn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.own.marked import Loop
from compare.examine.starter.own.replay import LAST, Turn, replayed
from compare.examine.starter.training.supply import Supply

LOSS = re.compile(
    r".*(loss|cost|error|err|entropy|nll|obj|energy|risk|elbo|likelihood).*|j|l|e|ce|bce|mse|sse"
    r"|total|ll|logl\w*|(neg_?)?(log_?)?lik|printed_number_\d+|print\(\)",
    re.IGNORECASE,
)
SCALE, SHIFT = 0.05, 7


@dataclass(frozen=True)
class Group:
    """Numbers that are moved together: an array, or the numbers of a list; by their ways."""

    name: str
    starts: Arrays

    @property
    def is_numbers(self) -> bool:
        """Whether it is one number or a list of such, as losses are: E may be a table as well."""
        return all(one.size == 1 for one in self.starts.values())

    @property
    def word(self) -> str:
        """The last word of its name."""
        return [one for one in self.name.split(".") if one != "*" and not one.isdigit()][-1]

    @cached_property
    def scale(self) -> float:
        """How large they are."""
        every = np.concatenate([one.ravel() for one in self.starts.values()])
        return max(float(np.sqrt(np.mean(every**2))), SCALE)

    def direction(self, number: int) -> Arrays:
        """Return one of several moves, as long as one of the numbers is large."""
        drawn = np.random.default_rng([number, len(self.name)])
        found = {way: drawn.normal(size=one.shape) for way, one in self.starts.items()}
        length = np.sqrt(sum(float((one**2).sum()) for one in found.values()))
        return {way: one * (self.scale / length) for way, one in found.items()}

    def along(self, kept: Arrays, direction: Arrays) -> float:
        """Return how far numbers reach along a direction."""
        return float(sum((kept[way] * one).sum() for way, one in direction.items()))


@dataclass(frozen=True)
class Base:
    """A marked loop, the turns it makes untouched, and the names of its losses."""

    loop: Loop
    supply: Supply
    turns: tuple[Turn, ...]
    asked: tuple[str, ...] = ()
    shift: dict[tuple[int, int], Arrays] = field(default_factory=dict)
    squares: bool = False
    """Whether half the squares of its errors are taken for losses."""

    @cached_property
    def named(self) -> frozenset[str]:
        """The functions that return what is called a loss."""
        return frozenset(way.partition("()#")[0] for one in self.turns for way in one.numbers
                         if "()#" in way and is_loss(way))  # fmt: skip

    @property
    def ends(self) -> frozenset[int]:
        """The marks at the begin and the end of a turn."""
        return frozenset({0, self.loop.last})


def is_loss(way: str) -> bool:
    """Whether a number is called a loss, is returned by what is, or where it is returned."""
    if "()#" in way:
        name, _, place = way.partition("()#")
        named = (name.rpartition(".")[2], place.partition(" ")[2])
        return name == "print" or any(map(LOSS.fullmatch, named))
    words = [one for one in way.split(".") if not one.isdigit()]
    return way.startswith("half the sum") or any(LOSS.fullmatch(one) for one in words[-2:])


def base_of(loop: Loop, supply: Supply, turns: int) -> Base | None:
    """Return what a loop does untouched; None where it makes less than two turns."""
    seen = replayed(loop, supply, turns, marks=frozenset({0, loop.last}))
    if len(seen) < 2 or loop.last not in seen[0].kept:
        return None
    asked = [way for one in seen for way, array in one.kept.get(loop.last, {}).items()
             if array.size == 1 and is_loss(way)]  # fmt: skip
    newest = [f"{way[:-2]}.{LAST}" for way in asked if way.endswith(".0")]
    return Base(loop, supply, tuple(seen), tuple(dict.fromkeys([*asked, *newest])))


def shifted(base: Base, weights: Sequence[Group]) -> Base | None:
    """Return the same loop from other first weights: none is 0, and no unit lies on a corner."""
    by = {way: one for group in weights for way, one in group.direction(SHIFT).items()}
    shift = {(0, 0): by}
    marks = frozenset(range(base.loop.last + 1))
    seen = replayed(base.loop, base.supply, len(base.turns), shift, marks, base.asked,
                    squares=base.squares, within=frozenset(by))  # fmt: skip
    if len(seen) < len(base.turns) or any(base.loop.last not in one.kept for one in seen):
        return None
    return replace(base, turns=tuple(seen), shift=shift)


def changing(base: Base) -> Iterator[tuple[str, Array]]:
    """Yield the numbers that turns change, as they are before the first one."""
    last = base.loop.last
    for way, start in base.turns[0].kept[0].items():
        pairs = [(one.kept[0][way], one.kept[last][way]) for one in base.turns
                 if last in one.kept and way in one.kept[0] and way in one.kept[last]]  # fmt: skip
        same = all(one.shape == start.shape for pair in pairs for one in pair)
        if len(pairs) < len(base.turns) - 1 or not same:
            continue
        whole = all((one == np.round(one)).all() for pair in pairs for one in pair)
        if not whole and any((before != after).any() for before, after in pairs):
            yield way, start


def grouped(found: Sequence[tuple[str, Array]]) -> list[Group]:
    """Return what is moved together."""
    groups: dict[str, Arrays] = {}
    for way, start in found:
        name = way if start.ndim else common(way)
        groups.setdefault(name, {})[way] = start
    return [Group(name, starts) for name, starts in groups.items()]


def common(way: str) -> str:
    """Return a way without the numbers in it; the first one is kept where a name follows it, as in
    `layers.0.weights.*`: those of one layer go together."""
    words = way.split(".")
    named = max(place for place, one in enumerate(words) if not one.isdigit())
    numbers = [place for place, one in enumerate(words) if one.isdigit()]
    kept = [place for place in numbers[:1] if place < named]
    return ".".join("*" if place in numbers and place not in kept else one
                    for place, one in enumerate(words))  # fmt: skip

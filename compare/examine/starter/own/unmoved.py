"""Weights that no turn moves and on which the loss depends: forgotten, or left out on purpose.

    for k in ("Wq", "Wk", "Wo"): params[k] -= lr * grads[k]        and params["Wv"] stays

Steps that are right say nothing of it: there is none. Where its gradient lies among the arrays of a
turn and nothing is made of it, that is a mistake; else what is called like the weights beside it
may be meant to stay as it is.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.own.follows import factor_beside, laid
from compare.examine.starter.own.groups import Base, Group, base_of, changing, is_loss, shifted
from compare.examine.starter.own.marked import marked
from compare.examine.starter.own.replay import counted, replayed
from compare.examine.starter.own.seen import TURNS, Seen, weights_in, with_numbers
from compare.examine.starter.own.slopes import STEP, Slopes
from compare.examine.starter.own.steps import Steps
from compare.examine.starter.source import Source
from compare.examine.starter.training.program import Program, program_of
from compare.examine.starter.training.supply import Supply, data_role
from compare.examine.starter.update_words import is_weight

LATER, LONG, MOST, SECONDS = 1, 300, 12, 4.0
"""What is copied anew at a first turn is another array at the next one; what is moved now and then,
or later on, is moved within so many turns."""
MOST_KEPT = 5_000_000
"""Numbers in the copies of all turns."""
MEANT = re.compile(
    r"fr[eo]+ze|trainable|requires_grad|pre-?train|fine-?tun|reservoir|\belm\b|extreme learning"
    r"|random (features?|projections?)|(are|is|stays?|kept|held) fixed|not trained|untrained",
    re.IGNORECASE,
)
"""Words of a text some of whose weights are not to be moved."""
KEPT = re.compile(
    r"targets?|old|prev(ious)?|ref(erence)?|teacher|fixed|best|init(ial)?|start|orig(inal)?|backup"
    r"|saved|ema|avg|copy|rand(om)?|mask|class(es)?|samples?|pos|neg|loss|rows?|focal",
    re.IGNORECASE,
)
"""Words of what is not trained though it is called a weight: of samples, or of another network."""
TRAINED = re.compile(r"(emb|kernel|filter|coef)\w*|gamma|beta|table|[uv][a-z]?\d*", re.IGNORECASE)
PAIR = re.compile(r"^[wb](?=[a-z_]{0,3}\d*$)|weights?|bias(es)?", re.IGNORECASE)


@dataclass(frozen=True)
class Unmoved:
    """Weights that stay as they are, each with its gradient where that is among the arrays."""

    names: tuple[str, ...]
    gradients: tuple[str, ...] = ()

    def words(self) -> str:
        """Return that nothing moves them."""
        some = f"its loss depends on {' and '.join(self.names)}, and no step of its loop moves it"
        if self.gradients:
            return f"{some}: {' and '.join(self.gradients)} is computed, and nothing is made of it"
        return some

    def slip(self) -> tuple[str, str, str]:
        """Return the mistake, what is said of it and its title."""
        words = " and ".join(self.names)
        return "parameter-never-updated", self.words(), f"{words}: no step moves it"


def unmoved(seen: Seen) -> Unmoved | None:
    """Return which weights a right training leaves as they are."""
    moved = {way for one in seen.steps.groups for way in one.starts}
    groups = list(candidates(seen.base, moved))
    if not groups or (found := by_slopes(seen.base, groups, moved, seen.told.loss)) is None:
        return None
    return found if stays(seen.base, found.names) else None


def unmoved_in(source: Source, number: int, supply: Supply) -> Unmoved | None:
    """Return which weights a loop leaves as they are whose steps are right beside torch."""
    base = base_at(program_of(source, strength=None), number, supply)
    if base is None:
        return None
    own = [Group(way, {way: start}) for way, start in changing(base) if start.ndim]
    groups = list(candidates(base, {one.name for one in own}))
    if not groups:
        return None
    base = with_numbers(replace(base, squares=bool(base.loop.errors)))
    try:
        weights = weights_in(base, own, time.process_time() + SECONDS)
        found = of_any_loss(base, groups, weights)
    except TimeoutError:
        return None
    return found if found and stays(base, found.names) else None


def base_at(program: Program, number: int, supply: Supply) -> Base | None:
    """Return what a loop does untouched; the statements of a `main` are there twice."""
    same = [one for one, place in program.places.items() if place == program.places[number]]
    loops = [marked(program, one) for one in (number, *same)]
    bases = (base_of(one, supply, TURNS) for one in loops if one is not None)
    return next((one for one in bases if one is not None), None)


def of_any_loss(base: Base, groups: Sequence[Group], weights: Sequence[Group]) -> Unmoved | None:
    """Return what one of the losses shows of these groups; where there is none, what the steps of
    others are made of."""
    moved = {way for one in weights for way in one.starts}
    other = shifted(base, weights) if weights else None
    if other is None:
        own = {way for way, start in changing(base) if start.ndim}
        names = tuple(one.name for one in groups if placed(one, own) and steers(base, one, own))
        return Unmoved(names) if names else None
    losses = sorted(filter(is_loss, other.turns[LATER].numbers))
    every = [found for loss in losses if (found := by_slopes(other, groups, moved, loss))]
    return next((one for one in every if one.gradients), every[0] if every else None)


def candidates(base: Base, moved: Set[str]) -> Iterator[Group]:
    """Yield what turns leave as it is and may be a weight."""
    if MEANT.search(written(base.loop.program.source.path)):
        return
    found = 0
    for way, start in base.turns[0].kept[0].items():
        group = Group(way, {way: start})
        if way in moved or kept_so(way) or data_role(group.word) or found >= MOST:
            continue
        named = is_weight(group.word) or TRAINED.fullmatch(group.word) or placed(group, moved)
        if named and not is_loss(group.word) and is_still(base, way, (0, base.loop.last)):
            found += 1
            yield group


def written(path: Path) -> str:
    """Return the text of a file with its comments: they say what is meant."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def kept_so(way: str) -> bool:
    """Whether a word of a way is one of what is not trained."""
    return any(map(KEPT.fullmatch, re.split(r"[._]", way)))


def is_still(base: Base, way: str, marks: Sequence[int]) -> bool:
    """Whether turns leave an array as it is."""
    start = base.turns[0].kept[0][way]
    every = [one.kept.get(mark, {}).get(way) for one in base.turns for mark in marks]
    return all(is_same(one, start) for one in every)


def by_slopes(base: Base, groups: Sequence[Group], moved: Set[str], loss: str) -> Unmoved | None:
    """Return on which of these groups a loss depends: those whose gradients are there, else those
    that stand where weights do."""
    slopes = Slopes(base, time.process_time() + SECONDS)
    steps = Steps(base, groups, slopes, loss)
    names, known = [], {}
    try:
        for group in (one for one in groups if steps.tells(one, LATER)):
            if way := gradient_of(steps, group, moved):
                known[group.name] = way
            names += [group.name] if placed(group, moved) else []
    except TimeoutError:
        pass
    if known:
        return Unmoved(tuple(known), tuple(known.values()))
    return Unmoved(tuple(names)) if names else None


def gradient_of(steps: Steps, group: Group, moved: Set[str]) -> str:
    """Return what lies beside the weights as the gradient of a group; of one or two numbers
    nothing but the slopes themselves is its gradient."""
    last = steps.base.loop.last
    kept, before = steps.kept(LATER, last), steps.kept(0, last)
    small = sum(one.size for one in group.starts.values()) <= 2
    for name, ways in laid(kept, {*moved, *group.starts}).items():
        if len(ways) > 1 or is_same(before.get(ways[0]), kept[ways[0]]):
            continue
        factor = factor_beside(steps, group, LATER, kept, ways)
        if factor and (not small or abs(factor) == 1):
            return name
    return ""


def is_same(one: Array | None, other: Array | None) -> bool:
    """Whether two arrays are there, and alike."""
    return one is not None and other is not None and np.array_equal(one, other)


def placed(group: Group, moved: Set[str]) -> bool:
    """Whether an array stands where others that are moved do: in another layer, or beside them."""
    if not all(one.ndim for one in group.starts.values()):
        return False
    if numberless(group.name) in map(numberless, moved):
        return True
    parent = numberless(group.name).rpartition(".")[0]
    beside = [one.rpartition(".")[2] for one in map(numberless, moved)
              if one.rpartition(".")[0] == parent]  # fmt: skip
    if not is_weight(group.word):
        return False
    return any(map(is_weight, beside)) if parent else is_of_pair(group.name, moved)


def numberless(way: str) -> str:
    """Return a way with one sign for all numbers."""
    return re.sub(r"\d+", "#", way)


def is_of_pair(name: str, moved: Set[str]) -> bool:
    """Whether a bias is called as a weight is that is moved, `b1` beside `W1`, or a weight so."""
    return PAIR.sub("@", name) in {PAIR.sub("@", one) for one in moved}


def steers(base: Base, group: Group, moved: Set[str]) -> bool:
    """Whether the steps of others are made of a group: a move of it moves them elsewhere."""
    by = {way: STEP * one for way, one in group.direction(0).items()}
    turns = replayed(base.loop, base.supply, LATER + 1, {(LATER, 0): by}, base.ends)
    ends = [one[LATER].kept.get(base.loop.last, {}) for one in (turns, base.turns)
            if len(one) > LATER]  # fmt: skip
    return len(ends) == 2 and any(
        way in ends[0] and not is_same(ends[0][way], ends[1].get(way)) for way in moved
    )


def stays(base: Base, names: Sequence[str]) -> bool:
    """Whether many turns leave arrays as they are, and the other loops of a program, too."""
    size = sum(one.size for one in base.turns[0].kept[0].values())
    count = min(LONG, max(TURNS, MOST_KEPT // size))
    turns = replayed(base.loop, base.supply, count, marks=frozenset({0}))
    long = replace(base, turns=tuple(one for one in turns if 0 in one.kept))
    if not all(is_still(long, way, (0,)) for way in names):
        return False
    for number in counted(base.loop.program, base.supply):
        loop = marked(base.loop.program, number) if number != base.loop.number else None
        other = base_of(loop, base.supply, TURNS) if loop else None
        if other and any(way in names for way, _ in changing(other)):
            return False
    return True

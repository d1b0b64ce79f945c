"""What the steps of a loop are made of, told by the slopes of one of its losses.

A step of plain descent reaches along every direction a rate times the slope there; one with
momentum also shares of the slopes of the turns before. Where steps are neither, arrays that lie
beside the weights may be the gradient, and a rule of squares may make the steps of them (`rules`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.own.groups import Group, common
from compare.examine.starter.own.led import decay_of, is_led
from compare.examine.starter.own.steps import (
    CLEAR,
    DIRECTIONS,
    LOOKED_AT,
    SURE,
    Reach,
    Steps,
    factor_of,
)


@dataclass(frozen=True)
class Told:
    """What a loss tells: `factor` how many times its slope the steps are, `share` how much of a
    step stays, `right` the groups that move by it and `wrong` those that do not.

    `kind` is plain, momentum, nesterov, last, added, gathered, decay, beside (the gradients that
    lie there are right), wrong, wrong beside, or nothing.
    """

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

"""The gradients that lie beside the weights, found by the slopes of a loss and by their names.

Where some are the slopes of their weights, what is called so of another weight (`dW2` beside `dW1`)
is meant to be: it is wrong where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from compare.contracts.arrays import Arrays
from compare.examine.starter.own.follows import Told, factor_beside, laid
from compare.examine.starter.own.groups import Group
from compare.examine.starter.own.steps import CLEAR, DIRECTIONS, Steps

Naming = tuple[tuple[str, ...], tuple[str, ...], str, str]
"""Where a weight lies, where its gradient does, and what is put before and behind its last word."""
BESIDE = "wrong beside"
FAR = 0.02


def wrong_beside(steps: Steps, found: Told) -> Told:
    """Return what is told where gradients beside the weights are wrong, by their names."""
    kept = steps.kept(0, steps.base.loop.last)
    own = {way for one in steps.groups for way in one.starts}
    beside = laid(kept, own)
    right: dict[str, str] = {}
    for group in steps.groups:
        for name, ways in beside.items():
            if len(ways) == len(group.starts) and np.isclose(
                factor_beside(steps, group, 0, kept, ways), 1, rtol=1e-4
            ):
                right[group.name] = name
    namings = {one for name, way in right.items() for one in namings_of(name, way)}
    namings = {one for one in namings
               if all(named(one, name) == way for name, way in right.items())}  # fmt: skip
    wrong = [group for group in steps.groups if group.name not in right]
    meant = {group.name: named(one, group.name) for one in namings for group in wrong}
    meant = meant or in_a_list(set(right.values()), wrong, beside, kept)
    known = all(meant.get(group.name) in beside for group in wrong)
    if not (right and wrong and known):
        return found
    off = [group for group in wrong if is_off(steps, group, beside[meant[group.name]])]
    if len(off) < len(wrong):
        return found
    example = steps.reach(off[0], 0, 0, tuple(beside[meant[off[0].name]]))
    return replace(found, kind=BESIDE, factor=1.0, right=frozenset(right),
                   wrong=frozenset(one.name for one in off), example=example)  # fmt: skip


def in_a_list(
    right: set[str], wrong: Sequence[Group], beside: Mapping[str, Sequence[str]], kept: Arrays
) -> dict[str, str]:
    """Return which gradients of a list are those of weights, where the others are known and there
    is one of their shape for each."""
    lists = {way.rpartition(".")[0] for way in right}
    found: dict[str, str] = {}
    for group in wrong:
        shapes = [one.shape for one in group.starts.values()]
        left = [
            way
            for way, ways in beside.items()
            if way not in right
            and {way.rpartition(".")[0]} == lists
            and [kept[one].shape for one in ways] == shapes
        ]
        if len(left) != 1:
            return {}
        found[group.name] = left[0]
    return found if len(set(found.values())) == len(wrong) else {}


def is_off(steps: Steps, group: Group, ways: list[str]) -> bool:
    """Whether what is called the gradient of a group is clearly none of its slopes, nor a multiple
    of them: that may be a rate."""
    kept = steps.kept(0, steps.base.loop.last)
    if [kept[way].shape for way in ways] != [one.shape for one in group.starts.values()]:
        return False
    if factor_beside(steps, group, 0, kept, ways):
        return False
    for number in DIRECTIONS:
        one = steps.reach(group, 0, number, tuple(ways))
        near = abs(one.step - one.slope.value) <= FAR * (abs(one.step) + abs(one.slope.value)) / 2
        if near or one.misses(1.0) < CLEAR:
            return False
    return True


def namings_of(weight: str, gradient: str) -> Iterator[Naming]:
    """Yield how a gradient is named after its weight."""
    (*lead, last), (*other, word) = weight.split("."), gradient.split(".")
    if last in word:
        before, _, behind = word.partition(last)
        yield tuple(lead), tuple(other), before, behind
    if lead == other:
        before, _, behind = word.partition(last) if last in word else ("", "", "")
        yield (), (), before, behind


def named(naming: Naming, weight: str) -> str:
    """Return how the gradient of a weight is named."""
    before_, after, prefix, suffix = naming
    (*lead, last) = weight.split(".")
    if before_ or after:
        lead = list(after) if tuple(lead) == before_ else lead
    return ".".join([*lead, f"{prefix}{last}{suffix}"])

"""The number of entries that count, or the sum of weights, that a mean was not divided by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from compare.layers.names.case import Case
from compare.layers.names.forms import Shapes
from compare.layers.names.friendly import COUNT, Names
from compare.layers.names.match import Match
from compare.layers.names.tape import Tape
from compare.layers.names.trial import Found

CLOSE = 1e-6
"""Relatively: how far a factor may be off what a count would make of it."""
PLAIN = (2.0, 0.5)
"""Factors that need no count; that they are quotients of two has to show at other shapes."""


@dataclass(frozen=True)
class Count:
    """What a mean is divided by, in words, and of each mask that feeds it how many entries it
    leaves, and has."""

    noun: str
    masks: frozenset[int]
    wholes: frozenset[int]


def in_counts(case: Case, *, some_left_out: bool = False) -> Found | None:
    """Return what every wrong tensor was divided by in place of a count, if that is all.

    `some_left_out`: a count that is the length of an axis as well is called that.
    """
    match, texts = case.match, []
    results = dict(match.right)
    counts = counts_of(case.tape, case.names)
    lengths = {float(n) for shape in match.shapes.values() for n in shape}
    if some_left_out:
        counts = {k: count for k, count in counts.items() if k not in lengths}
    for name in match.wrong if counts else ():
        c = match.coefficient(name, match.right[name])
        if c is None:
            return None
        said = count_factor(c, counts, match.shapes, plain=is_plain(match, name, c))
        if said is None:
            return None
        texts.append(f"{name} is {said}")
        results[name] = c * match.right[name]
    return Found("tensor", "; ".join(texts), results) if texts else None


def is_plain(match: Match, name: str, c: float) -> bool:
    """Return whether a tensor is doubled or halved, at other shapes as well."""
    if not any(abs(c - plain) < CLOSE for plain in PLAIN):
        return False
    telling = [other for other in match.elsewhere if bool(other.right[name].any())]
    measured = [other.coefficient(name, other.right[name]) for other in telling]
    return all(its is not None and abs(its - c) < CLOSE for its in measured)


def counts_of(tape: Tape, names: Names) -> dict[float, Count]:
    """Return the counts of the forward pass and the sums, each one number, by which it divides."""
    steps = tape.steps[: tape.boundary]
    found = [out for step in steps for out in step.outs if out >= 0 and names.noun(out) == COUNT]
    for step in steps:
        below = step.refs()[1].number if step.name == "div" and len(step.refs()) == 2 else -1
        made = names.behind_copies(below) if below >= 0 else None
        if made is not None and made.name == "sum" and tape.values[below].numel() == 1:
            found.append(below)
    return {float(tape.values[one]): count_of(tape, names.noun(one), one) for one in found}


def count_of(tape: Tape, noun: str, number: int) -> Count:
    """Return a count with the masks that go into it."""
    seen, layer = set[int](), {number}
    while layer:
        seen |= layer
        makers = [tape.steps[tape.maker[each]] for each in layer if each in tape.maker]
        layer = {ref.number for step in makers for ref in step.refs()} - seen
    masks = [tape.values[each] for each in seen if tape.values[each].dtype is torch.bool]
    masks = [mask for mask in masks if mask.dim()]
    left = frozenset(int(mask.sum()) for mask in masks)
    return Count(noun, left, frozenset(mask.numel() for mask in masks))


def count_factor(
    c: float, counts: dict[float, Count], shapes: Shapes, *, plain: bool
) -> str | None:
    """Return what a factor has to do with the counts, if anything."""
    for due, said in count_factors(counts, shapes, plain=plain):
        if abs(c - due) < CLOSE * abs(due):
            return said
    return None


def count_factors(
    counts: dict[float, Count], shapes: Shapes, *, plain: bool
) -> Iterator[tuple[float, str]]:
    """Yield the factors of a mean that is taken over another number of entries, or is a sum.

    What may be a `plain` 2 or 1/2 has to be over all entries of a mask, counted or not.
    """
    for k, count in counts.items():
        if k < 2:
            continue
        place = f"in place of {k:g}, {count.noun}"
        if not plain:
            yield k, f"multiplied by {k:g}, {count.noun}"
            yield 1 / k, f"divided by {k:g}, {count.noun}, once too often"
            for m in sorted(count.masks - {0, k}):
                yield k / m, f"divided by {m}, {COUNT}, {place}"
        for of, shape in shapes.items():
            for axis, n in enumerate(shape):
                if n != k and n > 1 and (not plain or n in count.wholes):
                    yield k / n, f"divided by {n}, the length of axis {axis} of {of}, {place}"

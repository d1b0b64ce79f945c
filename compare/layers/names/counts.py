"""The number of entries that count, or the sum of weights, that a mean was not divided by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch

from compare.layers.names.case import Case
from compare.layers.names.forms import Shapes
from compare.layers.names.friendly import COUNT, Names
from compare.layers.names.tape import Tape
from compare.layers.names.trial import Found


def in_counts(case: Case, *, some_left_out: bool = False) -> Found | None:
    """Return what every wrong tensor was divided by in place of a count, if that is all.

    `some_left_out`: a count that is the length of an axis as well is called that.
    """
    tape, names, match = case.tape, case.names, case.match
    results, texts = dict(match.right), []
    counts = {
        float(tape.values[number]): names.noun(number)
        for step in tape.steps[: tape.boundary] for number in step.outs
        if number >= 0 and names.noun(number) == COUNT
    } | divisors(tape, names)  # fmt: skip
    masks = sizes_of_masks(tape)
    lengths = {float(n) for shape in match.shapes.values() for n in shape}
    if some_left_out:
        counts = {k: noun for k, noun in counts.items() if k not in lengths}
    for name in match.wrong if counts else ():
        c = match.coefficient(name, match.right[name])
        said = None if c is None else count_factor(c, counts, match.shapes, masks)
        if c is None or said is None:
            return None
        texts.append(f"{name} is {said}")
        results[name] = c * match.right[name]
    return Found("tensor", "; ".join(texts), results) if texts else None


def divisors(tape: Tape, names: Names) -> dict[float, str]:
    """Return the sums, each one number, by which the forward pass divides: of weights, say."""
    found = {}
    for step in tape.steps[: tape.boundary]:
        below = step.refs()[1].number if step.name == "div" and len(step.refs()) == 2 else -1
        made = names.behind_copies(below) if below >= 0 else None
        if made is not None and made.name == "sum" and tape.values[below].numel() == 1:
            found[float(tape.values[below])] = names.noun(below)
    return found


def sizes_of_masks(tape: Tape) -> set[int]:
    """Return how many entries the masks of the forward pass leave."""
    outs = [out for step in tape.steps[: tape.boundary] for out in step.outs if out >= 0]
    masks = [tape.values[out] for out in outs if tape.values[out].dtype is torch.bool]
    return {int(mask.sum()) for mask in masks if mask.dim()}


def count_factor(
    c: float, counts: Mapping[float, str], shapes: Shapes, masks: Iterable[int]
) -> str | None:
    """Return what a factor has to do with the counts, if anything."""
    for due, said in count_factors(counts, shapes, masks):
        if abs(c - due) < 1e-6 * abs(due):
            return said
    return None


def count_factors(
    counts: Mapping[float, str], shapes: Shapes, masks: Iterable[int]
) -> Iterator[tuple[float, str]]:
    """Yield the factors of a mean that is taken over another number of entries, or is a sum."""
    for k, noun in counts.items():
        if k < 2:
            continue
        yield k, f"multiplied by {k:g}, {noun}"
        yield 1 / k, f"divided by {k:g}, {noun}, once too often"
        for m in masks:
            if m not in (0, k):
                yield k / m, f"divided by {m}, {COUNT}, in place of {k:g}, {noun}"
        for of, shape in shapes.items():
            for axis, n in enumerate(shape):
                if n != k and n > 1:
                    place = f"the length of axis {axis} of {of}"
                    yield k / n, f"divided by {n}, {place}, in place of {k:g}, {noun}"

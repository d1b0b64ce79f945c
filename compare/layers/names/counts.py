"""The number of entries that count, which a mean was or was not divided by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compare.layers.names.case import Case
from compare.layers.names.forms import Shapes
from compare.layers.names.friendly import COUNT
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
    }  # fmt: skip
    lengths = {float(n) for shape in match.shapes.values() for n in shape}
    if some_left_out:
        counts = {k: noun for k, noun in counts.items() if k not in lengths}
    for name in match.wrong if counts else ():
        c = match.coefficient(name, match.right[name])
        said = None if c is None else count_factor(c, counts, match.shapes)
        if c is None or said is None:
            return None
        texts.append(f"{name} is {said}")
        results[name] = c * match.right[name]
    return Found("tensor", "; ".join(texts), results) if texts else None


def count_factor(c: float, counts: Mapping[float, str], shapes: Shapes) -> str | None:
    """Return what a factor has to do with the counts, if anything."""
    for due, said in count_factors(counts, shapes):
        if abs(c - due) < 1e-6 * abs(due):
            return said
    return None


def count_factors(counts: Mapping[float, str], shapes: Shapes) -> Iterator[tuple[float, str]]:
    """Yield the factors of a mean that is taken over another number of entries, or is a sum."""
    for k, noun in counts.items():
        if k < 2:
            continue
        yield k, f"multiplied by {k:g}, {noun}"
        yield 1 / k, f"divided by {k:g}, {noun}, once too often"
        for of, shape in shapes.items():
            for axis, n in enumerate(shape):
                if n != k and n > 1:
                    place = f"the length of axis {axis} of {of}"
                    yield k / n, f"divided by {n}, {place}, in place of {k:g}, {noun}"

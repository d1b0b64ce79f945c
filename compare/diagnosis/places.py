"""Which row or class an explanation means in every batch asked, and in a batch not asked yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from compare.diagnosis.accept import variants
from compare.diagnosis.explanation import Explanation, Part
from compare.diagnosis.match import Case
from compare.mistakes.mistake import NetworkMistake
from compare.mistakes.places import Place, Places, numbers_at
from compare.textbook import Point


def places(explanation: Explanation, index: int, cases: Sequence[Case]) -> Places:
    """Return the place that part `index` means in every wrong case, that of the explanation first.

    Where several rows of a batch fit, the one that continues the first place is taken: as far from
    the end, or as far from the start.
    """
    mistake, c = explanation.parts[index].mistake, explanation.parts[index].constant
    assert c is not None
    found = [place(mistake, c, cases[0].point)]
    for case in (case for case in cases[1:] if case.disagrees):
        fitting = [
            place(mistake, variant.parts[index].constant or 0.0, case.point)
            for variant in variants(explanation, case)
            if case.reproduced(variant.overrides)
        ]
        found += sorted(
            fitting,
            key=lambda one: (one.from_end != found[0].from_end, one.number != found[0].number),
        )[:1]
    return found


def place(mistake: NetworkMistake, constant: float, point: Point) -> Place:
    """Return a constant of the mistake as a place at this point."""
    assert mistake.numbering is not None
    return Place(int(constant), mistake.numbering.of(point))


def versions(
    explanation: Explanation, cases: Sequence[Case], point: Point
) -> Iterator[Explanation]:
    """Yield the explanation as it would be at another point: a row has another number there."""
    choices: list[list[Part]] = []
    for index, part in enumerate(explanation.parts):
        choices.append([part])
        if part.mistake.numbering is not None:
            of = part.mistake.numbering.of(point)
            numbers = numbers_at(places(explanation, index, cases), of)
            choices[-1] = [Part(part.mistake, float(c), part.layer) for c in sorted(numbers)]
    yield from (Explanation(chosen) for chosen in product(*choices))

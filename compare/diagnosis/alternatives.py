"""From mistakes that all fit to one answer: the most frequent is named, the others stand beside."""

from __future__ import annotations

from collections.abc import Sequence

from compare.contracts.result import Diagnosis
from compare.mistakes.mistake import Mistake

Fitting = tuple[Mistake, float | None, float]
"""A mistake that reproduces what was seen, its constant if it has one, its ratio."""


def one_of(found: Sequence[Fitting], before: float, **words: str) -> tuple[Diagnosis, ...]:
    """Return one Diagnosis for mistakes that all reproduce the same numbers, or nothing.

    `words` fill further braces of the sentence.
    """
    if not found:
        return ()
    ordered = sorted(found, key=lambda fitting: (fitting[0].convention, -fitting[0].seen))
    mistake, constant, after = ordered[0]
    diagnosis = Diagnosis(
        mistake=mistake.name,
        sentence=mistake.sentence.format(constant=constant, **words),
        ratio_before=before,
        ratio_after=after,
        also=tuple(other.name for other, _, _ in ordered[1:]),
        constant=constant,
        title=mistake.title.format(constant=constant, **words),
    )
    return (diagnosis,)

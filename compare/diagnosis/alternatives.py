"""Of mistakes of one kind, those that reproduce what was seen, as one answer.

The most frequent is named, the others stand beside.
"""

from __future__ import annotations

from collections.abc import Iterable

from compare.contracts.result import Diagnosis
from compare.mistakes.mistake import Mistake

Tried = tuple[Mistake, float | None, float]
"""A mistake, its constant if it has one, and the worst ratio of what was seen if it was made."""


def reproducing(tried: Iterable[Tried], before: float, **words: str) -> tuple[Diagnosis, ...]:
    """Return one Diagnosis for the mistakes that all reproduce the same numbers, or nothing.

    `before` is the worst ratio of the right computation. Of several constants the first counts.
    `words` fill further braces of the sentence.
    """
    if before <= 1.0:
        return ()
    found: dict[str, Tried] = {}
    for each in tried:
        if each[2] <= 1.0:
            found.setdefault(each[0].name, each)
    if not found:
        return ()
    ordered = sorted(found.values(), key=lambda each: (each[0].convention, -each[0].seen))
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

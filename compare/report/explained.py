"""The named mistakes of a page in lines of code: the page is often all that its reader has.

- dz[i - 1] = dh[i - 1]
+ dz[i - 1] = dh[i - 1] * slope(z[i - 1], h[i - 1])
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from compare.contracts.result import Diagnosis, Result
from compare.mistakes.as_diff import as_diff
from compare.mistakes.catalogue import CATALOGUE, titled
from compare.mistakes.mistake import Mistake


class Explained(NamedTuple):
    """A mistake in one line of words, and as a diff."""

    title: str
    lines: list[str]


def explained(result: Result) -> list[Explained]:
    """Return every catalogued mistake of a diagnosis once, with the constants that were found."""
    known = {mistake.name: mistake for mistake in CATALOGUE}
    found: dict[str, Explained] = {}
    for diagnosis in result.diagnosis:
        for name in names_in(diagnosis):
            if name in known:
                diff = as_diff(known[name], constant_of(diagnosis, known[name]))
                found.setdefault(name, Explained(titled(known[name]), diff.split("\n")))
    return list(found.values())


def names_in(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the mistake of a diagnosis, or each of several together."""
    yield from diagnosis.mistake.split(" + ")


def constant_of(diagnosis: Diagnosis, mistake: Mistake) -> float | None:
    """Return the constant a mistake was found with, else that of its example."""
    found = {one.mistake: one.constant for one in diagnosis.slips}
    if diagnosis.mistake == mistake.name:
        found.setdefault(mistake.name, diagnosis.constant)
    constant = found.get(mistake.name)
    return mistake.example if constant is None else constant

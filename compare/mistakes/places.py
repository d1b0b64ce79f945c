"""Numbers of rows and classes in words that hold for any batch.

A diagnosis asks batches of several sizes. "The last sample" is what all of them have in common;
the number it has in one of them is not that of the user's batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compare.textbook import Point


@dataclass(frozen=True)
class Place:
    """Row or class `number`, counted from 0, of `of`."""

    number: int
    of: int

    @property
    def from_end(self) -> int:
        """Return how many there are from this one on."""
        return self.of - self.number


Places = Sequence[Place]
"""The same row in every batch asked, the one to speak of first."""


@dataclass(frozen=True)
class Numbering:
    """What a free constant numbers: `of(point)` of them there are, `words(places)` says which."""

    of: Callable[[Point], int]
    words: Callable[[Places], str]


def same_number(places: Places) -> bool:
    """Return whether the number is the same in every batch."""
    return len({place.number for place in places}) == 1


def same_from_end(places: Places) -> bool:
    """Return whether as many are left in every batch."""
    return len({place.from_end for place in places}) == 1


def of_several(places: Places) -> bool:
    """Return whether batches of several sizes were asked."""
    return len({place.of for place in places}) > 1


def numbers_at(places: Places, of: int) -> set[int]:
    """Return the number it has among `of`, both where the batches asked do not tell which."""
    from_end = {of - place.from_end for place in places[:1] if same_from_end(places)}
    number = {place.number for place in places[:1] if same_number(places)}
    return {min(max(c, 0), of - 1) for c in from_end | number or {places[0].number}}


def numbered(what: str, places: Places) -> str:
    """Return "what 3" if that is so in batches of several sizes, else "what 3 of 5"."""
    first = places[0]
    exact = of_several(places) and same_number(places)
    return f"{what} {first.number}{'' if exact else f' of {first.of}'}"


def single(what: str) -> Callable[[Places], str]:
    """Return the words for one sample or class that is left out."""

    def words(places: Places) -> str:
        if all(place.from_end == 1 for place in places):
            return f"The last {what} is"
        if all(place.number == 0 for place in places):
            return f"The first {what} is"
        return f"{numbered(what.capitalize(), places)} (counted from 0) is"

    return words


def last_samples(places: Places) -> str:
    """Return the words for the samples from a number on, as a subject."""
    count = places[0].from_end
    if same_from_end(places):
        of = "" if of_several(places) else f"of {places[0].of} "
        return "the last sample" if count == 1 else f"the last {count} {of}samples"
    return f"{numbered('the samples from', places)} on (counted from 0)"


def left_from(places: Places) -> str:
    """Return the words for the samples from a number on that are left out."""
    subject = last_samples(places)
    return f"{subject[0].upper()}{subject[1:]} {'is' if subject == 'the last sample' else 'are'}"


def arriving_from(places: Places) -> str:
    """Return the words for the samples from a number on that alone arrive."""
    subject = last_samples(places)
    return f"Only {subject} {'arrives' if subject == 'the last sample' else 'arrive'}"


def shift(places: Places) -> str:
    """Return by how many rows something is rolled, the shorter way round if both hold."""
    steps = [place.number for place in places[:1] if same_number(places)]
    steps += [-place.from_end for place in places[:1] if same_from_end(places)]
    if not steps:
        return f"{places[0].number} of {places[0].of}"
    return f"{min(steps, key=abs):+d}"

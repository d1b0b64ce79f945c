"""A fault of one search for a name costs its own names and later ones, not those before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from compare.layers.names.search import found_by
from compare.layers.names.trial import Found

EARLY, LATE = Found("value", "early", {}, 1), Found("value", "late", {}, 1)


def early(case: Any) -> Iterator[Found]:
    yield EARLY


def late(case: Any) -> Iterator[Found]:
    yield LATE


def raising(error: type[Exception]) -> Any:
    def search(case: Any) -> Iterator[Found]:
        raise error
        yield LATE

    return search


@pytest.mark.parametrize("error", [AssertionError, KeyError, AttributeError])
def test_a_fault_leaves_what_was_found_before_it(error: type[Exception]) -> None:
    case: Any = None
    assert found_by((early, raising(error), late), case) == [EARLY]


def test_a_change_that_fits_no_program_leaves_the_others_their_say() -> None:
    case: Any = None
    assert found_by((early, raising(IndexError), late), case) == [EARLY, LATE]

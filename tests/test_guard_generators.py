"""A draw from a global random generator is seen and undone, whatever the generator keeps."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.random import mtrand

from compare.guard.effects import Notes, generators_kept
from compare.guard.generators import state_of_numpy

# ruff: noqa: NPY002  the global generator is the one under test


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """Leave the generator of NumPy's as it was, its kind included."""
    kind, state = mtrand.get_bit_generator(), np.random.get_state()
    yield
    mtrand.set_bit_generator(kind)
    np.random.set_state(state)


def noted(call: Callable[[], Any]) -> str:
    """Return what is noted of a call."""
    notes = Notes()
    with generators_kept("draws", None, notes):
        call()
    return " ".join(notes.sentences())


def test_a_normal_number_that_was_kept_is_drawn_again() -> None:
    np.random.seed(2)
    first, second = np.random.randn(), np.random.randn()
    np.random.seed(2)
    assert np.random.randn() == first  # the second one is kept
    assert "moves NumPy's global" in noted(np.random.randn)
    assert np.random.randn() == second


def test_a_state_read_before_is_not_taken_for_the_one_of_now() -> None:
    np.random.seed(2)
    before = state_of_numpy()
    np.random.seed(3)
    assert "moves NumPy's global" in noted(lambda: np.random.set_state(before))
    assert state_of_numpy()[1][0] == 3


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.Philox])
def test_a_generator_of_another_kind_is_put_back(kind: Any) -> None:
    mtrand.set_bit_generator(kind(5))
    wanted = np.random.random()
    mtrand.set_bit_generator(kind(5))
    assert not noted(lambda: None)
    assert "moves NumPy's global" in noted(np.random.random)
    assert np.random.random() == wanted

"""What a run keeps of the updates behind it does not grow with their number."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from weakref import ref

import numpy as np
import pytest

from compare import Experiment, run_training
from compare.checks.same_point import SamePoint
from compare.contracts.arrays import Arrays
from compare.contracts.records import Record
from compare.data import freed
from compare.examine.sides import our_manual
from compare.judge import updates


def test_while_a_point_is_checked_one_earlier_record_is_in_memory_at_most() -> None:
    made: dict[str, list[ref[Any]]] = {"manual": [], "reference": []}
    most = dict.fromkeys(made, 0)

    def watched(side: str) -> Any:
        def tap(records: Iterator[Record], _: Any) -> Iterator[Record]:
            for record in records:
                made[side].append(ref(record.gradients["w1"]))
                yield record
                del record

        return tap

    expect = SamePoint.expect

    def counted(*point: Any) -> Any:
        for side, arrays in made.items():
            most[side] = max(most[side], sum(one() is not None for one in arrays))
        return expect(*point)

    with patch.object(SamePoint, "expect", counted):
        experiment = Experiment(hidden=(4,), epochs=5)
        assert run_training(experiment, tap=watched("manual"), reference_tap=watched("reference"))
    assert most == {"manual": 2, "reference": 1}


def test_while_a_side_makes_its_update_no_record_before_the_last_one_is_in_memory() -> None:
    made: list[ref[Any]] = []
    alive: list[int] = []

    def tap(records: Iterator[Record], _: Any) -> Iterator[Record]:
        for record in records:
            made.append(ref(record.gradients["w1"]))
            yield record
            del record
            alive.append(sum(one() is not None for one in made))

    with patch.object(updates, "SOME", 4):
        assert run_training(Experiment(hidden=(4,), epochs=5), tap=tap)
    assert set(alive) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("some", [4, updates.SOME])
@pytest.mark.parametrize("since", [0, 4, 100])
def test_some_rows_of_a_right_update_name_what_all_rows_name(some: int, since: int) -> None:
    """A rate that falls from an update on: nothing that stands in the code for good, and where it
    never comes the run agrees."""
    experiment = Experiment(hidden=(4,), epochs=8)
    calls = iter(range(100))

    def step(parameters: Arrays, gradients: Arrays, state: Arrays, **rates: float) -> Any:
        if next(calls) >= since:
            rates["learning_rate"] /= 2
        return right.step(parameters, gradients, state, **rates)

    right = our_manual(experiment)
    with patch.object(updates, "SOME", some):
        result = run_training(experiment, manual=replace(right, step=step))
    named = [one.mistake for one in result.diagnosis]
    assert named == ([] if since == 100 else ["another-learning-rate"])
    assert bool(result) is (since == 100)


def test_some_rows_are_spread_over_the_array_and_what_is_small_is_kept_whole() -> None:
    array = np.arange(40.0).reshape(20, 2)
    assert updates.some_rows(array) is array
    with patch.object(updates, "SOME", 10):
        some = updates.some_rows(array)
    assert some.base is None and np.array_equal(some, array[::4])


def test_freed_memory_is_given_back_where_parameters_are_large_and_the_library_can() -> None:
    large, small = {"w1": np.zeros((1024, 128))}, {"w1": np.zeros((1024, 127))}
    calls: list[int] = []
    with patch.object(freed, "_trim", lambda: calls.append):
        freed.give_back(small)
        assert calls == []
        freed.give_back(large)
        assert calls == [0]
    with patch("ctypes.CDLL", side_effect=OSError):
        freed._trim.cache_clear()
        freed.give_back(large)
    freed._trim.cache_clear()

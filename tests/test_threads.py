"""Small networks run on one thread, large ones on all, and whoever asks for a number gets it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from compare import Experiment, run_training
from compare.data import DataSet
from compare.examine.threads import WORTH_WAKING, given_threads, worthwhile_threads
from compare.examine.training import Progress
from tests.faults import small_data

pytestmark = pytest.mark.slow

QUICK = Experiment(hidden=(5,), epochs=2)


@pytest.mark.parametrize(
    ("rows", "sizes", "expected"),
    [
        (1437, (64, 128, 10), 1),
        (10_000, (784, 1000, 10), None),
        (4, (784, 1000, 1000, 10), 1),
        (WORTH_WAKING // 8, (4, 2), None),
        (WORTH_WAKING // 8 - 1, (4, 2), 1),
    ],
)
def test_a_second_thread_is_woken_for_large_products_only(
    rows: int, sizes: tuple[int, ...], expected: int | None
) -> None:
    assert worthwhile_threads(rows, sizes) == expected


def test_the_batch_counts_and_not_the_data() -> None:
    wide = replace(QUICK, hidden=(1_000, 1_000), epochs=1)
    with given_threads(3):
        for size in (20, 200):
            seen = threads_of(replace(wide, batch_size=size), small_data(200))
            assert seen == {1 if size == 20 else 3}


@pytest.mark.parametrize(("asked", "given"), [(None, 1), (2, 2)])
def test_a_run_takes_the_threads_it_was_given_and_gives_them_back(
    asked: int | None, given: int
) -> None:
    with given_threads(3):
        assert threads_of(replace(QUICK, threads=asked), small_data()) == {given}
        assert torch.get_num_threads() == 3


def threads_of(experiment: Experiment, data: DataSet) -> set[int]:
    """How many threads torch had at the updates of a run."""
    seen: set[int] = set()

    def watch(_: Progress) -> None:
        seen.add(torch.get_num_threads())

    run_training(experiment, data=data, on_update=watch)
    return seen

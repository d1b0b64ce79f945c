"""Small networks run on one thread, large ones on all, and whoever asks for a number gets it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from compare import Experiment, run_training
from compare.inputs import draw_inputs
from compare.side_by_side import Progress
from compare.threads import WORTH_WAKING, given_threads, worthwhile_threads
from tests.faults import small_data

QUICK = Experiment(hidden=(5,), epochs=2)


@pytest.mark.parametrize(("hidden", "expected"), [((5,), 1), ((1_000, 1_000), None)])
def test_a_second_thread_is_woken_for_large_products_only(
    hidden: tuple[int, ...], expected: int | None
) -> None:
    experiment = replace(QUICK, hidden=hidden)
    assert worthwhile_threads(experiment, draw_inputs(experiment, small_data(200))) == expected


def test_the_batch_counts_and_not_the_data() -> None:
    experiment = replace(QUICK, hidden=(1_000, 1_000), batch_size=4)
    inputs = draw_inputs(experiment, small_data(200))
    assert 4 * 1_000 * 1_000 < WORTH_WAKING < len(inputs.training[0]) * 1_000 * 1_000
    assert worthwhile_threads(experiment, inputs) == 1


@pytest.mark.parametrize(("asked", "given"), [(None, 1), (2, 2)])
def test_a_run_takes_the_threads_it_was_given_and_gives_them_back(
    asked: int | None, given: int
) -> None:
    seen: list[int] = []

    def watch(_: Progress) -> None:
        seen.append(torch.get_num_threads())

    with given_threads(3):
        run_training(replace(QUICK, threads=asked), data=small_data(), on_update=watch)
        assert set(seen) == {given} and torch.get_num_threads() == 3


def test_results_do_not_depend_on_who_chose_the_threads() -> None:
    one, other = (
        run_training(replace(QUICK, threads=threads), data=small_data()) for threads in (None, 1)
    )
    assert one.verdict == other.verdict
    assert np.array_equal(
        [row.manual.train_loss for row in one.epochs],
        [row.manual.train_loss for row in other.epochs],
    )

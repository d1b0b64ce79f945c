"""A batch of which no row counts has a loss that is no number, on both sides; no probe is one."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from compare import check, run_training
from compare.contracts.objective import Objective
from compare.contracts.result import Verdict
from compare.points.drawing import draw_targets
from manual_mlp import Criterion, initial_parameters, loss_and_gradients

RNG = np.random.default_rng(0)
PARAMETERS = initial_parameters((4, 5, 3), RNG)
X, IGNORED = RNG.normal(size=(3, 4)), np.eye(3)[[1, 1, 1]]


def test_a_mean_over_no_rows_is_no_number() -> None:
    loss, gradients = loss_and_gradients(
        PARAMETERS, X, IGNORED, criterion=Criterion(ignore_index=1)
    )
    assert np.isnan(loss) and all(np.isnan(one).all() for one in gradients.values())


@pytest.mark.parametrize("reduction", ["mean", "sum", "batch_mean"])
def test_nothing_is_said_of_a_point_without_a_row_that_counts(reduction: str) -> None:
    ours = partial(loss_and_gradients, criterion=Criterion(ignore_index=1, reduction=reduction))
    found = check(
        ours, parameters=PARAMETERS, x=X, targets=IGNORED, ignore_index=1,
        reduction=reduction,
    )  # fmt: skip
    assert found.verdict is Verdict.UNDECIDABLE


def test_a_run_ends_at_such_a_batch_and_is_undecidable() -> None:
    found = run_training(hidden=(4,), epochs=1, batch_size=1, ignore_index=1)
    assert found.verdict is Verdict.UNDECIDABLE and "not finite" in found.sentence


@pytest.mark.parametrize("ignored", range(3))
def test_every_drawn_batch_has_a_row_that_counts(ignored: int) -> None:
    objective, drawn = Objective(ignore_index=ignored), np.random.default_rng(1)
    for _ in range(300):
        targets = draw_targets(drawn, 2, 3, False, objective)
        assert np.isfinite(objective.share(targets)) and (targets.sum(axis=1) == 1).all()

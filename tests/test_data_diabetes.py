"""The regression data: numbers as targets, for losses of numbers."""

import numpy as np
import pytest

from compare import Experiment, run_training
from compare.contracts.errors import BadInput
from compare.contracts.result import Verdict
from compare.data import load
from compare.report.plots import curves


def test_every_column_has_mean_zero_and_variance_one_over_all_rows() -> None:
    data = load("diabetes")
    splits = (data.train, data.validation, data.test)
    assert [len(split.x) for split in splits] == [266, 88, 88]
    for columns in (
        np.concatenate([split.x for split in splits]),
        np.concatenate([split.numbers for split in splits if split.numbers is not None]),
    ):
        np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-14)
        np.testing.assert_allclose(columns.std(axis=0), 1, rtol=1e-12)


def test_both_sides_fit_numbers_and_no_accuracy_is_drawn() -> None:
    asked = Experiment(data="diabetes", loss="mse", hidden=(8,), activation="tanh", epochs=20)
    result = run_training(asked)
    assert result.verdict is Verdict.AGREES
    first, last = result.epochs[0].manual.train_loss, result.epochs[-1].manual.train_loss
    assert last < 0.6 * first
    assert curves.accuracy(result) is None
    figure = curves.loss(result)
    assert figure is not None and figure.axes[0].get_ylabel() == "squared error"


def test_a_loss_of_classes_is_refused() -> None:
    with pytest.raises(BadInput, match="--loss mse, l1 or huber"):
        run_training(Experiment(data="diabetes", epochs=1))

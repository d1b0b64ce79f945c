"""Honest side-by-side runs: two correct sides agree, far inside the allowance, at every update."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare import BadInput, Experiment, Progress, Result, run_training
from compare.contracts.result import ExitCode
from compare.data import DataSet
from tests.faults import SMALL, small_data

pytestmark = pytest.mark.rounding

HONEST = 0.5
"""Two correct sides stay below this part of the allowance, everywhere."""

RUNS: dict[str, dict[str, Any]] = {
    "full batch": {},
    "mini-batch": {"batch_size": 6, "epochs": 3},
    "batch of one": {"batch_size": 1, "epochs": 1},
    "float32": {"dtype": "float32"},
    "float32, mini-batch": {"dtype": "float32", "batch_size": 6, "epochs": 3},
    "tanh": {"activation": "tanh"},
    "tanh, float32": {"activation": "tanh", "dtype": "float32"},
    "sigmoid": {"activation": "sigmoid"},
    "sigmoid, float32": {"activation": "sigmoid", "dtype": "float32"},
    "identity": {"activation": "identity"},
    "one layer": {"hidden": ()},
    "one layer, float32": {"hidden": (), "dtype": "float32"},
    "one hidden unit": {"hidden": (1,)},
    "three layers": {"hidden": (6, 4)},
    "five layers": {"hidden": (6, 5, 4, 6), "activation": "tanh"},
    "five layers, float32": {"hidden": (6, 5, 4, 6), "dtype": "float32"},
    "buffer": {"momentum_form": "buffer"},
    "buffer, float32, mini-batch": {
        "momentum_form": "buffer", "dtype": "float32", "batch_size": 5, "epochs": 3,
    },
    "sum": {"reduction": "sum", "learning_rate": 0.01},
    "sum, mini-batch, float32": {
        "reduction": "sum", "learning_rate": 0.01, "batch_size": 6, "dtype": "float32",
    },
    "no momentum": {"momentum": 0.0},
    "no momentum, buffer, seeded": {
        "momentum": 0.0, "momentum_form": "buffer", "initial_velocity": 1e-3,
    },
    "seeded velocity": {"initial_velocity": 1e-5},
    "seeded velocity, float32": {"initial_velocity": 1e-5, "dtype": "float32"},
    "he": {"init": "he"},
    "uniform": {"init": "uniform"},
    "no training at all": {"epochs": 0},
}  # fmt: skip


def require_agreement(result: Result, updates: int, epochs: int) -> None:
    """Every check of the run was made and held, with room to spare."""
    assert result.exit_code == ExitCode.AGREES, result.sentence
    assert result.kind is None and result.findings == ()
    same_point, step, free_run = result.checks
    assert (same_point.made, step.made, free_run.made) == (updates + 1, updates, updates + 1)
    assert [row.epoch for row in result.epochs] == list(range(epochs + 1))
    ratios = {name: worst.ratio for name, worst in result.worst.items()}
    assert max(ratios.values()) <= HONEST, ratios
    for row in result.epochs:
        gap = row.manual.train_loss - row.reference.train_loss
        assert abs(gap) <= row.band.train_loss
        gap = row.manual.validation_loss - row.reference.validation_loss
        assert abs(gap) <= row.band.validation_loss


@pytest.mark.parametrize("name", RUNS)
def test_two_correct_sides_agree_at_every_update(name: str) -> None:
    experiment = replace(SMALL, **RUNS[name])
    batches = -(-23 // (experiment.batch_size or 23))
    result = run_training(experiment, data=small_data())
    require_agreement(result, updates=batches * experiment.epochs, epochs=experiment.epochs)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "epochs"), [("float64", 200), ("float32", 25)])
def test_the_default_network_agrees_on_the_digits_and_no_promised_error_could_be_missed(
    dtype: str, epochs: int
) -> None:
    result = run_training(Experiment(dtype=dtype, epochs=epochs, threads=1))
    require_agreement(result, updates=epochs, epochs=epochs)
    assert [weak for weak in result.weak if weak.smallest_scale_error is not None] == []


def test_everything_that_was_compared_is_named() -> None:
    result = run_training(replace(SMALL, hidden=(6, 4)), data=small_data())
    names = [f"{kind}{layer}" for layer in (1, 2, 3) for kind in "wb"]
    for name in names:
        assert {f"d{name}", f"d{name} projection", name, f"v_{name}"} <= set(result.worst)
    assert set(result.epochs[0].worst) == {"loss", *names}


def test_the_sentence_on_the_free_run_names_the_induction() -> None:
    result = run_training(replace(SMALL, batch_size=6, epochs=2), data=small_data())
    assert "every one of the 9 same-point and 8 step checks holds" in result.checks[2].sentence
    assert "by induction the difference is accumulated rounding" in result.checks[2].sentence


def repeated_rows() -> DataSet:
    data = small_data()
    x = np.repeat(data.train.x[:1], 23, axis=0)
    return replace(data, train=replace(data.train, x=x))


def scaled(by: float) -> DataSet:
    data = small_data()
    return replace(data, train=replace(data.train, x=data.train.x * by))


def blank_rows() -> DataSet:
    data = small_data()
    x = data.train.x.copy()
    x[::5] = 0
    return replace(data, train=replace(data.train, x=x))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "data", [repeated_rows(), scaled(1e-6), scaled(1e3), blank_rows()],
    ids=["one row 23 times", "inputs of 1e-6", "inputs of 1e3", "blank rows"],
)  # fmt: skip
def test_awkward_data_accuse_nobody(data: DataSet, dtype: str) -> None:
    experiment = replace(SMALL, dtype=dtype, learning_rate=0.01)
    result = run_training(experiment, data=data)
    assert result.exit_code in (ExitCode.AGREES, ExitCode.UNDECIDABLE), result.sentence
    assert max(worst.ratio for worst in result.worst.values()) <= HONEST


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("hidden", [(5,), (6, 4), (6, 5, 4)])
def test_a_run_that_diverges_on_both_sides_is_undecidable(
    hidden: tuple[int, ...], dtype: str
) -> None:
    experiment = replace(
        SMALL, hidden=hidden, activation="identity", dtype=dtype,
        batch_size=1, learning_rate=1e3, epochs=30,
    )  # fmt: skip
    result = run_training(experiment, data=small_data())
    assert result.exit_code == ExitCode.UNDECIDABLE, result.sentence
    assert "the reference is not finite" in result.sentence


def test_a_dead_layer_leaves_the_run_undecidable() -> None:
    data = small_data()
    data = replace(data, train=replace(data.train, x=np.zeros_like(data.train.x)))
    result = run_training(replace(SMALL, epochs=2), data=data)
    assert result.exit_code == ExitCode.UNDECIDABLE
    assert "dw1" in result.sentence
    assert any(weak.parameter == "w1" for weak in result.weak)


def test_progress_is_told_after_every_update() -> None:
    told: list[Progress] = []
    run_training(replace(SMALL, batch_size=6, epochs=2), data=small_data(), on_update=told.append)
    assert [one.update for one in told] == list(range(9))
    assert [one.epoch for one in told] == [0] * 4 + [1] * 4 + [2]
    assert {one.updates for one in told} == {8}
    assert all(one.worst_ratio <= HONEST for one in told)


def test_ctrl_c_keeps_the_updates_done() -> None:
    def stop(progress: Progress) -> None:
        if progress.update == 3:
            raise KeyboardInterrupt

    result = run_training(SMALL, data=small_data(), on_update=stop)
    assert result.exit_code == ExitCode.INTERRUPTED
    assert [row.epoch for row in result.epochs] == [0, 1, 2, 3]
    assert result.findings == ()


def test_a_batch_larger_than_the_training_set_is_refused() -> None:
    with pytest.raises(BadInput, match="only 23 training samples; choose at most 23"):
        run_training(replace(SMALL, batch_size=24), data=small_data())

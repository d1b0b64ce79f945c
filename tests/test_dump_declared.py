"""Dumps of declared losses and optimisers: what is recorded agrees, what is changed is seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.result import ExitCode, Result
from compare.data import DataSet, Split
from compare.examine.dump.dump import check_dump
from compare.examine.dump.recorder import Recorder
from compare.examine.training import run_training
from compare.judge.naming import Named
from tests.test_bring_dump import array_of, describe, rewrite, step_line

pytestmark = [pytest.mark.slow, pytest.mark.rounding]
SMALL = Experiment(hidden=(5,), epochs=4, learning_rate=0.05, threads=1)
DECLARED: dict[str, dict[str, Any]] = {
    "squared error": {"loss": "mse", "output": "sigmoid", "activation": "gelu", "l2": 1e-2},
    "absolute error": {"loss": "l1", "output": "tanh", "loss_factor": 0.5, "activation": "tanh"},
    "logistic": {"loss": "bce", "reduction": "batch_mean", "bias": False, "activation": "silu"},
    "hinge": {"loss": "hinge", "l1": 1e-2, "penalise": "all", "penalty_over": "rows"},
    "weighed": {"class_weights": (1.0, 2.0, 0.5), "ignore_index": 1},
    "smoothed": {"label_smoothing": 0.1, "dtype": "float32"},
    "adam": {"optimiser": "adam", "weight_decay": 0.1, "batch_size": 9},
    "amsgrad": {"optimiser": "amsgrad", "dtype": "float32", "eps": 1e-5},
    "rmsprop": {"optimiser": "rmsprop", "centred": True, "momentum": 0.5},
    "nesterov": {"nesterov": True, "momentum_form": "negative_velocity"},
    "dampened": {"dampening": 0.5, "momentum_form": "buffer"},
    "adagrad": {"optimiser": "adagrad", "decay_of": "weights", "weight_decay": 0.1},
    "decoupled, no momentum": {"weight_decay": 0.1, "decoupled": True, "momentum": 0.0},
    "layer normalisation": {"normalisation": "layer", "activation": "tanh"},
    "batch normalisation": {"normalisation": "batch", "activation": "tanh", "batch_size": 9},
    "without scales": {"normalisation": "batch", "affine": False, "optimiser": "adam"},
    "dropout": {"dropout": 0.3, "normalisation": "layer", "dtype": "float32"},
    "scheduled and clipped": {"schedule": "cosine", "clip_norm": 0.1, "momentum_form": "buffer"},
}
BUFFER = {
    "adam": "m_w1", "amsgrad": "r_b2", "rmsprop": "a_w2", "nesterov": "v_w1", "dampened": "v_b1",
    "adagrad": "s_w2", "scheduled and clipped": "v_w2",
}  # fmt: skip


def data() -> DataSet:
    generator = np.random.default_rng(5)

    def split(rows: int) -> Split:
        return Split(generator.normal(size=(rows, 7)), np.arange(rows, dtype=np.int64) % 3)

    return DataSet("small", "drawn by a test", 3, split(23), split(11), split(4))


def recorded(folder: Path, name: str) -> Path:
    asked = replace(SMALL, **DECLARED[name])
    run_training(asked, data=data(), tap=Recorder(folder, asked))
    return folder


def worst(result: Result) -> float:
    return max(one.ratio for one in result.worst.values())


@pytest.mark.parametrize("name", DECLARED)
def test_what_a_declared_run_records_agrees_with_every_update_replayed(
    tmp_path: Path, name: str
) -> None:
    result = check_dump(recorded(tmp_path / "dump", name))
    assert result.exit_code is ExitCode.AGREES, result.sentence
    assert worst(result) <= 0.5
    assert not step_line(result).startswith("not done")
    if name in BUFFER:
        assert BUFFER[name] in result.worst


@pytest.mark.parametrize("name", BUFFER)
def test_a_buffer_that_was_changed_is_found(tmp_path: Path, name: str) -> None:
    dump, key = recorded(tmp_path / "dump", name), BUFFER[name]
    slip = 1e-3 if DECLARED[name].get("dtype") == "float32" else 1e-10
    rewrite(dump, 2, **{key: array_of(dump, 2, key) * (1 + slip)})
    result = check_dump(dump)
    assert result.exit_code is ExitCode.DISAGREES
    assert (result.kind, result.findings[0].update) == ("update", 1)


@pytest.mark.parametrize(
    ("name", "key", "kind"),
    [("batch normalisation", "running_var1", "update"), ("layer normalisation", "dgamma1", None)],
)
def test_what_a_normalisation_records_is_compared(
    tmp_path: Path, name: str, key: str, kind: str | None
) -> None:
    dump = recorded(tmp_path / "dump", name)
    rewrite(dump, 2, **{key: array_of(dump, 2, key) * (1 + 1e-9)})
    result = check_dump(dump)
    assert result.exit_code is ExitCode.DISAGREES and key.removeprefix("d") in str(result)
    assert kind is None or (result.kind, result.findings[0].update) == (kind, 1)


@pytest.mark.parametrize(("over", "names"), [(0, ["running-variance-over-n"]), (1, []), (2, [])])
def test_a_running_variance_over_n_is_named(tmp_path: Path, over: int, names: list[str]) -> None:
    dump = recorded(tmp_path / "dump", "batch normalisation")
    kept = [array_of(dump, number, "running_var1") for number in range(13)]
    mine = kept[0]
    for number in range(12):
        rows = len(array_of(dump, number, "x"))
        added = kept[number + 1] - 0.9 * kept[number]
        mine = 0.9 * mine + added * (rows - 1) / (rows - over)
        rewrite(dump, number + 1, running_var1=mine)
    result = check_dump(dump)
    assert [one.mistake for one in result.diagnosis] == names
    assert result.exit_code is (ExitCode.AGREES if over == 1 else ExitCode.DISAGREES)


def test_masks_belong_to_their_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compare.judge.conclusion.name_mistake", lambda *_: Named())
    dump = recorded(tmp_path / "dump", "dropout")
    rewrite(dump, 1, mask1=array_of(dump, 2, "mask1"))
    assert check_dump(dump).exit_code is ExitCode.DISAGREES
    rewrite(dump, 1, mask1=0.5 * array_of(dump, 2, "mask1"))
    with pytest.raises(BadInput, match="mask1 must hold 0 and 1"):
        check_dump(dump)
    rewrite(dump, 1, mask1=None)
    with pytest.raises(BadInput, match="holds no mask1"):
        check_dump(dump)


def test_scales_without_a_normalisation_are_asked_about(tmp_path: Path) -> None:
    dump = recorded(tmp_path / "dump", "layer normalisation")
    describe(dump, normalisation=None)
    with pytest.raises(BadInput, match="which normalisation it belongs to"):
        check_dump(dump)
    assert check_dump(dump, normalisation="layer").exit_code is ExitCode.AGREES


def test_a_loss_that_run_json_does_not_say_may_be_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.judge.conclusion.name_mistake", lambda *_: Named())
    dump = recorded(tmp_path / "dump", "squared error")
    declared = {key: json.loads((dump / "run.json").read_text())[key] for key in ("loss", "output")}
    describe(dump, loss=None, output=None)
    assert check_dump(dump, **declared).exit_code is ExitCode.AGREES
    assert check_dump(dump).exit_code is ExitCode.DISAGREES


def test_an_optimiser_without_its_state_is_followed_from_the_first_step(tmp_path: Path) -> None:
    dump = recorded(tmp_path / "dump", "adam")
    for number in range(1, 13):
        none = {f"{p}_{w}{i}": None for p in "ms" for w in "wb" for i in (1, 2)}
        rewrite(dump, number, t=None, **none)
    result = check_dump(dump)
    assert result.exit_code is ExitCode.AGREES, result.sentence
    assert step_line(result).startswith("12 step checks")
    (dump / "step_00000.npz").unlink()
    assert "no state of adam is recorded (m_w1, s_w1, t, ...)" in step_line(check_dump(dump))


def test_a_rate_that_was_not_the_one_of_its_step_is_found(tmp_path: Path) -> None:
    dump = recorded(tmp_path / "dump", "scheduled and clipped")
    rewrite(dump, 1, learning_rate=0.05)
    result = check_dump(dump)
    assert (result.kind, result.findings[0].update) == ("update", 1)


def test_a_setting_that_no_dump_has_is_refused_by_its_name(tmp_path: Path) -> None:
    dump = recorded(tmp_path / "dump", "adam")
    describe(dump, optimizer="adam")
    with pytest.raises(BadInput, match="unknown key 'optimizer'; did you mean optimiser"):
        check_dump(dump)

"""Trainings with every optimiser: sides agree, buffers included, and a planted slip is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import Experiment
from compare.command.main import main
from compare.contracts.result import ExitCode
from compare.examine.sides import our_manual
from tests.faults import SMALL, side_by_side

pytestmark = [pytest.mark.slow, pytest.mark.rounding]
HONEST = 0.5
RATE = 0.01
TRAINED: dict[str, tuple[dict[str, Any], str]] = {
    "sgd, nesterov": ({"nesterov": True, "momentum_form": "buffer"}, "v"),
    "sgd, nesterov inside": ({"nesterov": True}, "v"),
    "sgd, negative": ({"momentum_form": "negative_velocity", "initial_velocity": 1e-3}, "v"),
    "sgd, dampened inside": ({"dampening": 0.3}, "v"),
    "sgd, decay": ({"weight_decay": 0.1, "decay_of": "weights"}, "v"),
    "sgd, decoupled": ({"weight_decay": 0.1, "decoupled": True, "momentum": 0.0}, ""),
    "adam": ({"optimiser": "adam"}, "ms"),
    "adam, decay": ({"optimiser": "adam", "weight_decay": 0.1, "eps": 1e-4}, "ms"),
    "adamw": ({"optimiser": "adamw", "weight_decay": 0.1, "betas": (0.8, 0.95)}, "ms"),
    "amsgrad": ({"optimiser": "amsgrad", "weight_decay": 0.1, "decoupled": True}, "msr"),
    "rmsprop": ({"optimiser": "rmsprop", "momentum": 0.0}, "s"),
    "rmsprop, centred": (
        {"optimiser": "rmsprop", "centred": True, "alpha": 0.9, "momentum": 0.9},
        "sav",
    ),
    "rmsprop, decoupled": (
        {"optimiser": "rmsprop", "weight_decay": 0.1, "decoupled": True, "decay_of": "weights"},
        "sv",
    ),
    "adagrad": ({"optimiser": "adagrad", "weight_decay": 0.1}, "s"),
    "clipped by norm": ({"clip_norm": 0.05, "momentum_form": "buffer"}, "v"),
    "clipped by value": ({"clip_value": 0.01, "optimiser": "adam"}, "ms"),
    "without biases": ({"optimiser": "adam", "bias": False, "loss": "mse"}, "ms"),
}
FORMATS = ("float64", "float32")


def experiment(name: str, **more: Any) -> Experiment:
    return replace(SMALL, learning_rate=RATE, **{**TRAINED[name][0], **more})


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", TRAINED)
def test_both_sides_train_alike_and_every_buffer_is_compared(name: str, dtype: str) -> None:
    result = side_by_side(experiment(name, dtype=dtype, batch_size=9, epochs=2))
    assert result.exit_code == ExitCode.AGREES, result
    assert max(worst.ratio for worst in result.worst.values()) <= HONEST, result.worst
    assert {f"{prefix}_w1" for prefix in TRAINED[name][1]} <= result.worst.keys()
    assert all(np.isfinite(row.band.drift) for row in result.epochs)


def slipping(step: Any, change: Callable[[Any, Any, Any], Any], at: int) -> Any:
    """The step with its result changed at one update."""
    calls = iter(range(1000))

    def slipped(w: Any, g: Any, state: Any, **rates: float) -> Any:
        after = step(w, g, state, **rates)
        return change(w, *after) if next(calls) == at else after

    return slipped


@pytest.mark.parametrize(("dtype", "slip"), [("float64", 1e-12), ("float32", 1e-4)])
@pytest.mark.parametrize("name", TRAINED)
def test_a_small_factor_on_one_movement_is_found_at_its_update(
    name: str, dtype: str, slip: float
) -> None:
    asked = experiment(name, dtype=dtype)

    def change(before: Any, after: Any, state: Any) -> Any:
        moved = {k: w + (after[k] - w) * w.dtype.type(1 + slip) for k, w in before.items()}
        return {**after, "w1": moved["w1"]}, state

    ours = our_manual(asked)
    result = side_by_side(asked, manual=replace(ours, step=slipping(ours.step, change, 3)))
    first = result.findings[0]
    assert (result.kind, first.check, first.update, first.side) == ("update", "step", 3, "manual")
    assert first.parameter == "w1"


@pytest.mark.parametrize("name", [name for name in TRAINED if TRAINED[name][1]])
def test_a_small_factor_on_one_buffer_is_found_and_blamed_before_its_parameter(name: str) -> None:
    asked, key = experiment(name), f"{TRAINED[name][1][-1]}_w2"

    def change(before: Any, after: Any, state: Any) -> Any:
        return after, {**state, key: state[key] * (1 + 1e-12)}

    ours = our_manual(asked)
    result = side_by_side(asked, manual=replace(ours, step=slipping(ours.step, change, 2)))
    first = result.findings[0]
    assert (first.update, first.parameter) == (2, "w2")
    assert first.stage in ("velocity", "buffer")


OWN_ADAM = """
import numpy as np
from manual_mlp import loss_and_gradients


def step(parameters, gradients, state, *, learning_rate):
    n = state.get("n", 0) + 1
    kept, after = {"n": n}, {}
    for name, w in parameters.items():
        first, second = state.get(name, (0 * w, 0 * w))
        first = 0.9 * first + 0.1 * gradients[name]
        second = 0.999 * second + 0.001 * gradients[name] ** 2
        kept[name] = first, second
        root = np.sqrt(second / (1 - 0.999**n)) + 1e-8
        after[name] = w - learning_rate * FACTOR * first / (1 - 0.9**n) / root
    return after, kept
"""
UPDATE = """
from manual_mlp import loss_and_gradients


def update(parameters, x, targets, *, learning_rate):
    _, gradients, *_ = loss_and_gradients(parameters, x, targets)
    return {name: w - learning_rate * FACTOR * gradients[name] for name, w in parameters.items()}
"""


def run_file(folder: Path, source: str, *options: str) -> int:
    path = folder / "mine.py"
    path.write_text(source)
    return main([
        "--epochs", "3", "--hidden", "5", "--out", str(folder / "out"), "--quiet", *options
    ])  # fmt: skip


@pytest.mark.parametrize(("factor", "code"), [("1", ExitCode.AGREES), ("1.001", 1)])
def test_a_step_with_state_of_its_own_is_trained(tmp_path: Path, factor: str, code: int) -> None:
    source, path = OWN_ADAM.replace("FACTOR", factor), str(tmp_path / "mine.py")
    options = ("--manual", path, "--optimiser", "adam", "--learning-rate", "0.01")
    assert run_file(tmp_path, source, *options) == code


@pytest.mark.parametrize(("factor", "code"), [("1", ExitCode.AGREES), ("learning_rate", 1)])
def test_an_update_is_trained_beside_plain_descent(tmp_path: Path, factor: str, code: int) -> None:
    source, path = UPDATE.replace("FACTOR", factor), f"{tmp_path / 'mine.py'}:update"
    assert run_file(tmp_path, source, "--manual", path) == code
    assert run_file(tmp_path, source, "--manual", path, "--momentum", "0.5") == 2

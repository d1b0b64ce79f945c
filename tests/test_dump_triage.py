"""Slips of recording: right numbers at another step are called what they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import manual_mlp
from compare.contracts.result import Result
from compare.examine.dump.dump import check_dump

Steps = list[dict[str, Any]]
RATE, MOMENTUM = 0.1, 0.9


Function = Callable[..., tuple[Any, ...]]
VELOCITY: dict[str, Any] = {"learning_rate": RATE, "momentum": MOMENTUM, "form": "velocity"}


def recorded(
    function: Function = manual_mlp.loss_and_gradients, update_with: dict[str, Any] = VELOCITY
) -> Steps:
    """Return six steps of a small training in batches, with these gradients and settings."""
    form, rates = update_with["form"], {k: v for k, v in update_with.items() if k != "form"}
    generator = np.random.default_rng(0)
    parameters = manual_mlp.initial_parameters((5, 7, 3), generator, scheme="he")
    x = generator.normal(size=(24, 5))
    targets = np.eye(3)[generator.integers(3, size=24)]
    state = {f"v_{name}": np.zeros_like(array) for name, array in parameters.items()}
    steps: Steps = []
    for update in range(6):
        rows = np.arange(24)[update % 3 :: 3]
        loss, gradients, *_ = function(parameters, x[rows], targets[rows])
        steps.append(
            {
                "loss": loss, "x": x[rows], "targets": targets[rows], **parameters, **state,
                **{f"d{name}": g for name, g in gradients.items()},
            }
        )  # fmt: skip
        parameters, state = manual_mlp.OPTIMISERS[form](parameters, gradients, state, **rates)
    return [{name: np.array(value) for name, value in step.items()} for step in steps]


def checked(steps: Steps, folder: Path, settings: dict[str, Any] = VELOCITY) -> Result:
    """Write the steps as a dump and check it."""
    folder.mkdir(exist_ok=True)
    run = {"format": 1, "activation": "relu", **settings}
    (folder / "run.json").write_text(json.dumps(run))
    for number, step in enumerate(steps):
        np.savez(folder / f"step_{number:05d}.npz", **step)
    return check_dump(folder)


def moved(names: Callable[[str], bool], by: int) -> Steps:
    """Return steps in which the arrays of these names are those of another step."""
    steps = recorded()
    return [
        step | {n: steps[min(max(i + by, 0), 5)][n] for n in step if names(n)}
        for i, step in enumerate(steps)
    ]


def weights(name: str) -> bool:
    """Return whether this is the name of a weight or bias."""
    return name[0] in "wb"


def gradients(name: str) -> bool:
    """Return whether this is the name of a gradient."""
    return name[0] == "d"


def loss_after_update() -> Steps:
    """Return steps whose loss is that of the next weights on the same batch."""
    steps = recorded()
    for step, later in pairwise(steps):
        parameters = {name: later[name] for name in later if weights(name)}
        loss, *_ = manual_mlp.loss_and_gradients(parameters, step["x"], step["targets"])
        step["loss"] = np.array(loss)
    return steps


@pytest.mark.parametrize(
    "steps, name",
    [
        (loss_after_update(), "loss-after-the-update"),
        (moved(lambda name: name == "loss", -1), "loss-of-the-step-before"),
        (moved(gradients, -1), "gradients-of-the-step-before"),
        (moved(gradients, 1), "gradients-of-the-step-after"),
        (moved(weights, 1), "weights-recorded-after-the-update"),
        (moved(weights, 5), "weights-stored-without-a-copy"),
        (moved(lambda name: name[0] == "v", 1), "velocity-recorded-after-the-update"),
        (moved(lambda name: name in ("x", "targets"), 1), "batch-of-the-step-before"),
        (moved(lambda name: name == "x", 1), "inputs-of-the-step-after"),
        (moved(lambda name: name == "x", -1), "inputs-of-the-step-before"),
        (moved(lambda name: name == "targets", 1), "targets-of-the-step-after"),
        (moved(lambda name: name == "targets", -1), "targets-of-the-step-before"),
    ],
)
def test_a_slip_of_recording_is_proved_by_the_steps_beside(
    steps: Steps, name: str, tmp_path: Path
) -> None:
    result = checked(steps, tmp_path)
    assert result.exit_code == 1
    assert [found.mistake for found in result.diagnosis] == [name]


def test_parameters_that_share_memory_are_told_from_those_that_are_never_updated(
    tmp_path: Path,
) -> None:
    (found,) = checked(moved(lambda name: name in ("b1", "b2"), 5), tmp_path).diagnosis
    assert found.mistake == "weights-stored-without-a-copy"
    assert found.title == "b1, b2 recorded at every step without a copy"
    assert "b1.copy()" in found.sentence
    late = recorded()
    for step in late:  # ends after the last update, whose weights are not recorded
        step |= {name: late[5][name] for name in ("b1", "b2")}
    (found,) = checked(late[:5], tmp_path / "late").diagnosis
    assert found.mistake == "weights-stored-without-a-copy"


@pytest.mark.slow
def test_a_parameter_that_is_never_updated_shares_no_memory(tmp_path: Path) -> None:
    steps = recorded()[:3]
    for step in steps:  # a training that leaves b2 where it began: right at every step
        step["b2"] = steps[0]["b2"]
        given = {name: step[name] for name in step if weights(name)}
        loss, gradients, *_ = manual_mlp.loss_and_gradients(given, step["x"], step["targets"])
        step |= {"loss": np.array(loss), **{f"d{n}": g for n, g in gradients.items()}}
    assert "copy" not in " ".join(one.mistake for one in checked(steps, tmp_path).diagnosis)


def test_right_steps_agree_and_nothing_is_named(tmp_path: Path) -> None:
    result = checked(recorded(), tmp_path)
    assert (result.exit_code, result.diagnosis) == (0, ())


def test_a_velocity_that_is_reset_is_named_with_its_update(tmp_path: Path) -> None:
    steps = recorded()[:4]
    for name in [name for name in steps[3] if name[0] == "v"]:
        steps[3][name] = np.zeros_like(steps[3][name])
    (found,) = checked(steps, tmp_path).diagnosis
    assert found.mistake == "velocity-reset"
    assert "From update 2 on" in found.sentence

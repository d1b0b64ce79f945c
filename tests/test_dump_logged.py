"""Losses and gradients that are right and were recorded as something made of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import manual_mlp
from compare.handbook.planting import bare, plant
from compare.mistakes.catalogue import named
from tests.test_dump_triage import RATE, VELOCITY, Steps, checked, recorded

pytestmark = pytest.mark.slow


def losses(made: Callable[[list[float]], list[float]]) -> Steps:
    steps = recorded()
    values = made([float(step["loss"]) for step in steps])
    return [step | {"loss": np.array(v)} for step, v in zip(steps, values, strict=True)]


def moving(values: list[float]) -> list[float]:
    found = values[:1]
    for value in values[1:]:
        found.append(0.9 * found[-1] + 0.1 * value)
    return found


def gradients(made: Callable[[int, dict[str, Any]], Any]) -> Steps:
    steps = recorded()
    return [
        step | {n: made(i, step)[n] for n in step if n[0] == "d"} for i, step in enumerate(steps)
    ]


def added_up() -> Steps:
    steps = recorded()
    names = [name for name in steps[0] if name[0] == "d"]
    return [
        step | {n: sum(one[n] for one in steps[: i + 1]) for n in names}
        for i, step in enumerate(steps)
    ]


def whole() -> Steps:
    """Return steps whose loss is that over the rows of all of them."""
    steps = recorded()
    x, t = (np.concatenate([step[name] for step in steps[:3]]) for name in ("x", "targets"))
    found = []
    for step in steps:
        h = np.maximum(x @ step["w1"] + step["b1"], 0)
        s = h @ step["w2"] + step["b2"]
        log_p = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
        found.append(step | {"loss": np.array(-(t * log_p).sum() / len(t))})
    return found


def of_the_next(name: str) -> Steps:
    """Return steps whose gradients are what is recorded under another name at the next step."""
    steps = recorded()
    return [
        step | {f"d{n[2:]}": after[n] for n in after if n.startswith(name)}
        for step, after in pairwise(steps)
    ]


SLIPS: dict[str, Callable[[], Steps]] = {
    "running-mean-of-losses": lambda: losses(
        lambda v: [float(np.mean(v[: i + 1])) for i in range(len(v))]
    ),
    "running-sum-of-losses": lambda: losses(
        lambda v: [float(np.sum(v[: i + 1])) for i in range(len(v))]
    ),
    "smoothed-losses": lambda: losses(moving),
    "mean-loss-of-an-epoch": lambda: losses(
        lambda v: [float(np.mean(v[i // 3 * 3 : i // 3 * 3 + 3])) for i in range(len(v))]
    ),
    "loss-rounded": lambda: losses(lambda v: [round(value, 4) for value in v]),
    "loss-in-float32": lambda: losses(lambda v: [float(np.float32(value)) for value in v]),
    "loss-of-all-rows": whole,
    "gradients-zeroed": lambda: gradients(lambda i, step: {n: 0 * step[n] for n in step}),
    "gradients-times-the-learning-rate": lambda: gradients(
        lambda i, step: {n: RATE * step[n] for n in step}
    ),
    "gradients-added-up": added_up,
    "velocities-for-gradients": lambda: of_the_next("v_"),
    "inputs-on-another-scale": lambda: [step | {"x": step["x"] * 255} for step in recorded()],
    "weights-recorded-in-float32": lambda: [
        step | {n: step[n].astype("f4").astype("f8") for n in step if n[0] in "wb"}
        for step in recorded()
    ],
}


@pytest.mark.parametrize("name", SLIPS)
def test_what_was_recorded_in_their_place_is_named(name: str, tmp_path: Path) -> None:
    result = checked(SLIPS[name](), tmp_path)
    assert result.verdict == "disagrees"
    assert [one.mistake for one in result.diagnosis] == [name]


def zero(parameters: dict[str, Any], x: Any, targets: Any) -> tuple[Any, ...]:
    """Return the right loss, and gradients that are 0 at every update of the training."""
    loss, gradients, *_ = manual_mlp.loss_and_gradients(parameters, x, targets)
    return loss, {name: 0 * g for name, g in gradients.items()}


def guarded(parameters: dict[str, Any], x: Any, targets: Any) -> tuple[Any, ...]:
    """Return the loss with 1e-7 added to the probabilities, and its gradient."""
    return bare(plant(named("epsilon-in-log-and-its-derivative"), constant=1e-7))(
        parameters, x, targets
    )


MASKLESS = bare(plant(named("mask-missing")))
WITHOUT, BUFFER = VELOCITY | {"momentum": 0.0, "form": "buffer"}, VELOCITY | {"form": "buffer"}


@pytest.mark.parametrize("settings", [WITHOUT, BUFFER], ids=["no momentum", "buffer"])
def test_a_wrong_gradient_that_the_velocity_has_as_well_is_named_as_one(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    result = checked(recorded(MASKLESS, settings)[:2], tmp_path, settings)
    assert [one.mistake for one in result.diagnosis] == ["mask-missing"]


def test_gradients_that_the_training_had_none_of_were_not_set_to_zero_afterwards(
    tmp_path: Path,
) -> None:
    result = checked(recorded(zero)[:1], tmp_path)
    assert "gradients-zeroed" not in [one.mistake for one in result.diagnosis]


def test_a_guard_in_the_logarithm_is_no_rounding_of_weights_drawn_in_float32(
    tmp_path: Path,
) -> None:
    steps = SLIPS["weights-recorded-in-float32"]()
    names = ("w1", "b1", "w2", "b2")
    for step in steps:
        loss, gradients, *_ = guarded({n: step[n] for n in names}, step["x"], step["targets"])
        step |= {"loss": np.array(loss), **{f"d{n}": g for n, g in gradients.items()}}
    result = checked(steps[:1], tmp_path)
    assert [one.mistake for one in result.diagnosis] == ["epsilon-in-log-and-its-derivative"]


def test_an_epoch_whose_last_steps_have_another_loss_is_not_explained(tmp_path: Path) -> None:
    result = checked(losses(lambda v: [float(np.mean(v[:4]))] * 4 + [9.0, 9.0]), tmp_path)
    assert result.diagnosis == ()


def test_losses_that_are_off_by_chance_are_none_of_these(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=6)
    result = checked(
        losses(lambda v: [a + 0.01 * b for a, b in zip(v, noise, strict=True)]), tmp_path
    )
    assert (result.verdict, result.diagnosis) == ("disagrees", ())


def test_updates_made_with_the_right_gradients_are_not_called_wrong_as_well(tmp_path: Path) -> None:
    negated = gradients(lambda i, step: {n: -step[n] for n in step})
    result = checked(negated, tmp_path)
    assert [one.mistake for one in result.diagnosis] == ["target-minus-prediction"]
    assert any("the updates are right with torch's gradients" in note for note in result.notes)

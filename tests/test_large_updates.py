"""A step that is another one where weights or gradients are large is seen, and named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import manual_mlp
from compare import check
from compare.command.main import main
from compare.contracts.result import Result, Verdict

Array = NDArray[Any]
Arrays = dict[str, Array]
Hold = Callable[[Array], Array]


def scaled(w: Array, axis: int | None, bound: float = 3.0) -> Array:
    length = np.linalg.norm(w, axis=axis, keepdims=True)
    return np.asarray(w * np.minimum(1.0, bound / np.maximum(length, 1e-12)))


def of_weights(hold: Hold, arrays: Arrays, *, biases: bool = False) -> Arrays:
    return {k: hold(w) if w.ndim == 2 or biases else w for k, w in arrays.items()}


def stepping(hold: Hold, *, biases: bool = False, first: bool = False) -> Callable[..., Any]:
    """Return the report's momentum with weights that are held, before or after the update."""

    def step(
        parameters: Arrays,
        gradients: Arrays,
        state: Arrays,
        *,
        learning_rate: float,
        momentum: float,
    ) -> tuple[Arrays, Arrays]:
        given = of_weights(hold, parameters, biases=biases) if first else parameters
        rates = {"learning_rate": learning_rate, "momentum": momentum}
        after, state = manual_mlp.velocity_step(given, gradients, state, **rates)
        return (after if first else of_weights(hold, after, biases=biases)), state

    return step


def adam(hold: Hold) -> Callable[..., Any]:
    def step(
        parameters: Arrays, gradients: Arrays, state: dict[str, Any], *, learning_rate: float
    ) -> tuple[Arrays, dict[str, Any]]:
        t = state.get("t", 0) + 1
        after, kept = {}, {"t": t}
        for k, dw in gradients.items():
            kept[f"m_{k}"] = m = 0.9 * state.get(f"m_{k}", 0) + (1 - 0.9) * dw
            kept[f"s_{k}"] = s = 0.999 * state.get(f"s_{k}", 0) + (1 - 0.999) * dw * dw
            root = np.sqrt(s / (1 - 0.999**t)) + 1e-8
            after[k] = parameters[k] - learning_rate * m / (1 - 0.9**t) / root
        return of_weights(hold, after), kept

    return step


def checked(step: Callable[..., Any], **declared: Any) -> Result:
    return check(manual_mlp.loss_and_gradients, step=step, hidden=(9,), inputs=7, **declared)


def free(w: Array) -> Array:
    return w


COLUMNS, ROWS, WHOLE = (partial(scaled, axis=axis) for axis in (0, -1, None))
CUT = partial(np.clip, a_min=-3.0, a_max=3.0)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_step_that_holds_nothing_agrees(dtype: str) -> None:
    assert checked(stepping(free), dtype=dtype).verdict is Verdict.AGREES
    assert checked(adam(free), dtype=dtype, optimiser="adam").verdict is Verdict.AGREES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "words"),
    [
        (stepping(COLUMNS), "Columns of the weights (those into one unit) longer than 3"),
        (stepping(ROWS), "Rows of the weights (those out of one unit) longer than 3"),
        (stepping(WHOLE), "Whole weight matrices longer than 3"),
        (stepping(CUT), "Entries of the weights beyond 3 are cut off there after the update"),
        (stepping(COLUMNS, first=True), "scaled down to that before the update"),
        (stepping(COLUMNS, biases=True), ", and biases, longer than 3"),
    ],
)
def test_weights_that_are_held_are_told_how(step: Callable[..., Any], words: str) -> None:
    found = checked(step)
    assert (found.verdict, found.kind) == (Verdict.DISAGREES, "update")
    assert [one.mistake for one in found.diagnosis] == ["weights-held"]
    assert words in found.diagnosis[0].sentence


@pytest.mark.slow
def test_a_step_that_takes_any_keyword_is_asked_too() -> None:
    def step(parameters: Arrays, gradients: Arrays, state: Arrays, **rates: Any) -> Any:
        after, state = manual_mlp.velocity_step(parameters, gradients, state, **rates)
        return of_weights(COLUMNS, after), state

    assert [one.mistake for one in checked(step).diagnosis] == ["weights-held"]


@pytest.mark.slow
def test_weights_of_adam_that_are_held_are_told() -> None:
    found = checked(adam(COLUMNS), optimiser="adam")
    assert [one.mistake for one in found.diagnosis] == ["weights-held"]


@pytest.mark.slow
def test_keras_adds_its_epsilon_to_every_norm() -> None:
    def keras(w: Array) -> Array:
        length = np.sqrt(np.sum(np.square(w), axis=0, keepdims=True))
        return np.asarray(w * (np.clip(length, 0, 3.0) / (1e-7 + length)))

    assert [one.mistake for one in checked(stepping(keras)).diagnosis] == ["weights-held"]


@pytest.mark.slow
def test_gradients_that_a_step_cuts_off_are_told_the_option() -> None:
    def step(
        parameters: Arrays,
        gradients: Arrays,
        state: Arrays,
        *,
        learning_rate: float,
        momentum: float,
    ) -> Any:
        short = {k: np.clip(dw, -5.0, 5.0) for k, dw in gradients.items()}
        rates = {"learning_rate": learning_rate, "momentum": momentum}
        return manual_mlp.velocity_step(parameters, short, state, **rates)

    found = checked(step)
    assert found.verdict is Verdict.DISAGREES
    assert "--clip-value 5" in found.diagnosis[0].sentence


def test_a_step_that_keeps_its_velocity_to_itself_is_not_asked() -> None:
    """Its first update depends on how often it was called."""
    kept: Arrays = {}

    def step(
        parameters: Arrays,
        gradients: Arrays,
        state: Arrays,
        *,
        learning_rate: float,
        momentum: float,
    ) -> Any:
        nonlocal kept
        rates = {"learning_rate": learning_rate, "momentum": momentum}
        after, kept = manual_mlp.velocity_step(parameters, gradients, kept or state, **rates)
        return after, kept

    assert "an edge" not in checked(step).sentence


FILE = """
import numpy as np
import manual_mlp
loss_and_gradients = manual_mlp.loss_and_gradients
def step(parameters, gradients, state, *, learning_rate, momentum):
    after, state = manual_mlp.velocity_step(
        parameters, gradients, state, learning_rate=learning_rate, momentum=momentum
    )
    for name, w in after.items():
        if w.ndim == 2:
            after[name] = w * np.minimum(1, {bound} / np.linalg.norm(w, axis=0))
    return after, state
"""


@pytest.mark.slow
@pytest.mark.parametrize(("bound", "code"), [("np.inf", 0), ("3", 3)])
def test_a_training_that_never_comes_to_the_bound_says_so(
    bound: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "theirs.py"
    path.write_text(FILE.format(bound=bound))
    given = ["--manual", str(path), "--hidden", "7", "--epochs", "2", "--no-plots"]
    assert main([*given, "--out", str(tmp_path / "out")]) == code
    said = " ".join(capsys.readouterr().out.split())
    assert ("longer than 3 are scaled down" in said) is bool(code)

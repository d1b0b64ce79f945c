"""A velocity that is a running average is told by what was recorded of it, in either form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compare import check
from compare.command.main import main
from compare.contracts.result import Result
from manual_mlp import loss_and_gradients

STEP = """
from manual_mlp import loss_and_gradients

def step(w, g, state, *, learning_rate, momentum):
    v = {f"v_{k}": momentum * state[f"v_{k}"] + (1 - momentum) * g[k] for k in w}
    return {k: w[k] - learning_rate * v[f"v_{k}"] for k in w}, v
"""


def checked(**declared: Any) -> Result:
    namespace: dict[str, Any] = {}
    exec(STEP, namespace)
    return check(loss_and_gradients, step=namespace["step"], hidden=(4,), **declared)


@pytest.mark.parametrize("form", ["velocity", "buffer"])
@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_a_running_average_is_named_in_either_form(form: str, rate: float) -> None:
    result = checked(momentum=0.8, learning_rate=rate, momentum_form=form)
    (found,) = result.diagnosis
    assert found.mistake == "dampened"
    assert ("With `--momentum-form buffer`" in found.sentence) == (form == "velocity")


def test_no_learning_rate_is_advised_with_which_the_velocities_are_wrong_all_the_same() -> None:
    for form in ("velocity", "buffer"):
        result = checked(momentum=0.8, learning_rate=0.05, momentum_form=form)
        assert not any("rate" in one.sentence for one in result.diagnosis)


def test_a_running_average_at_the_usual_rates_is_told_beside_a_rate_applied_twice() -> None:
    (found,) = checked().diagnosis
    assert found.mistake == "learning-rate-inside-and-outside"
    assert "Or the gradient is weighted with 1 - momentum, a running average" in found.sentence


def test_another_learning_rate_that_the_velocities_have_too_is_still_named() -> None:
    def at_half(w: Any, g: Any, state: Any, *, learning_rate: float, momentum: float) -> Any:
        v = {f"v_{k}": momentum * state[f"v_{k}"] + learning_rate / 2 * g[k] for k in w}
        return {k: w[k] - v[f"v_{k}"] for k in w}, v

    result = check(loss_and_gradients, step=at_half, hidden=(4,), learning_rate=0.08)
    assert [one.mistake for one in result.diagnosis] == ["another-learning-rate"]
    assert "0.04" in result.diagnosis[0].sentence


def test_a_running_average_is_named_in_a_training_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(STEP)
    options = ["--epochs", "2", "--hidden", "4", "--momentum", "0.8", "--no-plots"]
    assert main(["--manual", str(path), *options, "--out", str(tmp_path)]) == 1
    report = (tmp_path / "report.json").read_text("utf-8")
    assert '"mistake": "dampened"' in report and "--momentum-form buffer" in report

"""A step of momentum begins with the state {}: its first update is judged, and its own keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compare import check
from compare.command.main import main
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Result, Verdict
from manual_mlp import loss_and_gradients

STARTS = {
    "zero": ("0 * w[k]", "rate * g[k]", None),
    "gradient": ("g[k]", "rate * g[k]", "velocity-starts-at-gradient"),
    "parameter": ("w[k]", "rate * g[k]", "velocity-starts-at-parameter"),
    "without rate": ("0 * w[k]", "(rate if state else 1.0) * g[k]", "first-update-without-rate"),
    "biases": ("(0 if k[0] == 'w' else 1) * w[k]", "rate * g[k]", "velocity-starts-at-parameter"),
}
STEP = """
import numpy as np
from manual_mlp import loss_and_gradients

def step(w, g, state, *, learning_rate, momentum):
    rate = learning_rate
    v = {{f"v_{{k}}": momentum * state.get(f"v_{{k}}", {start}) + {moved} for k in w}}
    return {{k: w[k] - v[f"v_{{k}}"] for k in w}}, v
"""
OWN = """
import numpy as np
from manual_mlp import loss_and_gradients

def step(w, g, state, *, learning_rate, momentum):
    if not state:
        state = {"velocity": {k: 0 * a for k, a in w.items()}, "calls": 0}
    v = {k: momentum * a + learning_rate * g[k] for k, a in state["velocity"].items()}
    return {k: w[k] - v[k] for k in w}, {"velocity": v, "calls": state["calls"] + 1}
"""


def source(name: str) -> str:
    start, moved, _ = STARTS[name]
    return STEP.format(start=start, moved=moved)


def step_in(text: str) -> Any:
    """Return the step that a program defines."""
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    return namespace["step"]


def checked(text: str, **declared: Any) -> Result:
    return check(loss_and_gradients, step=step_in(text), hidden=(4,), **declared)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", [name for name, one in STARTS.items() if one[2]])
def test_a_wrong_first_update_disagrees_and_is_named(name: str, dtype: str) -> None:
    result = checked(source(name), dtype=dtype)
    assert (result.verdict, result.kind) == (Verdict.DISAGREES, "update")
    assert "the state is {} before it; from a given state the step is right" in result.sentence
    assert [one.mistake for one in result.diagnosis] == [STARTS[name][2]]


def test_a_wrong_first_update_of_no_known_kind_says_where_to_look() -> None:
    result = checked(STEP.format(start="0 * w[k] + 0.1 * np.sin(w[k])", moved="rate * g[k]"))
    assert result.verdict is Verdict.DISAGREES and not result.diagnosis
    assert any("there is no velocity yet: it counts as zero" in note for note in result.notes)


@pytest.mark.parametrize("form", ["velocity", "buffer"])
def test_a_right_first_update_agrees(form: str) -> None:
    moved = "rate * g[k]" if form == "velocity" else "g[k]"
    text = STEP.format(start="0 * w[k]", moved=moved)
    text = text if form == "velocity" else text.replace("w[k] - v[", "w[k] - rate * v[")
    result = checked(text, momentum_form=form)
    assert result and "3 step checks" in result.checks[-1].sentence


def test_a_step_that_needs_its_state_given_is_judged_from_given_states() -> None:
    result = checked(source("zero").replace('.get(f"v_{k}", 0 * w[k])', '[f"v_{k}"]'))
    assert result and "2 step checks" in result.checks[-1].sentence


@pytest.mark.parametrize("name", ["zero", "gradient", "parameter", "without rate"])
def test_a_training_begins_with_an_empty_state(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source(name))
    options = ["--epochs", "2", "--hidden", "4", "--learning-rate", "0.05", "--no-plots"]
    code = main(["--manual", str(path), *options, "--out", str(tmp_path)])
    assert code == (0 if name == "zero" else 1)
    report = (tmp_path / "report.json").read_text("utf-8")
    assert STARTS[name][2] is None or f'"mistake": "{STARTS[name][2]}"' in report


def test_a_step_of_momentum_may_have_keys_of_its_own() -> None:
    result = checked(OWN)
    assert result and any("keeps its state in its own way" in note for note in result.notes)


def test_a_wrong_step_with_keys_of_its_own_is_named() -> None:
    result = checked(OWN.replace("momentum * a +", "momentum * momentum * a +"))
    assert result.verdict is Verdict.DISAGREES
    assert [one.mistake for one in result.diagnosis] == ["velocity-squared-momentum"]


def test_velocities_beside_a_key_of_its_own_are_no_trouble() -> None:
    counted = source("zero").replace("}, v\n", '}, {**v, "calls": state.get("calls", 0) + 1}\n')
    assert checked(counted)


@pytest.mark.parametrize("wrong", [False, True])
def test_a_step_with_keys_of_its_own_is_trained(wrong: bool, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN.replace("momentum * a +", "momentum**2 * a +") if wrong else OWN)
    options = ["--epochs", "3", "--hidden", "4", "--no-plots"]
    assert main(["--manual", str(path), *options, "--out", str(tmp_path)]) == int(wrong)
    report = (tmp_path / "report.json").read_text("utf-8")
    assert ("velocity-squared-momentum" in report) == wrong
    assert "keeps its state in its own way" in report and "if not state" not in report


GOES_OVER = """
def step(w, g, state, *, learning_rate, momentum):
    after, kept = dict(w), {}
    for key, v in state.items():
        kept[key] = momentum * v + learning_rate * g[key[2:]]
        after[key[2:]] = w[key[2:]] - kept[key]
    return after, kept
"""


@pytest.mark.parametrize(("rate", "verdict"), [("", Verdict.AGREES), ("2 * ", Verdict.DISAGREES)])
def test_a_step_that_does_nothing_with_no_state_is_given_zeros(rate: str, verdict: Verdict) -> None:
    text = GOES_OVER.replace("learning_rate * g", f"{rate}learning_rate * g")
    assert checked(text).verdict is verdict


def test_a_state_of_another_optimiser_is_told_by_its_option() -> None:
    adam = """
import numpy as np

def step(w, g, state, *, learning_rate, momentum):
    t, after, kept = state.get("t", 0) + 1, {}, {}
    for k in w:
        m = kept[f"m_{k}"] = 0.9 * state.get(f"m_{k}", 0 * w[k]) + 0.1 * g[k]
        s = kept[f"s_{k}"] = 0.999 * state.get(f"s_{k}", 0 * w[k]) + 0.001 * g[k] ** 2
        root = np.sqrt(s / (1 - 0.999**t)) + 1e-8
        after[k] = w[k] - learning_rate * (m / (1 - 0.9**t)) / root
    return after, {**kept, "t": t}
"""
    with pytest.raises(UserCodeError, match=r"v_w1.*`--optimiser adam` declares it"):
        checked(adam)

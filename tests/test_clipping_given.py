"""A step that names the bound it clips by is given the declared one, wherever it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import Experiment, check
from compare.command.main import main
from compare.contracts.result import Verdict
from compare.guard.optimiser import GuardedOptimiser
from manual_mlp import loss_and_gradients

FILE = """
import numpy as np
from manual_mlp import loss_and_gradients

def step(w, g, state, *, learning_rate, momentum, clip_norm):
    norm = np.sqrt(sum((a * a).sum() for a in g.values()))
    share = min(1.0, clip_norm / (norm + 1e-6))
    v = {f"v_{k}": momentum * state.get(f"v_{k}", 0 * w[k]) + learning_rate * share * g[k]
         for k in w}
    return {k: w[k] - v[f"v_{k}"] for k in w}, v
"""


def by_norm(
    w: Any, g: Any, state: Any, *, learning_rate: float, momentum: float, clip_norm: Any = None
) -> Any:
    """Momentum that clips all gradients together, if it is told to."""
    if clip_norm is not None:
        norm = np.sqrt(sum((a * a).sum() for a in g.values()))
        g = {k: a * min(1.0, clip_norm / (norm + 1e-6)) for k, a in g.items()}
    v = {f"v_{k}": momentum * state.get(f"v_{k}", 0 * w[k]) + learning_rate * g[k] for k in w}
    return {k: w[k] - v[f"v_{k}"] for k in w}, v


def by_value(
    w: Any, g: Any, state: Any, *, learning_rate: float, momentum: float, clip_value: float
) -> Any:
    """Momentum that holds every entry of a gradient between two bounds."""
    g = {k: np.clip(a, -clip_value, clip_value) for k, a in g.items()}
    return by_norm(w, g, state, learning_rate=learning_rate, momentum=momentum)


def by_itself(
    w: Any, g: Any, state: Any, *, learning_rate: float, momentum: float, clip_norm: float
) -> Any:
    """Momentum that clips each gradient by itself."""
    g = {k: a * min(1.0, clip_norm / np.linalg.norm(a)) for k, a in g.items()}
    return by_norm(w, g, state, learning_rate=learning_rate, momentum=momentum)


@pytest.mark.parametrize("largest", [0.1, 50.0])
def test_a_step_that_names_clip_norm_is_given_it_and_unclipped_gradients(largest: float) -> None:
    assert check(loss_and_gradients, step=by_norm, clip_norm=largest, hidden=(4,))


def test_a_step_that_names_clip_value_is_given_it() -> None:
    step: Any = by_value
    assert check(loss_and_gradients, step=step, clip_value=0.01, hidden=(4,))


def test_a_step_whose_bound_nobody_declares_clips_as_it_says_itself() -> None:
    assert check(loss_and_gradients, step=by_norm, hidden=(4,))


def test_a_wrong_clipping_by_the_given_bound_is_named() -> None:
    step: Any = by_itself
    result = check(loss_and_gradients, step=step, clip_norm=0.1, hidden=(4,))
    assert result.verdict is Verdict.DISAGREES
    assert result.diagnosis[0].title == "each gradient clipped by itself"


def test_a_bound_that_has_to_be_given_and_that_nobody_declares_is_none() -> None:
    declared = Experiment(clip_norm=0.1).step_settings
    assert GuardedOptimiser(by_norm, "sgd", declared).settings["clip_norm"] == 0.1
    undeclared = Experiment().step_settings
    assert "clip_norm" not in GuardedOptimiser(by_norm, "sgd", undeclared).settings
    assert GuardedOptimiser(by_itself, "sgd", undeclared).settings["clip_norm"] is None


def test_a_step_is_given_the_bound_in_a_training_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    options = ["--clip-norm", "0.1", "--epochs", "2", "--hidden", "4", "--no-plots"]
    assert main(["--manual", str(path), *options, "--out", str(tmp_path)]) == 0

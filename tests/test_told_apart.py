"""Sentences say what is: digits that tell numbers apart, ratios that mean something, true notes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compare import check, check_per_sample_gradients
from compare.diagnosis.told_apart import Told
from compare.judge.ledger import bounded
from manual_mlp import loss_and_gradients

Arrays = dict[str, Any]


@pytest.mark.parametrize(
    ("number", "said"), [(0.9000001, "0.9000001"), (0.85, "0.85"), (0.9, "0.9"), (0.5, "0.5")]
)
def test_a_number_has_the_digits_that_tell_it_from_the_declared_one(
    number: float, said: str
) -> None:
    assert f"{Told.beside(number, 0.1, 0.9):.4g}" == said


@pytest.mark.slow
def test_a_momentum_a_little_off_is_not_said_to_be_the_declared_one() -> None:
    def step(
        parameters: Any, gradients: Any, state: Any, *, learning_rate: float, momentum: float
    ) -> Any:
        v = {
            f"v_{n}": (momentum + 1e-7) * state.get(f"v_{n}", 0 * g) + learning_rate * g
            for n, g in gradients.items()
        }
        return {n: w - v[f"v_{n}"] for n, w in parameters.items()}, v

    (found,) = check(loss_and_gradients, step=step).diagnosis
    assert "The momentum is 0.9000001, not the one declared." in found.sentence


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("rate", "names"), [(False, ["learning-rate-left-out"]), (True, [])])
def test_an_update_without_its_rate_is_named(dtype: str, rate: bool, names: list[str]) -> None:
    def update(parameters: Any, x: Any, targets: Any, *, learning_rate: float) -> Any:
        _, gradients, *_ = loss_and_gradients(parameters, x, targets)
        share = learning_rate if rate else 1.0
        return {name: w - share * gradients[name] for name, w in parameters.items()}

    result = check(update, dtype=dtype)
    assert [one.mistake for one in result.diagnosis] == names and bool(result) is rate


@pytest.mark.parametrize(("ratio", "said"), [(0.25, "0.25"), (8e153, "> 1e+15")])
def test_a_ratio_beside_a_zero_says_only_that_it_is_large(ratio: float, said: str) -> None:
    assert bounded(ratio) == said


def test_where_zero_is_due_no_ratio_is_told() -> None:
    def rows(w: Arrays, x: Any, t: Any) -> Arrays:
        each = [loss_and_gradients(w, x[i : i + 1], t[i : i + 1])[1] for i in range(len(x))]
        return {name: np.stack([one[name] for one in each])[::-1].copy() for name in w}

    result = check_per_sample_gradients(rows)
    text = f"{result.sentence} {' '.join(one.sentence for one in result.checks)}"
    assert result.kind == "derivative" and "e+1" not in text.replace("> 1e+15", "")


def stale() -> Callable[..., Any]:
    """Return code that hands out the gradients of the call before."""
    kept: dict[str, Arrays] = {}

    def code(w: Arrays, x: Any, t: Any) -> Any:
        loss, gradients, *_ = loss_and_gradients(w, x, t)
        before = kept.get("last", gradients)
        kept["last"] = gradients
        return loss, before if before["w1"].shape == gradients["w1"].shape else gradients

    return code


def one_hot(w: Arrays, x: Any, t: Any) -> Any:
    return loss_and_gradients(w, x, np.eye(t.shape[1], dtype=t.dtype)[t.argmax(axis=1)])


@pytest.mark.parametrize(("code", "noted"), [(stale(), False), (one_hot, True)])
def test_what_the_call_before_leaves_is_no_question_of_targets(
    code: Callable[..., Any], noted: bool
) -> None:
    notes = " ".join(check(code).notes)
    assert ("one-hot only" in notes) is noted

"""Code that reads its context as it is documented is trained, and its statistics are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare import Experiment, Manual, check, run_training
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.sides import our_manual

SHARE, EPS = 0.1, 1e-5


def batch_normalised(
    share: float = SHARE, ddof: int = 1, *, always: bool = False, row: bool = False
) -> Any:
    """Return softmax cross-entropy over relu(batch norm); all is read by its documented name.

    `always`: it returns its statistics in evaluation too; `row`: as (1, H).
    """

    def loss_and_gradients(parameters: Any, x: Any, targets: Any, *, context: Any) -> Any:
        w2, gamma = parameters["w2"], parameters["gamma1"]
        rows, training = len(x), bool(context["training"])
        z = x @ parameters["w1"] + parameters["b1"]
        mean = z.mean(axis=0) if training else context["running_mean1"]
        variance = z.var(axis=0) if training else context["running_var1"]
        s = np.sqrt(variance + EPS)
        n = (z - mean) / s
        h = np.maximum(gamma * n + parameters["beta1"], 0)
        logits = h @ w2 + parameters["b2"]
        logits = logits - logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        dlogits = (np.exp(log_p) - targets) / rows
        da = dlogits @ w2.T * (h > 0)
        dn = da * gamma
        dz = (dn - dn.mean(axis=0) - n * (dn * n).mean(axis=0)) / s if training else dn / s
        gradients = {
            "w1": x.T @ dz, "b1": dz.sum(axis=0), "gamma1": (da * n).sum(axis=0),
            "beta1": da.sum(axis=0), "w2": h.T @ dlogits, "b2": dlogits.sum(axis=0),
        }  # fmt: skip
        loss = -(targets * log_p).sum() / rows
        if not training:
            kept = {k: context[k] for k in ("running_mean1", "running_var1")}
            return (loss, gradients, kept) if always else (loss, gradients)
        news = {"running_mean1": mean, "running_var1": z.var(axis=0, ddof=ddof)}
        shown = {k: (1 - share) * context[k] + share * new for k, new in news.items()}
        return loss, gradients, {k: one[np.newaxis] if row else one for k, one in shown.items()}

    return loss_and_gradients


def test_a_training_hands_on_whether_it_is_one() -> None:
    experiment = Experiment(hidden=(5,), normalisation="batch", epochs=2, batch_size=700)
    function = batch_normalised()
    seen: list[bool] = []

    def noting(*point: Any, **how: Any) -> Any:
        seen.append(bool(how["context"]["training"]))
        return function(*point, **how)

    ours = our_manual(experiment)
    manual = Manual(loss_and_gradients=noting, evaluate=ours.evaluate, step=ours.step)
    assert run_training(experiment, manual=manual).verdict is Verdict.AGREES
    assert all(seen)
    wrong = replace(manual, loss_and_gradients=batch_normalised(ddof=0))
    named = run_training(experiment, manual=wrong).diagnosis
    assert [one.mistake for one in named] == ["running-variance-over-n"]


@pytest.mark.parametrize(
    ("changed", "name", "mistake"),
    [
        ({"share": 0.9}, "mean", "running-shares-exchanged"),
        ({"ddof": 0}, "var", "running-variance-over-n"),
    ],
)
def test_running_statistics_that_a_check_is_shown_are_compared(
    changed: dict[str, Any], name: str, mistake: str
) -> None:
    options: dict[str, Any] = {
        "inputs": 6, "hidden": (5,), "classes": 3, "normalisation": "batch",
    }  # fmt: skip
    for honest in ({}, {"always": True}, {"row": True}):
        assert check(batch_normalised(**honest), **options).verdict is Verdict.AGREES
    wrong = check(batch_normalised(**changed), **options)
    assert wrong.verdict is Verdict.DISAGREES
    assert f"running_{name}1" in wrong.sentence
    assert [one.mistake for one in wrong.diagnosis] == [mistake]


def trained(handed_on: Any) -> Any:
    """Train batch normalisation whose third value is changed so, or left out with None."""
    experiment = Experiment(hidden=(5,), normalisation="batch", epochs=2, batch_size=700)
    function, ours = batch_normalised(), our_manual(experiment)

    def changed(*point: Any, **how: Any) -> Any:
        loss, gradients, shown = function(*point, **how)
        return (loss, gradients) if handed_on is None else (loss, gradients, handed_on(shown))

    return run_training(experiment, manual=Manual(changed, ours.evaluate, ours.step))


@pytest.mark.parametrize("handed_on", [None, lambda shown: {}], ids=["no third value", "empty"])
def test_running_statistics_that_are_not_shown_are_not_compared_and_a_note_says_how(
    handed_on: Any,
) -> None:
    result = trained(handed_on)
    assert result.verdict is Verdict.AGREES
    note = next(note for note in result.notes if "were not compared" in note)
    assert "a third value, a dictionary with running_mean1, running_var1" in note
    assert not any("running" in name for name in result.worst)


def test_running_statistics_that_are_shown_are_compared_and_no_note_is_needed() -> None:
    result = trained(lambda shown: shown)
    assert result and "running_mean1" in result.worst
    assert not any("running statistics" in note for note in result.notes)


def test_a_part_of_the_running_statistics_is_refused_with_what_is_missing() -> None:
    with pytest.raises(UserCodeError, match="returned running_mean1 without running_var1"):
        trained(lambda shown: {"running_mean1": shown["running_mean1"]})


def test_a_running_statistic_of_another_shape_is_told_with_the_shape_that_is_due() -> None:
    result = trained(lambda shown: shown | {"running_mean1": shown["running_mean1"][:3]})
    assert result.verdict is Verdict.DISAGREES
    assert "returned running_mean1 of shape (3,); (5,) is due" in result.sentence

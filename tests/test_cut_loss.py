"""The line of a loss beside gradients in a loop is compared with the loss that they belong to."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.loss_beside import divides_its_rate
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result
from tests.hand_ins import checked
from tests.test_cut import BATCH, TRAIN, changed

pytestmark = pytest.mark.slow

LOSS = "loss = -np.mean(np.sum(Y * np.log(p), axis=1))"
SUMMED = ("(p - Y) / n", "p - Y")
TOTAL = (("    for epoch", "    total = 0.0\n    for epoch"), ("(epoch, loss)", "(total / n)"))
SHORT = "loss = -np.sum(Y * np.log(p)) / n"
RIGHT = {
    "a likelihood": ((LOSS, "log_likelihood = np.sum(Y * np.log(p)) / n"), (", loss)", ")")),
    "a guard": (("np.log(p)", "np.log(p + 1e-9)"),),
    "a sum only": ((LOSS, "loss = -np.sum(Y * np.log(p))"),),
    "sample by sample": (
        (LOSS, "loss = 0\n        for i in range(n):\n"
         "            loss -= np.sum(Y[i] * np.log(p[i]))\n        loss /= n"),
    ),
    "now and then, after the step": (
        (LOSS, "pass"), ("            print", f"            {LOSS}\n            print"),
    ),
    "of validation data too": (
        (LOSS, f"{LOSS}\n        val_loss = -np.mean(np.log(p_val))"),
        ("    for epoch", "    p_val = np.full((7, k), 1 / k)\n    for epoch"),
    ),
    "a perplexity": ((LOSS, f"{LOSS}\n        perplexity = np.exp(loss)"),),
    "with its penalty": (
        (LOSS, f"{SHORT} + 0.5 * reg * (np.sum(W1**2) + np.sum(W2**2))"),
        ("        W1 -=", "        dW1 += reg * W1\n        dW2 += reg * W2\n        W1 -="),
    ),
    "of the data alone, beside a weight decay by a number": (
        (LOSS, SHORT),
        ("        W1 -=", "        dW1 += 1e-3 * W1\n        dW2 += 1e-3 * W2\n        W1 -="),
    ),
    "a total, divided later": (
        *BATCH, *TOTAL, (LOSS, "total += -np.sum(yb * np.log(p + 1e-9))"),
    ),
    "its minus later": (
        *BATCH, *TOTAL, (LOSS, "total += np.sum(yb * np.log(p))"), ("(total /", "(-total /"),
    ),
    "a mean over batches": (
        *BATCH, *TOTAL, (LOSS, "total += -np.mean(np.sum(yb * np.log(p), 1)) / n_batches"),
    ),
}  # fmt: skip
WRONG = {
    "gradient-summed": (SUMMED,),
    "summed-not-averaged": (SUMMED, (LOSS, "loss = -np.sum(Y * np.log(p))")),
    "loss-divided-by-classes": ((LOSS, "loss = -np.sum(Y * np.log(p)) / k"),),
    "minus-missing-in-loss": (
        *BATCH, *TOTAL, (LOSS, "total += np.sum(yb * np.log(p))"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", RIGHT)
def test_a_right_loss_beside_the_gradients_agrees(how: str, tmp_path: Path) -> None:
    result = checked(tmp_path, changed(TRAIN, *RIGHT[how]))
    assert result.verdict is Verdict.AGREES, result.sentence
    assert "its loss, line " in result.checks[0].sentence


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_loss_is_named_and_a_summed_gradient_belongs_to_a_sum(
    mistake: str, tmp_path: Path
) -> None:
    result = checked(tmp_path, changed(TRAIN, *WRONG[mistake]))
    assert result.verdict is Verdict.DISAGREES
    assert [one.mistake for one in result.diagnosis] == [mistake]
    assert (result.kind == "convention") == (mistake == "summed-not-averaged")


NO_LOSS = {
    "entropy": "entropy = -np.mean(np.sum(p * np.log(p), axis=1))",
    "running average": "shown = 0.9 * shown + 0.1 * -np.mean(np.sum(Y * np.log(p), axis=1))",
}


@pytest.mark.parametrize("line", NO_LOSS.values(), ids=NO_LOSS)
def test_what_is_not_the_loss_of_a_batch_is_not_held_against_it(line: str, tmp_path: Path) -> None:
    begun = ("    for epoch", "    shown = 0.0\n    for epoch")
    result = checked(tmp_path, changed(TRAIN, begun, (LOSS, line), ("(epoch, loss)", "(epoch)")))
    assert result.verdict is Verdict.AGREES, result.sentence


def test_a_loss_that_cannot_be_evaluated_leaves_the_loop_undecided(tmp_path: Path) -> None:
    text = changed(TRAIN, (LOSS, "loss = -np.mean(np.log(p[range(n), chosen]))"))
    assert checked(tmp_path, text).verdict is Verdict.UNDECIDABLE


def test_a_declared_sum_is_a_sum_in_the_loss_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(changed(TRAIN, SUMMED), "utf-8")
    result = starter_result(check_starter(path, reduction="sum"))
    assert result.kind == "loss" and [one.mistake for one in result.diagnosis] == ["loss-averaged"]


@pytest.mark.parametrize(
    ("step", "divided"),
    [
        ("W -= lr / n * dW", True),
        ("W = W - self.lr * self.dW / m", True),
        ("W -= learning_rate / len(X) * dW", True),
        ("W -= lr * dW", False),
        ("W -= lr / 2 * dW", False),
    ],
)
def test_a_rate_that_is_divided_by_the_rows_makes_a_mean_of_summed_gradients(
    step: str, divided: bool
) -> None:
    assert divides_its_rate(step) is divided

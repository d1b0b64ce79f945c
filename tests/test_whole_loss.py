"""The line of a loss in the training that calls a file's functions is compared with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked
from tests.test_cut import changed

FILE = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def forward(X, W1, b1, W2, b2):
    A1 = np.maximum(0, X @ W1 + b1)
    return A1, softmax(A1 @ W2 + b2)
def backward(X, Y, A1, A2, W2):
    d = (A2 - Y) / len(X)
    dh = (d @ W2.T) * (A1 > 0)
    return X.T @ dh, dh.sum(axis=0), A1.T @ d, d.sum(axis=0)
def train(X, Y, W1, b1, W2, b2, epochs, lr):
    for i in range(epochs):
        A1, A2 = forward(X, W1, b1, W2, b2)
        loss = -np.mean(np.sum(Y * np.log(A2), axis=1))
        dW1, db1, dW2, db2 = backward(X, Y, A1, A2, W2)
        W1 -= lr * dW1; b1 -= lr * db1; W2 -= lr * dW2; b2 -= lr * db2
"""
LOSS = "loss = -np.mean(np.sum(Y * np.log(A2), axis=1))"
SUMMED = ("(A2 - Y) / len(X)", "A2 - Y")
RIGHT = {
    "a mean": FILE,
    "a list, and a guard": changed(
        FILE, (LOSS, "losses.append(-np.mean(np.sum(Y * np.log(A2 + 1e-9), axis=1)))")
    ),
    "in two lines, with a penalty of 0": changed(
        FILE.replace("import numpy as np", "import numpy as np; reg = 0.0"),
        (LOSS, "m = X.shape[0]\n        cost = -np.sum(Y * np.log(A2)) / m"
         "\n        loss = cost + 0.5 * reg * np.sum(W1 ** 2)"),
    ),
}  # fmt: skip
WRONG = {
    "gradient-summed": changed(FILE, SUMMED),
    "summed-not-averaged": changed(FILE, SUMMED, (LOSS, "loss = -np.sum(Y * np.log(A2))")),
    "minus-missing-in-loss": changed(FILE, ("-np.mean", "np.mean")),
    "loss-averaged-over-classes": changed(FILE, (LOSS, "losses.append(-np.mean(Y * np.log(A2)))")),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", RIGHT)
def test_a_right_loss_in_the_training_agrees(how: str, tmp_path: Path) -> None:
    result = checked(tmp_path, RIGHT[how])
    assert result.verdict is Verdict.AGREES, result.sentence
    assert any("its loss, line 16" in one.sentence or "is right" in one.sentence
               for one in result.checks)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_loss_in_the_training_is_named(mistake: str, tmp_path: Path) -> None:
    result = checked(tmp_path, WRONG[mistake])
    assert result.verdict is Verdict.DISAGREES
    assert [one.mistake for one in result.diagnosis] == [mistake]
    assert (result.kind == "convention") == (mistake == "summed-not-averaged")

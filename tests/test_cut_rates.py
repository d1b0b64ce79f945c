"""A rate under a name that means other things too is left out of the gradient it scales."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

pytestmark = pytest.mark.slow

LOOP = """
import numpy as np
epsilon = 0.01
def build_model(X, y, W1, b1, W2, b2, passes=100):
    rows = len(X)
    for i in range(passes):
        a1 = np.tanh(X.dot(W1) + b1)
        exp_scores = np.exp(a1.dot(W2) + b2)
        probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
        delta3 = probs
        delta3[range(rows), y] -= 1
        delta3 /= rows
        delta2 = delta3.dot(W2.T) * (1 - np.power(a1, 2))
        dW2, db2 = a1.T.dot(delta3), np.sum(delta3, axis=0)
        dW1, db1 = X.T.dot(delta2), np.sum(delta2, axis=0)
        W1 += -epsilon * dW1
        b1 += -epsilon * db1
        W2 += -epsilon * dW2
        b2 += -epsilon * db2
    return W1, b1, W2, b2
"""


@pytest.mark.parametrize(
    ("old", "new", "verdict", "words"),
    [
        ("", "", Verdict.AGREES, "agrees"),
        ("        delta3 /= rows\n", "", Verdict.DISAGREES, "--reduction sum declares it"),
        ("np.power(a1, 2)", "a1", Verdict.DISAGREES, "1 - h where 1 - h**2 belongs"),
    ],
    ids=["right", "summed", "a square left out"],
)
def test_an_epsilon_that_scales_every_gradient_is_the_rate(
    tmp_path: Path, old: str, new: str, verdict: Verdict, words: str
) -> None:
    found = checked(tmp_path, LOOP.replace(old, new))
    assert found.verdict is verdict, found.sentence
    assert words in found.sentence


BATCHES = """
import numpy as np
def train(X, Y, W1, b1, W2, b2, lr=0.1, batch=10):
    for i in range(0, len(X), batch):
        xb, yb = X[i:i + batch], Y[i:i + batch]
        h = np.tanh(xb @ W1 + b1)
        e = np.exp(h @ W2 + b2)
        p = e / e.sum(axis=1, keepdims=True)
        do = (p - yb) / batch
        dh = do @ W2.T * (1 - h**2)
        W1 -= lr * xb.T @ dh
        b1 -= lr * dh.sum(0)
        W2 -= lr * h.T @ do
        b2 -= lr * do.sum(0)
    return W1, b1, W2, b2
"""


def test_gradients_that_are_zero_as_they_were_read_tell_no_mistake(tmp_path: Path) -> None:
    """With p for `yb` everything is 0, which a clipping at 0 would give as well."""
    found = checked(tmp_path, BATCHES)
    assert found.verdict is Verdict.DISAGREES
    assert not any("clip" in one.mistake for one in found.diagnosis)
    assert "10" in found.diagnosis[0].sentence


def test_two_arguments_that_can_only_be_the_same_accuse_nobody(tmp_path: Path) -> None:
    both = """
import numpy as np
def gradients(X, xb, yb, W1, b1, W2, b2):
    h = np.tanh(xb @ W1 + b1)
    e = np.exp(h @ W2 + b2)
    d = (e / e.sum(axis=1, keepdims=True) - yb) / len(X)
    dz = d @ W2.T * (1 - h**2)
    return xb.T @ dz, dz.sum(0), h.T @ d, d.sum(0)
"""
    assert checked(tmp_path, both).verdict is Verdict.UNDECIDABLE


MEANT = """
import numpy as np
def forward(X, W1, b1, W2, b2):
    A1 = np.tanh(X @ W1 + b1)
    e = np.exp(A1 @ W2 + b2)
    return A1, e / e.sum(axis=1, keepdims=True)
def backward(X, Y, A1, A2, W2):
    dZ2 = A2 - Y
    dZ1 = dZ2 @ W2.T * (1 - A1**2)
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0)
def train(X, Y, W1, b1, W2, b2, lr=0.1):
    n = len(X)
    for epoch in range(9):
        A1, A2 = forward(X, W1, b1, W2, b2)
        loss = -np.mean(np.sum(Y * np.log(A2), axis=1))
        dW1, db1, dW2, db2 = backward(X, Y, A1, A2, W2)
        W1 = W1 - lr / n * dW1
        b1 = b1 - lr / n * db1
        W2 = W2 - lr / n * dW2
        b2 = b2 - lr / n * db2
    return W1, b1, W2, b2
"""


def test_a_sum_that_the_updates_divide_is_a_convention_that_can_be_declared(
    tmp_path: Path,
) -> None:
    """Without the rows in the updates a sum beside a mean is a mistake, declared or not."""
    assert checked(tmp_path, MEANT).kind == "convention"
    assert checked(tmp_path, MEANT, reduction="sum").verdict is Verdict.AGREES
    wrong = checked(tmp_path, MEANT.replace("lr / n", "lr"), reduction="sum")
    assert wrong.verdict is Verdict.DISAGREES

"""A rate under a name that means other things too is left out of the gradient it scales."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

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

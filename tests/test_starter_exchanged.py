"""Names that a call exchanges are said where no training could be run."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

READ = """import numpy as np
def read(name):
    rows = np.loadtxt(name)
    rows = rows[rows[:, 3] > 2.5]
    return rows[:, 1:], rows[:, 0].astype(int)
def forward(X, W1, b1, W2, b2):
    h = np.maximum(0, X @ W1 + b1)
    e = np.exp(h @ W2 + b2)
    return h, e / e.sum(axis=1, keepdims=True)
def backward(X, Y, h, p, W2):
    d = (p - Y) / len(Y)
    dW2, db2 = h.T @ d, d.sum(axis=0)
    dh = (d @ W2.T) * (h > 0)
    dW1, db1 = X.T @ dh, dh.sum(axis=0)
    return dW1, db1, dW2, db2
def step(W1, b1, W2, b2, dW1, db1, dW2, db2, lr):
    return W1 - lr * dW1, b1 - lr * db1, W2 - lr * dW2, b2 - lr * db2
def main(name, n):
    rows, labels = read(name)
    W1, b1 = np.random.randn(rows.shape[1], n), np.zeros(n)
    W2, b2 = np.random.randn(n, 3), np.zeros(3)
    for _ in range(100):
        h, p = forward(rows, W1, b1, W2, b2)
        dW1, db1, dW2, db2 = backward(rows, np.eye(3)[labels], h, p, W2)
        W1, b1, W2, b2 = step(W1, b1, W2, b2, dW1, db1, dW2, db2, 0.1)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dW1, db1, dW2, db2 = backward", "dW1, db2, dW2, db1 = backward"),
        ("b2, dW1, db1, dW2, db2, 0.1", "b2, dW1, db2, dW2, db1, 0.1"),
    ],
)
def test_a_call_that_exchanges_names_is_undecided(tmp_path: Path, old: str, new: str) -> None:
    assert checked(tmp_path, READ).verdict is Verdict.AGREES
    assert old in READ
    result = checked(tmp_path, READ.replace(old, new))
    assert result.verdict is Verdict.UNDECIDABLE, result.sentence
    assert any("db2 and db1 stand where" in one for one in result.not_compared)


INLINE = READ.replace(
    "        W1, b1, W2, b2 = step(W1, b1, W2, b2, dW1, db1, dW2, db2, 0.1)\n",
    "        W1 -= 0.1 * dW1; b1 -= 0.1 * db1\n        W2 -= 0.1 * dW2; b2 -= 0.1 * db2\n",
)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("", "", Verdict.AGREES),
        ("dW1, db1, dW2, db2 = backward", "dW1, db2, dW2, db1 = backward", Verdict.DISAGREES),
        ("return dW1, db1, dW2, db2", "return dW1, db2, dW2, db1", Verdict.DISAGREES),
    ],
)
def test_gradients_that_come_back_under_each_others_names_move_the_wrong_weights(
    tmp_path: Path, old: str, new: str, verdict: Verdict
) -> None:
    assert old in INLINE
    result = checked(tmp_path, INLINE.replace(old, new))
    assert result.verdict is verdict, result.sentence
    assert ("stand where" in result.sentence) is bool(old)


BACKWARD = """import numpy as np
class Net:
    def __init__(self, d, h, k):
        rng = np.random.default_rng(0)
        self.W1, self.b1 = 0.1 * rng.normal(size=(d, h)), np.zeros(h)
        self.W2, self.b2 = 0.1 * rng.normal(size=(h, k)), np.zeros(k)
    def forward(self, X):
        self.X = X
        self.H = np.maximum(0, X @ self.W1 + self.b1)
        e = np.exp(self.H @ self.W2 + self.b2)
        self.P = e / e.sum(axis=1, keepdims=True)
        return self.P
    def loss(self, Y):
        return -np.sum(Y * np.log(self.P)) / len(Y)
    def backward(self, Y):
        d2 = (self.P - Y) / len(Y)
        d1 = (d2 @ self.W2.T) * (self.H > 0)
        self.dW1, self.db1 = self.H.T @ d2, d2.sum(axis=0)
        self.dW2, self.db2 = self.X.T @ d1, d1.sum(axis=0)
    def step(self, lr):
        self.W2 -= lr * self.dW1
        self.b2 -= lr * self.db1
        self.W1 -= lr * self.dW2
        self.b1 -= lr * self.db2
"""
FORWARD = BACKWARD.replace("self.dW1, self.db1 =", "self.one =").replace(
    "self.dW2, self.db2 =", "self.dW1, self.db1 ="
).replace("self.one =", "self.dW2, self.db2 =")  # fmt: skip
"""The gradients have the numbers of their weights, and the updates take the other ones."""


@pytest.mark.parametrize(
    ("text", "verdict"), [(BACKWARD, Verdict.AGREES), (FORWARD, Verdict.DISAGREES)]
)
def test_gradients_may_be_numbered_from_the_output_layer(
    tmp_path: Path, text: str, verdict: Verdict
) -> None:
    result = checked(tmp_path, text)
    assert result.verdict is verdict, result.sentence

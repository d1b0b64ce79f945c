"""Classes that train in batches: compared in one of them, and held against themselves in two."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

pytestmark = pytest.mark.slow

TEXT = """import numpy as np
class Net:
    def __init__(self, inputs, hidden, outputs, lr=0.1, batch_size=20):
        self.W1, self.b1 = 0.3 * np.random.randn(inputs, hidden), np.zeros((1, hidden))
        self.W2, self.b2 = 0.3 * np.random.randn(hidden, outputs), np.zeros((1, outputs))
        self.lr, self.batch_size = lr, batch_size
        self.losses = []
    def train(self, X, Y, epochs=10, batch_size=20):
        for epoch in range(epochs):
            order = np.random.permutation(X.shape[0])
            for start in range(0, X.shape[0], batch_size):
                rows = order[start:start + batch_size]
                x, y = X[rows], Y[rows]
                m = x.shape[0]
                a1 = 1 / (1 + np.exp(-(x @ self.W1 + self.b1)))
                e = np.exp(a1 @ self.W2 + self.b2)
                p = e / e.sum(axis=1, keepdims=True)
                loss = -np.sum(y * np.log(p)) / m
                d2 = (p - y) / m
                d1 = (d2 @ self.W2.T) * a1 * (1 - a1)
                self.W2 -= self.lr * (a1.T @ d2)
                self.W1 -= self.lr * (x.T @ d1)
                self.b2 -= self.lr * d2.sum(axis=0, keepdims=True)
                self.b1 -= self.lr * d1.sum(axis=0, keepdims=True)
            self.losses.append(loss)
"""
B1 = "                self.b1 -= self.lr * d1.sum(axis=0, keepdims=True)\n"
B2 = B1.replace("1", "2")
OUTSIDE = (B2 + B1, (B2 + B1).replace(" " * 16, " " * 12))
ONE_OUTSIDE = (B1, B1.replace(" " * 16, " " * 12))
BY_ALL = ("d2 = (p - y) / m", "d2 = (p - y) / X.shape[0]")
KEPT = ("epochs=10, batch_size=20):\n", "epochs=10):\n        batch_size = self.batch_size\n")
PLAIN = """                self.W2 -= self.lr * (a1.T @ d2)
                self.W1 -= self.lr * (x.T @ d1)
"""
MOMENTUM = """                g = [x.T @ d1, d1.sum(axis=0), a1.T @ d2, d2.sum(axis=0)]
                self.v = [0.9 * v - self.lr * one for v, one in zip(self.v, g)]
                self.W1 += self.v[0]
                self.b1 += self.v[1]
                self.W2 += self.v[2]
                self.b2 += self.v[3]
"""
BEGUN = "        self.losses = []\n"
MOVING = ((BEGUN, f"{BEGUN}        self.v = [0.0] * 4\n"), (PLAIN + B2 + B1, MOMENTUM))
SLOWER = ("            self.losses.append(loss)\n", "            self.lr *= 0.9\n")


def made(*pairs: tuple[str, str]) -> str:
    text = TEXT
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


RIGHT = {
    "handed": (), "kept": (KEPT,), "with momentum": MOVING, "with a rate that falls": (SLOWER,),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_a_class_that_steps_alike_in_every_batch_agrees(case: str, tmp_path: Path) -> None:
    result = checked(tmp_path, made(*RIGHT[case]))
    assert result.verdict is Verdict.AGREES, result.sentence


WRONG = {
    "divided by all rows": ((BY_ALL,), "gradient-divided-by-data-set"),
    "divided by all rows, kept": ((KEPT, BY_ALL), "gradient-divided-by-data-set"),
    "biases once in an epoch": ((OUTSIDE,), "parameter-stepped-once-an-epoch"),
    "biases once in an epoch, kept": ((KEPT, OUTSIDE), "parameter-stepped-once-an-epoch"),
    "one bias once in an epoch": ((ONE_OUTSIDE,), "parameter-stepped-once-an-epoch"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_class_that_is_right_in_one_batch_alone_is_not_called_right(
    case: str, tmp_path: Path
) -> None:
    pairs, mistake = WRONG[case]
    result = checked(tmp_path, made(*pairs))
    assert result.verdict is Verdict.DISAGREES, result.sentence
    assert [one.mistake for one in result.diagnosis] == [mistake]

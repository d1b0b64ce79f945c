"""The line of a loss in a method of a class is compared with the loss of its gradients."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked
from tests.test_cut import changed

pytestmark = pytest.mark.slow

FIT = """
import numpy as np
class Classifier:
    def __init__(self, n_in, n_hidden, n_out, lr=0.05):
        self.lr = lr
        self.W1 = np.random.randn(n_in, n_hidden); self.b1 = np.zeros(n_hidden)
        self.W2 = np.random.randn(n_hidden, n_out); self.b2 = np.zeros(n_out)
        self.history = []
    def forward(self, X):
        self.z1 = X @ self.W1 + self.b1
        self.a1 = np.maximum(0, self.z1)
        s = self.a1 @ self.W2 + self.b2
        e = np.exp(s - s.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    def fit(self, X, Y, epochs=10, batch_size=32):
        n = X.shape[0]
        for epoch in range(epochs):
            order = np.random.permutation(n)
            total = 0.0
            for start in range(0, n, batch_size):
                rows = order[start:start + batch_size]
                xb, yb = X[rows], Y[rows]
                p = self.forward(xb)
                total += -np.sum(yb * np.log(p + 1e-9))
                d = (p - yb) / len(xb)
                dz = (d @ self.W2.T) * (self.z1 > 0)
                self.W2 -= self.lr * (self.a1.T @ d); self.b2 -= self.lr * d.sum(axis=0)
                self.W1 -= self.lr * (xb.T @ dz); self.b1 -= self.lr * dz.sum(axis=0)
            self.history.append(total / n)
"""
BACK = """
import numpy as np
class Net:
    def __init__(self, n_in, n_hidden, n_out, reg=0.01):
        self.reg = reg
        self.W1 = np.random.randn(n_in, n_hidden); self.b1 = np.zeros(n_hidden)
        self.W2 = np.random.randn(n_hidden, n_out); self.b2 = np.zeros(n_out)
    def forward(self, X):
        self.z1 = X @ self.W1 + self.b1
        self.a1 = np.maximum(0, self.z1)
        s = self.a1 @ self.W2 + self.b2
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p
    def backward(self, X, Y):
        d = (self.p - Y) / len(X)
        self.dW2 = self.a1.T @ d + self.reg * self.W2; self.db2 = d.sum(axis=0)
        dz = (d @ self.W2.T) * (self.z1 > 0)
        self.dW1 = X.T @ dz + self.reg * self.W1; self.db1 = dz.sum(axis=0)
    def train(self, X, Y, epochs=10, lr=0.1):
        for epoch in range(epochs):
            p = self.forward(X)
            loss = -np.mean(np.sum(Y * np.log(p), axis=1))
            loss += 0.5 * self.reg * (np.sum(self.W1**2) + np.sum(self.W2**2))
            self.backward(X, Y)
            self.W1 -= lr * self.dW1; self.b1 -= lr * self.db1
            self.W2 -= lr * self.dW2; self.b2 -= lr * self.db2
"""
SUMMED = ("(p - yb) / len(xb)", "p - yb")
MINUS_LATER = (("+= -np", "+= np"), ("(total / n)", "(-total / n)"))
RIGHT = {
    "a total": FIT,
    "its minus at the end": changed(FIT, *MINUS_LATER),
    "its minus where it is printed": changed(
        FIT, MINUS_LATER[0], ("self.history.append(total / n)", "print(f'{-total / n:.3f}')")
    ),
    "a train beside the gradient": BACK,
    "no penalty in what it prints": changed(
        BACK, ("loss += 0.5 * self.reg * (np.sum(self.W1**2) + np.sum(self.W2**2))", "pass")
    ),
}
WRONG = {
    "minus-missing-in-loss": changed(FIT, MINUS_LATER[0]),
    "loss-divided-by-classes": changed(FIT, ("total / n)", "total / Y.shape[1])")),
    "gradient-summed": changed(FIT, SUMMED),
    "summed-not-averaged": changed(FIT, SUMMED, ("total / n", "total")),
    "loss-averaged-over-classes": changed(
        BACK, ("np.mean(np.sum(Y * np.log(p), axis=1))", "np.mean(Y * np.log(p))")
    ),
}
OPEN = {
    "a rate that nobody can hand over": changed(FIT, ("self.lr *", "0.05 *")),
}


@pytest.mark.parametrize("how", RIGHT)
def test_a_right_loss_in_a_method_agrees(how: str, tmp_path: Path) -> None:
    result = checked(tmp_path, RIGHT[how])
    assert result.verdict is Verdict.AGREES, result.sentence
    assert "its loss, line " in result.checks[0].sentence


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_loss_in_a_method_is_named(mistake: str, tmp_path: Path) -> None:
    result = checked(tmp_path, WRONG[mistake])
    assert result.verdict is Verdict.DISAGREES
    assert [one.mistake for one in result.diagnosis] == [mistake]
    assert (result.kind == "convention") == (mistake == "summed-not-averaged")


def test_a_strength_that_loss_and_gradient_write_down_agrees(tmp_path: Path) -> None:
    result = checked(tmp_path, changed(BACK, ("self.reg *", "0.01 *")))
    assert result.verdict is Verdict.AGREES, result.sentence


def test_half_the_penalty_in_the_loss_is_twice_in_the_gradient(tmp_path: Path) -> None:
    result = checked(tmp_path, changed(BACK, ("loss += 0.5", "loss += 0.25")))
    assert result.verdict is Verdict.DISAGREES
    assert [one.mistake for one in result.diagnosis] == ["penalty-twice-in-gradient"]


@pytest.mark.parametrize("how", OPEN)
def test_what_the_lines_do_not_tell_accuses_nobody(how: str, tmp_path: Path) -> None:
    result = checked(tmp_path, OPEN[how])
    assert result.verdict is Verdict.UNDECIDABLE, result.sentence

"""A loss that a file shows and nobody declared is what its gradients are held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compare.contracts.result import Result, Verdict
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

pytestmark = pytest.mark.slow

NETWORK = """
import numpy as np
def scores(X, W1, b1, W2, b2):
    H = np.maximum(X @ W1 + b1, 0)
    return H, H @ W2 + b2
"""
HINGE = (
    NETWORK
    + """
def loss_and_grads(X, y, W1, b1, W2, b2, reg=0.01):
    H, S = scores(X, W1, b1, W2, b2)
    rows = np.arange(len(y))
    over = np.maximum(0, S - S[rows, y][:, None] + 1)
    over[rows, y] = 0
    data = over.sum() / len(y)
    loss = data + reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
    dS = (over > 0) * 1.0
    dS[rows, y] = -dS.sum(axis=1)
    dS /= len(y)
    dH = dS @ W2.T * (H > 0)
    return loss, X.T @ dH + 2 * reg * W1, dH.sum(0), H.T @ dS + 2 * reg * W2, dS.sum(0)
"""
)
ELASTIC = (
    NETWORK
    + """
class Model:
    def __init__(self, n, h, k):
        self.W1, self.b1 = np.random.randn(n, h), np.zeros(h)
        self.W2, self.b2 = np.random.randn(h, k), np.zeros(k)
        self.sparse, self.reg = 0.003, 0.01
    def cost(self, X, Y):
        self.H, S = scores(X, self.W1, self.b1, self.W2, self.b2)
        E = np.exp(S - S.max(axis=1, keepdims=True))
        self.P = E / E.sum(axis=1, keepdims=True)
        weights = [self.W1, self.W2]
        size = sum(np.abs(w).sum() for w in weights)
        return -np.sum(Y * np.log(self.P)) / len(X) + self.sparse * size
    def grads(self, X, Y):
        self.cost(X, Y)
        dS = (self.P - Y) / len(X)
        dH = dS @ self.W2.T * (self.H > 0)
        return {"W1": X.T @ dH + self.sparse * np.sign(self.W1), "b1": dH.sum(0),
                "W2": self.H.T @ dS + self.sparse * np.sign(self.W2), "b2": dS.sum(0)}
"""
)
WEIGHTED = (
    NETWORK
    + """
def loss_and_grads(X, y, W1, b1, W2, b2):
    H, S = scores(X, W1, b1, W2, b2)
    E = np.exp(S - S.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    weight = 1.0 + (y % 2) * np.abs(X[:, 0])
    loss = -np.sum(weight * np.log(P[rows, y])) / len(y)
    dS = P.copy()
    dS[rows, y] -= 1
    dS *= weight[:, None] / len(y)
    dH = dS @ W2.T * (H > 0)
    return loss, X.T @ dH, dH.sum(0), H.T @ dS, dS.sum(0)
"""
)


def checked(folder: Path, text: str, **declared: Any) -> Result:
    path = folder / "mine.py"
    path.write_text(text)
    return starter_result(check_starter(path, timeout=20.0, declared=declared))


def in_one_line(found: Result) -> str:
    return " ".join(str(found).split())


@pytest.mark.parametrize(
    ("text", "words"),
    [(HINGE, "your loss is hinge, batch_mean"), (ELASTIC, "your loss has an l1 term of 0.003")],
)
def test_a_gradient_of_the_files_own_loss_agrees_and_the_loss_is_told(
    text: str, words: str, tmp_path: Path
) -> None:
    found = checked(tmp_path, text)
    assert found.verdict is Verdict.AGREES, found.sentence
    assert words in in_one_line(found)


@pytest.mark.parametrize(
    ("text", "line", "wrong"),
    [
        (HINGE, "dS[rows, y] = -dS.sum(axis=1)", "dS[rows, y] = -1"),
        (HINGE, "+ 2 * reg * W1", "+ reg * W1"),
        (ELASTIC, "np.sign(self.W1)", "np.abs(self.W1)"),
        (WEIGHTED, "dS *= weight[:, None] / len(y)", "dS *= 1.0 / len(y)"),
    ],
)
def test_a_gradient_that_is_not_that_of_the_files_own_loss_never_agrees(
    text: str, line: str, wrong: str, tmp_path: Path
) -> None:
    assert text.count(line) == 1
    assert checked(tmp_path, text.replace(line, wrong)).verdict is Verdict.DISAGREES


def test_a_loss_that_cannot_be_declared_accuses_nobody(tmp_path: Path) -> None:
    found = checked(tmp_path, WEIGHTED)
    assert found.verdict is Verdict.UNDECIDABLE
    assert "your gradient is the gradient of your loss" in in_one_line(found)


def test_a_declared_loss_is_what_another_is_held_against(tmp_path: Path) -> None:
    assert checked(tmp_path, WEIGHTED, loss="cross_entropy").verdict is Verdict.DISAGREES

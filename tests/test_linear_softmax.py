"""A softmax classifier without hidden layer is checked as a network of one layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked, of_wrong_twin
from tests.test_cut import changed

pytestmark = pytest.mark.slow

NAIVE = """import numpy as np
def softmax_loss_naive(W, X, y, reg):
    loss = 0.0
    dW = np.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i].dot(W)
        scores -= np.max(scores)
        total = np.sum(np.exp(scores))
        loss += -scores[y[i]] + np.log(total)
        for j in range(W.shape[1]):
            dW[:, j] += (np.exp(scores[j]) / total - (j == y[i])) * X[i]
    loss = loss / X.shape[0] + reg * np.sum(W * W)
    dW = dW / X.shape[0] + 2 * reg * W
    return loss, dW
"""
ROWS = """import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def loss_and_grad(X, Y, W, b, lam=0.1):
    p = softmax(X @ W + b)
    loss = -np.sum(Y * np.log(p)) / len(X) + lam / 2 * np.sum(W ** 2)
    dW = X.T @ (p - Y) / len(X) + lam * W
    db = (p - Y).mean(axis=0)
    return loss, dW, db
"""
COLUMNS = """import numpy as np
def softmax_grad(W, X, y):
    s = W.dot(X)
    p = np.exp(s - s.max(axis=0)) / np.exp(s - s.max(axis=0)).sum(axis=0)
    p[y, range(len(y))] -= 1
    return p.dot(X.T) / len(y)
"""
SCORES = """import numpy as np
def softmax_loss(x, y):
    shifted = x - np.max(x, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    loss = -np.mean(log_p[np.arange(len(x)), y])
    dx = np.exp(log_p)
    dx[np.arange(len(x)), y] -= 1
    dx /= len(x)
    return loss, dx
"""
WRONG = [
    (SCORES, "    dx /= len(x)\n", "", "gradient-summed"),
    (NAIVE, "2 * reg * W", "reg * W", "penalty-halved-in-gradient"),
    (ROWS, "(p - Y).mean(", "(p - Y).sum(", "bias-gradient-summed"),
    (COLUMNS, "    p[y, range(len(y))] -= 1\n", "", "prediction-without-target"),
]


@pytest.mark.parametrize(("text", "old", "new", "mistake"), WRONG)
def test_a_softmax_of_one_layer_agrees_and_its_wrong_twin_is_named(
    text: str, old: str, new: str, mistake: str, tmp_path: Path
) -> None:
    wrong = of_wrong_twin(tmp_path, text, old, new)
    assert [one.mistake for one in wrong.diagnosis] == [mistake]


def test_a_hinge_is_not_taken_for_a_softmax(tmp_path: Path) -> None:
    hinge = changed(
        COLUMNS, ("np.exp(s - s.max(axis=0)) / np.exp(s - s.max(axis=0)).sum(axis=0)",
                  "1.0 * (s - s[y, range(len(y))] + np.exp(0) > 0)"),
    )  # fmt: skip
    assert checked(tmp_path, hinge).verdict is Verdict.UNDECIDABLE

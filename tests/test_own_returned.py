"""What a method returns under the name of a loss is one, whatever the method is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.own.groups import is_loss
from compare.examine.starter.starter import check_starter

WEIGHTED = """\
import numpy as np

class Net:
    def __init__(self, sizes, lr=0.05):
        self.W = [np.random.randn(i, o) / np.sqrt(i) for i, o in zip(sizes[:-1], sizes[1:])]
        self.B = [np.zeros((1, o)) for o in sizes[1:]]
        self.lr = lr

    def train_on_batch(self, X, Y):
        h = np.tanh(X @ self.W[0] + self.B[0])
        z = h @ self.W[1] + self.B[1]
        g = np.maximum(z, 0)
        err = g @ self.W[2] + self.B[2] - Y
        n = len(X)
        loss = np.sum(err ** 2) / (2 * n)
        delta = err / n
        gW, gB = [g.T @ delta], [delta.sum(axis=0, keepdims=True)]
        delta = delta @ self.W[2].T * (z > 0)
        gW.append(h.T @ delta)
        gB.append(delta.sum(axis=0, keepdims=True))
        delta = delta @ self.W[1].T * (1 - h ** 2)
        gW.append(X.T @ delta)
        gB.append(delta.sum(axis=0, keepdims=True))
        for W, B, dW, dB in zip(self.W, self.B, gW[::-1], gB[::-1]):
            W -= self.lr * dW
            B -= self.lr * dB
        return loss

    def fit(self, X, Y, epochs=100, batch_size=32):
        for e in range(epochs):
            order = np.random.permutation(len(X))
            total = 0.0
            for i in range(0, len(X), batch_size):
                j = order[i:i + batch_size]
                total += self.train_on_batch(X[j], Y[j]) * len(j)

np.random.seed(0)
X = np.random.rand(400, 2) * 2 - 1
Y = np.sin(3 * X[:, :1]) * X[:, 1:]
Net([2, 30, 15, 1], lr=0.1).fit(X, Y)
"""


def test_the_name_under_which_it_is_returned_tells_a_loss() -> None:
    assert is_loss("Net.train_on_batch()#0 loss") and is_loss("cost()#1")
    assert not is_loss("Net.train_on_batch()#0") and not is_loss("Net.train_on_batch()#0 grads")


@pytest.mark.slow
def test_a_loss_that_is_weighted_by_rows_where_it_is_added_up_is_seen_as_it_is_returned(
    tmp_path: Path,
) -> None:
    (tmp_path / "net.py").write_text(WEIGHTED)
    verdicts = {one.verdict for one in check_starter(tmp_path / "net.py").functions}
    assert verdicts == {Verdict.AGREES}


@pytest.mark.slow
def test_a_wrong_derivative_of_it_does_not_agree(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(WEIGHTED.replace("(1 - h ** 2)", "(1 - h)"))
    verdicts = {one.verdict for one in check_starter(tmp_path / "net.py").functions}
    assert Verdict.AGREES not in verdicts

"""A class whose methods raise is not compared, and the line that raised is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

NET = """
import numpy as np

class Net:
    def __init__(self, d, h, k):
        self.W1, self.b1 = np.random.randn(d, h), np.zeros(h)
        self.W2, self.b2 = np.random.randn(h, k), np.zeros(k)

    def forward(self, X):
        self.X = X
        self.a = np.maximum(0, X @ self.W1 + self.b1)
        o = self.a @ self.W2 + self.b2
        e = np.exp(o - o.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p

    def loss(self, X, T):
        return -np.mean(np.sum(T * np.log(self.forward(X)), axis=1))

    def backward(self, T):
        d = (self.p - T) / len(T)
        self.dW2, self.db2 = self.a.T @ d, d.sum(axis=0)
        g = d @ self.W2.T
        g = g * (self.a > 0)
        self.dW1, self.db1 = self.X.T @ g, g.sum(axis=0)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("g = d @ self.W2.T", "g = d @ self.W2", 23),
        ("self.a.T @ d, d.sum", "self.X.T @ d + 0 * self.W2, d.sum", 22),
    ],
)
def test_the_line_that_raises_furthest_down_is_said(
    tmp_path: Path, right: str, wrong: str, line: int
) -> None:
    assert checked(tmp_path, NET).verdict is Verdict.AGREES
    found = checked(tmp_path, NET.replace(right, wrong))
    assert found.verdict is Verdict.UNDECIDABLE
    (said,) = found.not_compared
    assert f"line {line} (" in said and "raised ValueError" in said

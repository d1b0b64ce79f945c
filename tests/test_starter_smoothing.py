"""Smoothed targets: of a loss that shows them the gradient agrees, and the option declares them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.test_starter_own_loss import checked, in_one_line

pytestmark = pytest.mark.slow

FORWARD = """import numpy as np
EPS = 0.1
def forward(X, W1, b1, W2, b2):
    H = np.maximum(X @ W1 + b1, 0)
    S = H @ W2 + b2
    E = np.exp(S - S.max(axis=1, keepdims=True))
    return H, E / E.sum(axis=1, keepdims=True)
def smooth(Y):
    return Y * (1 - EPS) + EPS / Y.shape[1]
def backward(X, Y, H, P, W2):
    D = (P - smooth(Y)) / len(X)
    DH = D @ W2.T * (H > 0)
    return X.T @ DH, DH.sum(0), H.T @ D, D.sum(0)
"""
SHOWN = FORWARD + "def loss(P, Y):\n    return -np.sum(smooth(Y) * np.log(P)) / len(Y)\n"
NETWORK = """import numpy as np
class Net:
    def __init__(self, d, h, k, eps=0.1):
        self.W1, self.b1 = np.random.randn(d, h) * 0.1, np.zeros(h)
        self.W2, self.b2 = np.random.randn(h, k) * 0.1, np.zeros(k)
        self.eps = eps
    def forward(self, x):
        self.x, self.h = x, np.maximum(x @ self.W1 + self.b1, 0)
        s = self.h @ self.W2 + self.b2
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p
    def smoothed(self, y):
        return y * (1 - self.eps) + self.eps / self.p.shape[1]
    def loss(self, y):
        return -np.mean(np.sum(self.smoothed(y) * np.log(self.p), axis=1))
    def backward(self, y):
        d = (self.p - self.smoothed(y)) / len(y)
        dh = d @ self.W2.T * (self.h > 0)
        return {"W1": self.x.T @ dh, "b1": dh.sum(0), "W2": self.h.T @ d, "b2": d.sum(0)}
"""
LINEAR = """import numpy as np
def loss_and_grad(X, Y, W, b):
    e = np.exp(X @ W + b)
    p = e / e.sum(axis=1, keepdims=True)
    return -np.sum(Y * np.log(p)) / len(X), X.T @ (p - Y) / len(X), (p - Y).mean(axis=0)
"""


@pytest.mark.parametrize("text", [SHOWN, NETWORK])
def test_a_gradient_of_smoothed_targets_agrees_where_the_loss_shows_them(
    tmp_path: Path, text: str
) -> None:
    found = checked(tmp_path, text)
    assert found.verdict is Verdict.AGREES, found.sentence
    assert "your loss smooths its targets by 0.1" in in_one_line(found)


@pytest.mark.parametrize(
    ("text", "right", "wrong", "mistake"),
    [
        (SHOWN, "D = (P - smooth(Y))", "D = (P - Y)", "smoothing-in-loss-only"),
        (NETWORK, "(self.p - self.smoothed(y))", "(self.p - y)", "smoothing-in-loss-only"),
        (SHOWN, "np.sum(smooth(Y) *", "np.sum(Y *", "smoothing-in-gradient-only"),
        (SHOWN, "smooth(Y)) / len(X)", "smooth(Y))", "gradient-summed"),
    ],
)
def test_a_gradient_that_is_not_that_of_its_smoothed_loss_is_named(
    tmp_path: Path, text: str, right: str, wrong: str, mistake: str
) -> None:
    assert text.count(right) == 1
    found = checked(tmp_path, text.replace(right, wrong))
    assert found.verdict is Verdict.DISAGREES
    assert mistake in " ".join(one.mistake for one in found.diagnosis)


@pytest.mark.parametrize("text", [FORWARD, SHOWN, NETWORK])
def test_a_declared_smoothing_is_what_gradients_are_held_against(tmp_path: Path, text: str) -> None:
    found = checked(tmp_path, text, label_smoothing=0.1)
    assert found.verdict is Verdict.AGREES, found.sentence
    assert checked(tmp_path, text, label_smoothing=0.2).verdict is Verdict.DISAGREES


def test_what_is_compared_without_a_declared_smoothing_is_not_green(tmp_path: Path) -> None:
    assert checked(tmp_path, LINEAR).verdict is Verdict.AGREES
    assert checked(tmp_path, LINEAR, label_smoothing=0.1).verdict is Verdict.UNDECIDABLE

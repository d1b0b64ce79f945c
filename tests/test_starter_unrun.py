"""What was not executed for the comparison, or without effect on it, is not excused by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

pytestmark = pytest.mark.slow

FILE = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def forward(X, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    return Z1, A1, softmax(A1 @ W2 + b2)
def loss(P, Y):
    return -np.mean(np.sum(Y * np.log(P), axis=1))
def relu_derivative(z):
    return np.where(z > 0, 1.0, 0.0)
def backward(X, Y, Z1, A1, P, W2, by_function=False):
    dZ2 = (P - Y) / len(X)
    mask = relu_derivative(Z1) if by_function else Z1 > 0
    dZ1 = dZ2 @ W2.T * mask
    return X.T @ dZ1, dZ1.sum(0), A1.T @ dZ2, dZ2.sum(0)
"""
SLOW = """
def backward_slow(X, Y, Z1, A1, P, W2):
    dZ2 = (P - Y) / len(X)
    dZ1 = dZ2 @ W2.T * (Z1 > 0)
    return X.T @ dZ1, dZ1.sum(0), A1.T @ dZ2, dZ2.sum(0)
def backward(X, Y, Z1, A1, P, W2, slow=False):
    if slow:
        return backward_slow(X, Y, Z1, A1, P, W2)
"""
CLASS = """
import numpy as np
def softmax(z):
    raise NotImplementedError
class Net:
    def __init__(self, n_in, n_hidden, n_out):
        self.W1, self.b1 = np.random.randn(n_in, n_hidden), np.zeros(n_hidden)
        self.W2, self.b2 = np.random.randn(n_hidden, n_out), np.zeros(n_out)
    def forward(self, X, own=False):
        self.X, self.h = X, np.maximum(X @ self.W1 + self.b1, 0)
        s = self.h @ self.W2 + self.b2
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.p = softmax(s) if own else e / e.sum(axis=1, keepdims=True)
        return self.p
    def backward(self, y):
        d = (self.p - y) / len(y)
        self.dW2, self.db2 = self.h.T @ d, d.sum(axis=0)
        dh = (d @ self.W2.T) * (self.h > 0)
        self.dW1, self.db1 = self.X.T @ dh, dh.sum(axis=0)
"""


def changed(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


BESIDE = "\ndef average_ce(target, prediction):\n    return {}np.mean(np.sum(target * np.log(" \
    "prediction), axis=1))\n"  # fmt: skip
ANOTHER = ("def backward(X, Y, Z1, A1, P, W2, by_function=False):\n", SLOW)
PAIRS = {
    "a loss beside the one that is used": (FILE + BESIDE.format("-"), FILE + BESIDE.format("")),
    "a derivative in a branch": (FILE, changed(FILE, ("1.0, 0.0", "1.0, -1.0"))),
    "a gradient in a branch": (
        changed(FILE, ANOTHER, ("relu_derivative(Z1) if by_function else ", "")),
        changed(FILE, ANOTHER, ("relu_derivative(Z1) if by_function else ", ""),
                ("W2.T * (Z1 > 0)", "W2.T")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("twins", PAIRS.values(), ids=PAIRS)
def test_what_did_not_take_part_is_judged_alone(twins: tuple[str, str], tmp_path: Path) -> None:
    right, wrong = (checked(tmp_path, text) for text in twins)
    assert right.verdict is Verdict.AGREES, right.sentence
    assert wrong.verdict is Verdict.DISAGREES, wrong.sentence


def test_a_helper_that_did_not_run_is_said_to_be_unseen(tmp_path: Path) -> None:
    text = FILE.replace("relu_derivative", "slope_of_mine")
    (unseen,) = [one for one in checked(tmp_path, text).notes if one.startswith("not looked at")]
    assert "slope_of_mine" in unseen and "softmax" not in unseen


def test_what_a_class_only_names_is_not_right_as_the_class_uses_it(tmp_path: Path) -> None:
    assert checked(tmp_path, CLASS).verdict is Verdict.UNDECIDABLE


UNREAD = """
import numpy as np
def relu_backward(dout, z):
    return dout * (z > 0)
def softmax_loss(x, y, state):
    probs = np.exp(x - x.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    probs *= state["scale"]
    dx = probs.copy()
    dx[np.arange(len(x)), y] -= 1
    return -np.log(probs[np.arange(len(x)), y]).mean(), dx
"""
TUPLE = """
import numpy as np
def sigmoid_derivative(z):
    s = 1 / (1 + np.exp(-z))
    return s * (1 - s)
def learn(X, T, W, V):
    H = np.tanh(X @ W)
    E = H @ V - T
    return X.T @ (E @ V.T), H.T @ E
"""
LOGISTIC = """
import numpy as np
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def propagate(w, X, Y):
    A = sigmoid(w.T @ X)
    return {"dw": X @ (A + Y).T / X.shape[1]}, -np.mean(Y * np.log(A))
def optimize(w, X, Y, steps, learning_rate):
    for i in range(steps):
        grads, cost = propagate(w, X, Y)
        w = w - learning_rate * grads["dw"]
    return w
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [(UNREAD, "softmax_loss"), (LOGISTIC, "propagate"), (TUPLE, "learn")],
    ids=["helper", "update", "products"],
)
def test_a_gradient_that_no_call_was_found_for_is_not_hidden_by_what_agrees(
    tmp_path: Path, text: str, name: str
) -> None:
    found = checked(tmp_path, text)
    assert found.verdict is Verdict.UNDECIDABLE
    assert name in found.sentence


def test_a_training_that_keeps_what_a_gradient_returns_computes_none(tmp_path: Path) -> None:
    """Nor does what checks gradients by differences: neither is a gradient to be compared."""
    training = """
def model(X, Y, W1, b1, W2, b2):
    P = forward(X, W1, b1, W2, b2)
    grads = backward(X, Y, *P, W2)
    return grads
def load(name):
    ds = np.load(name)
    return ds["x"]
def approximate(f, w):
    dw = f(w + 1e-6) - f(w - 1e-6)
    return dw / 2e-6
"""
    assert checked(tmp_path, FILE + training).verdict is Verdict.AGREES


JACOBIAN = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def cross_entropy_grad(p, y):
    return -(y / p) / len(y)
def softmax_grad(p, dp):
    return p * (dp - (p * dp).sum(axis=1, keepdims=True))
def backward(x, y, w1, b1, w2, b2):
    h1 = np.tanh(x @ w1 + b1)
    p = softmax(h1 @ w2 + b2)
    dz2 = softmax_grad(p, cross_entropy_grad(p, y))
    dz1 = dz2 @ w2.T * (1 - h1**2)
    return x.T @ dz1, dz1.sum(0), h1.T @ dz2, dz2.sum(0)
"""


def test_a_slope_at_the_probabilities_is_right_as_the_jacobian_takes_it(tmp_path: Path) -> None:
    assert checked(tmp_path, JACOBIAN).verdict is Verdict.AGREES
    factors = JACOBIAN[: JACOBIAN.index("def backward")]
    assert checked(tmp_path, factors).verdict is Verdict.AGREES
    alone = JACOBIAN[: JACOBIAN.index("def softmax_grad")]
    assert checked(tmp_path, alone).verdict is Verdict.DISAGREES

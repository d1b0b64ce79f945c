"""Other hidden units and another loss than the declared ones count only where a file shows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.inline import loss_given
from compare.examine.starter.source import open_source
from compare.guard.guard import Guard
from tests.hand_ins import checked

pytestmark = pytest.mark.slow

GRADIENT = """
import numpy as np
alpha = 0.01
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def gradients(X, Y, Z1, A1, P, W2):
    dZ2 = (P - Y) / len(X)
    dZ1 = dZ2 @ W2.T * SLOPE
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0)
"""
LOOP = """
def train(X, Y, W1, b1, W2, b2):
    for i in range(100):
        Z1 = X @ W1 + b1
        A1 = UNITS
        P = softmax(A1 @ W2 + b2)
        dW1, db1, dW2, db2 = gradients(X, Y, Z1, A1, P, W2)
        W1 -= alpha * dW1; b1 -= alpha * db1; W2 -= alpha * dW2; b2 -= alpha * db2
    return W1, b1, W2, b2
"""
SLOPES = {
    "leaky": ("np.where(Z1 > 0, 1, 0.01)", "np.where(Z1 > 0, Z1, 0.01 * Z1)"),
    "sigmoid": ("A1 * (1 - A1)", "sigmoid(Z1)"),
}


@pytest.mark.parametrize("units", SLOPES)
def test_hidden_units_are_those_of_the_forward_pass(units: str, tmp_path: Path) -> None:
    slope, own = SLOPES[units]
    gradient = GRADIENT.replace("SLOPE", slope)
    right = checked(tmp_path, gradient + LOOP.replace("UNITS", own))
    assert right.verdict is Verdict.AGREES, right.sentence
    text = gradient + LOOP.replace("UNITS", "np.maximum(Z1, 0)")
    assert checked(tmp_path, text).verdict is Verdict.DISAGREES
    alone = checked(tmp_path, gradient)
    assert alone.verdict is Verdict.UNDECIDABLE
    assert "declare them with --activation" in " ".join(alone.not_compared)


COST = """
import numpy as np
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def forward(X, W1, b1, W2, b2):
    A1 = np.maximum(0, X @ W1 + b1)
    return A1, sigmoid(A1 @ W2 + b2)
def backward(X, Y, A1, A2, W2):
    d = (A2 - Y) * 2 * A2 * (1 - A2) / Y.size
    dh = (d @ W2.T) * (A1 > 0)
    return X.T @ dh, dh.sum(axis=0), A1.T @ d, d.sum(axis=0)
def train(X, Y, W1, b1, W2, b2):
    for i in range(100):
        A1, A2 = forward(X, W1, b1, W2, b2)
        cost = np.mean((A2 - Y) ** 2)
        dW1, db1, dW2, db2 = backward(X, Y, A1, A2, W2)
"""
BCE = ("(A2 - Y) * 2 * A2 * (1 - A2) / Y.size", "(A2 - Y) / len(X)")
ENTROPY = (
    "np.mean((A2 - Y) ** 2)",
    "-np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / len(X)",
)


def test_a_cost_in_a_line_tells_the_loss_and_gradients_alone_do_not(tmp_path: Path) -> None:
    right = COST, COST.replace(*BCE).replace(*ENTROPY)
    assert [checked(tmp_path, text).verdict for text in right] == [Verdict.AGREES] * 2
    missing = COST.replace(*BCE)  # the derivative of the sigmoid
    found = checked(tmp_path, missing)
    assert found.verdict is Verdict.UNDECIDABLE
    assert "declare it, --loss bce" in " ".join(found.not_compared)
    declared = {"loss": "bce", "reduction": "batch_mean"}
    assert checked(tmp_path, missing, **declared).verdict is Verdict.AGREES


BESIDE = """
import numpy as np
class Quadratic:
    def fn(self, a, y):
        return 0.5 * np.sum((a - y) ** 2)
    def delta(self, a, y):
        return (a - y) * a * (1 - a)
class Network:
    def __init__(self, sizes):
        self.cost = Quadratic()
        self.biases = [np.random.randn(y, 1) for y in sizes[1:]]
        self.weights = [np.random.randn(y, x) for x, y in zip(sizes[:-1], sizes[1:])]
    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights):
            a = 1 / (1 + np.exp(-(w @ a + b)))
        return a
    def backprop(self, x, y):
        h = 1 / (1 + np.exp(-(self.weights[0] @ x + self.biases[0])))
        d = self.cost.delta(self.feedforward(x), y)
        back = self.weights[1].T @ d * h * (1 - h)
        return [back, d], [back @ x.T, d @ h.T]
"""
FUNCTION = BESIDE.replace("self.cost = Quadratic()", "pass").replace("self.cost.delta", "delta")
for method, function in (
    ("class Quadratic:\n", ""), ("    def fn(self, a", "def quadratic_cost(a"),
    ("        return 0.5", "    return 0.5"), ("    def delta(self, a", "def delta(a"),
    ("        return (a -", "    return (a -"),
):  # fmt: skip
    FUNCTION = FUNCTION.replace(method, function)


@pytest.mark.parametrize("text", [BESIDE, FUNCTION], ids=["an object", "a function"])
def test_a_loss_beside_a_class_tells_what_its_gradients_are_of(text: str, tmp_path: Path) -> None:
    right = checked(tmp_path, text)
    assert right.verdict is Verdict.AGREES, right.sentence
    wrong = checked(tmp_path, text.replace("(a - y) * a * (1 - a)", "a - y"))
    assert "gradient-of-cross-entropy" in [one.mistake for one in wrong.diagnosis]


SLOPE = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def tanh_derivative(z):
    return 1 - np.tanh(z) ** 2
w1, b1 = np.random.normal(0, 0.1, (64, 30)), np.zeros(30)
for epoch in range(100):
    into = X @ w1 + b1
    h = np.tanh(into)
    d = (softmax(h @ w2 + b2) - t) / len(X)
    dw2, db2 = h.T @ d, d.sum(axis=0)
    d = (d @ w2.T) * tanh_derivative(into)
    dw1, db1 = X.T @ d, d.sum(axis=0)
    w1, b1, w2, b2 = w1 - 0.1 * dw1, b1 - 0.1 * db1, w2 - 0.1 * dw2, b2 - 0.1 * db2
"""


def test_the_derivative_of_an_activation_is_right_in_itself_and_judged_where_it_is_used(
    tmp_path: Path,
) -> None:
    right = checked(tmp_path, SLOPE)
    assert right.verdict is Verdict.AGREES, right.sentence
    assert "as a function of its input" in " ".join(one.sentence for one in right.checks)
    wrong = checked(tmp_path, SLOPE.replace("tanh_derivative(into)", "tanh_derivative(h)"))
    assert [one.mistake for one in wrong.diagnosis] == ["derivative-at-the-value"]
    other = checked(tmp_path, SLOPE.replace("1 - np.tanh(z) ** 2", "1 - np.tanh(z)"))
    assert other.verdict is Verdict.DISAGREES


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("def mse_loss(guess, truth):\n    return np.mean((guess - truth) ** 2)\n", True),
        ("def cost(truth, guess):\n    return ((truth - guess) ** 2).mean()\n", True),
        ("def mse_loss(guess, truth):\n    return np.sum((guess - truth) ** 2)\n", False),
        ("def mse_loss(guess, truth):\n    return np.mean((guess - truth) ** 2) / 2\n", False),
        ("def distance(guess, truth):\n    return np.mean((guess - truth) ** 2)\n", False),
    ],
)
def test_a_loss_of_prediction_and_target_alone_shows_the_loss_of_a_file(
    text: str, shown: bool, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"import numpy as np\n{text}", "utf-8")
    source = open_source(path)
    opened = source.load(list(source.definitions))
    p, targets = np.arange(6.0).reshape(3, 2), np.ones((3, 2))
    due = float(np.mean((p - targets) ** 2))
    assert loss_given(source, opened, p, targets, due, Guard(timeout=20.0)) == shown

"""Code that takes one sample at a time: its helpers are made for one vector, and right for it.

A softmax of one vector is no softmax of a batch, the loss of one sample no sum over a batch, and
weights that move after every sample leave no gradient of a batch. None of them is accused; of the
wrong twins the mistake is named.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Result, Verdict
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

pytestmark = pytest.mark.slow

NIELSEN = """
import numpy as np
def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))
def softmax(z):
    return np.exp(z) / np.sum(np.exp(z))
class Network(object):
    def __init__(self, sizes):
        self.biases = [np.random.randn(y, 1) for y in sizes[1:]]
        self.weights = [np.random.randn(y, x) for x, y in zip(sizes[:-1], sizes[1:])]
    def update_mini_batch(self, mini_batch, eta):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        for x, y in mini_batch:
            db, dw = self.backprop(x, y)
            nabla_b = [a + b for a, b in zip(nabla_b, db)]
            nabla_w = [a + b for a, b in zip(nabla_w, dw)]
        self.weights = [w - eta / len(mini_batch) * g for w, g in zip(self.weights, nabla_w)]
        self.biases = [b - eta / len(mini_batch) * g for b, g in zip(self.biases, nabla_b)]
    def backprop(self, x, y):
        z = self.weights[0] @ x + self.biases[0]
        h = sigmoid(z)
        p = softmax(self.weights[1] @ h + self.biases[1])
        delta = p - y
        back = self.weights[1].T @ delta * sigmoid(z) * (1 - sigmoid(z))
        return [back, delta], [back @ x.T, delta @ h.T]
"""
OWN_LOSS = """
import numpy as np
def softmax(z):
    e = np.exp(z - np.max(z))
    return e / e.sum()
def cross_entropy(p, y):
    return -np.sum(y * np.log(p))
class MLP:
    def __init__(self, n_in, n_hidden, n_out):
        self.W1, self.b1 = np.random.randn(n_hidden, n_in), np.zeros((n_hidden, 1))
        self.W2, self.b2 = np.random.randn(n_out, n_hidden), np.zeros((n_out, 1))
    def forward(self, x):
        z = self.W1 @ x + self.b1
        h = np.maximum(0, z)
        return z, h, softmax(self.W2 @ h + self.b2)
    def backprop(self, x, y):
        z, h, p = self.forward(x)
        delta = p - y
        back = self.W2.T @ delta * (z > 0)
        return back @ x.T, back, delta @ h.T, delta
    def loss(self, data):
        return sum(cross_entropy(self.forward(x)[2], y) for x, y in data) / len(data)
"""
LOOP_INSIDE = """
import numpy as np
def softmax(z):
    return np.exp(z) / sum(np.exp(z))
class Net:
    def __init__(self, d, h, k):
        self.W1, self.b1 = np.random.randn(h, d), np.zeros(h)
        self.W2, self.b2 = np.random.randn(k, h), np.zeros(k)
    def backward(self, X, Y):
        grads = [np.zeros_like(w) for w in (self.W1, self.b1, self.W2, self.b2)]
        for x, y in zip(X, Y):
            z = self.W1 @ x + self.b1
            h = np.maximum(z, 0)
            delta = softmax(self.W2 @ h + self.b2) - y
            back = self.W2.T @ delta * (z > 0)
            for total, one in zip(grads, (np.outer(back, x), back, np.outer(delta, h), delta)):
                total += one
        return [one / len(X) for one in grads]
"""
ONLINE = """
import numpy as np
def softmax(v):
    return np.exp(v - v.max()) / np.exp(v - v.max()).sum()
class Net:
    def __init__(self, inputs, hidden, outputs):
        self.w1, self.b1 = np.random.randn(inputs, hidden), np.zeros(hidden)
        self.w2, self.b2 = np.random.randn(hidden, outputs), np.zeros(outputs)
    def train(self, X, T, epochs, rate):
        for epoch in range(epochs):
            for x, t in zip(X, T):
                h = np.tanh(x @ self.w1 + self.b1)
                e = softmax(h @ self.w2 + self.b2) - t
                dh = (self.w2 @ e) * (1 - h ** 2)
                self.w2 -= rate * np.outer(h, e)
                self.b2 -= rate * e
                self.w1 -= rate * np.outer(x, dh)
                self.b1 -= rate * dh
"""
RIGHT = {"Nielsen": NIELSEN, "own loss": OWN_LOSS, "loop inside": LOOP_INSIDE, "online": ONLINE}
WRONG = [
    ("Nielsen", "p - y", "y - p", "target-minus-prediction"),
    ("Nielsen", "[w - eta / len(mini_batch) * g", "[w - eta * g", "weight-gradient-summed"),
    ("own loss", " * (z > 0)", "", "mask-missing"),
    ("own loss", "-np.sum(", "-np.mean(", "loss-averaged-over-classes"),
    ("loop inside", "(z > 0)", "(z < 0)", "mask-inverted"),
    ("online", "1 - h ** 2", "1 - h", "square-left-out"),
]


def checked(folder: Path, text: str) -> Result:
    path = folder / "net.py"
    path.write_text(text)
    return starter_result(check_starter(path, timeout=20.0))


@pytest.mark.parametrize("style", RIGHT)
def test_right_code_for_one_sample_at_a_time_agrees(style: str, tmp_path: Path) -> None:
    found = checked(tmp_path, RIGHT[style])
    assert found.verdict is Verdict.AGREES, found.sentence


@pytest.mark.parametrize(("style", "old", "new", "mistake"), WRONG)
def test_the_mistake_of_its_wrong_twin_is_named(
    style: str, old: str, new: str, mistake: str, tmp_path: Path
) -> None:
    assert old in RIGHT[style]
    found = checked(tmp_path, RIGHT[style].replace(old, new))
    assert found.verdict is Verdict.DISAGREES
    assert mistake in " ".join(one.mistake for one in found.diagnosis), found.sentence


def test_a_softmax_of_one_vector_that_is_handed_a_batch_is_accused(tmp_path: Path) -> None:
    text = LOOP_INSIDE.replace("sum(np.exp(z))", "np.exp(z).sum()")
    batch = """
    def backward(self, X, Y):
        z = X @ self.W1.T + self.b1
        h = np.maximum(z, 0)
        d = (softmax(h @ self.W2.T + self.b2) - Y) / len(X)
        back = d @ self.W2 * (z > 0)
        return back.T @ X, back.sum(0), d.T @ h, d.sum(0)
"""
    found = checked(tmp_path, text[: text.index("    def backward")] + batch)
    assert found.verdict is Verdict.DISAGREES
    assert "softmax-over-everything" in [one.mistake for one in found.diagnosis]


def test_of_a_class_that_cannot_be_run_the_helper_is_not_accused(tmp_path: Path) -> None:
    text = OWN_LOSS.replace("return back @ x.T, back, delta @ h.T, delta", "return back, delta")
    found = checked(tmp_path, text)
    assert found.verdict is Verdict.UNDECIDABLE, found.sentence


def test_a_sum_over_a_mini_batch_that_is_overwritten_disagrees(tmp_path: Path) -> None:
    right = "nabla_w = [a + b for a, b in zip(nabla_w, dw)]"
    assert right in NIELSEN
    found = checked(tmp_path, NIELSEN.replace(right, "nabla_w = dw"))
    assert found.verdict is Verdict.DISAGREES
    assert "w1 and w2 get the gradient of one sample alone" in found.sentence


SHUFFLED = (
    "    def SGD(self, training_data, epochs, mini_batch_size, eta, lmbda=0.0):\n"
    "        import random\n"
    "        for j in range(epochs):\n"
    "            random.shuffle(training_data)\n"
    "            for k in range(0, len(training_data), mini_batch_size):\n"
    "                batch = training_data[k:k + mini_batch_size]\n"
    "                self.update_mini_batch(batch, eta, lmbda, len(training_data))\n"
)


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("nabla_w = [a + b for a, b in zip(nabla_w, dw)]", Verdict.AGREES),
        ("nabla_w = dw", Verdict.DISAGREES),
    ],
)
def test_which_sample_is_the_last_of_a_shuffled_batch_decides_nothing(
    line: str, verdict: Verdict, tmp_path: Path
) -> None:
    text = NIELSEN.replace("nabla_w = [a + b for a, b in zip(nabla_w, dw)]", line)
    head = "    def update_mini_batch(self, mini_batch, eta):\n"
    assert head in text
    found = checked(
        tmp_path, text.replace(head, f"{SHUFFLED}{head.replace('eta', 'eta, lmbda, n')}")
    )
    assert found.verdict is verdict, found.sentence


def test_a_mini_batch_that_is_summed_throughout_is_a_matter_of_the_rate(tmp_path: Path) -> None:
    found = checked(tmp_path, NIELSEN.replace("eta / len(mini_batch)", "eta"))
    assert found.verdict is Verdict.AGREES, found.sentence

"""Classes with a forward and a backward pass, as people write them: found, wrapped, judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.starter import check_starter

pytestmark = pytest.mark.slow

SOFTMAX = """
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
"""
ATTRIBUTES = """
class MLP:
    def __init__(self, n_in=64, n_hidden=48, n_out=10, seed=0):
        rng = np.random.default_rng(seed)
        self.w1, self.b1 = rng.normal(size=(n_in, n_hidden)) * 0.1, np.zeros(n_hidden)
        self.w2, self.b2 = rng.normal(size=(n_hidden, n_out)) * 0.1, np.zeros(n_out)

    def forward(self, x):
        self.x, self.z1 = x, x @ self.w1 + self.b1
        self.h1 = np.maximum(self.z1, 0)
        self.p = softmax(self.h1 @ self.w2 + self.b2)
        return self.p

    def loss(self, y):
        return -np.mean(np.sum(y * np.log(self.p), axis=1))

    def backward(self, y):
        d2 = (self.p - y) / len(y)
        d1 = (d2 @ self.w2.T) * (self.z1 > 0)
        self.dw2, self.db2 = self.h1.T @ d2, d2.sum(axis=0)
        self.dw1, self.db1 = self.x.T @ d1, d1.sum(axis=0)
"""
DICTIONARY = """
class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size, std=1e-2):
        self.params = {
            "W1": std * np.random.randn(input_size, hidden_size), "b1": np.zeros(hidden_size),
            "W2": std * np.random.randn(hidden_size, output_size), "b2": np.zeros(output_size),
        }

    def loss(self, X, y=None):
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        hidden = np.maximum(0, X.dot(W1) + b1)
        p = softmax(hidden.dot(W2) + b2)
        rows = np.arange(len(X))
        loss = -np.log(p[rows, y]).mean()
        d = p.copy()
        d[rows, y] -= 1
        d /= len(X)
        dh = d.dot(W2.T)
        dh[hidden <= 0] = 0
        grads = {"W2": hidden.T.dot(d), "b2": d.sum(0), "W1": X.T.dot(dh), "b1": dh.sum(0)}
        return loss, grads
"""
LOOP = """
class Network:
    def __init__(self, sizes, learning_rate=0.1):
        self.lr = learning_rate
        self.W1 = np.random.randn(sizes[0], sizes[1]) * 0.1
        self.b1 = np.zeros((1, sizes[1]))
        self.W2 = np.random.randn(sizes[1], sizes[2]) * 0.1
        self.b2 = np.zeros((1, sizes[2]))

    def forward(self, X):
        self.A1 = np.maximum(0, X @ self.W1 + self.b1)
        self.A2 = softmax(self.A1 @ self.W2 + self.b2)
        return self.A2

    def fit(self, X, Y, epochs=100):
        for _ in range(epochs):
            out = self.forward(X)
            delta = (out - Y) / len(X)
            hidden = (delta @ self.W2.T) * (self.A1 > 0)
            self.W2 -= self.lr * self.A1.T @ delta
            self.b2 -= self.lr * delta.sum(axis=0, keepdims=True)
            self.W1 -= self.lr * X.T @ hidden
            self.b1 -= self.lr * hidden.sum(axis=0, keepdims=True)
"""
LAYERS = """
class Dense:
    def __init__(self, fan_in, fan_out):
        self.W = np.random.randn(fan_in, fan_out) * 0.1
        self.b = np.zeros(fan_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T


class Net:
    def __init__(self, n_inputs, n_hidden, n_outputs):
        self.layers = [Dense(n_inputs, n_hidden), Dense(n_hidden, n_outputs)]

    def forward(self, x):
        self.z = self.layers[0].forward(x)
        return softmax(self.layers[1].forward(np.maximum(self.z, 0)))

    def backward(self, p, y):
        d = self.layers[1].backward((p - y) / len(y))
        self.layers[0].backward(d * (self.z > 0))
"""
COLUMNS = """
class Model:
    def __init__(self, n_x, n_h, n_y):
        self.W1, self.b1 = np.random.randn(n_h, n_x) * 0.1, np.zeros((n_h, 1))
        self.W2, self.b2 = np.random.randn(n_y, n_h) * 0.1, np.zeros((n_y, 1))

    def forward_propagation(self, X):
        self.Z1 = self.W1 @ X + self.b1
        self.A1 = np.maximum(self.Z1, 0)
        e = np.exp(self.W2 @ self.A1 + self.b2)
        self.A2 = e / e.sum(axis=0)
        return self.A2

    def compute_cost(self, A2, Y):
        return -np.sum(Y * np.log(A2)) / Y.shape[1]

    def backward_propagation(self, X, Y):
        m = X.shape[1]
        dZ2 = self.A2 - Y
        dZ1 = (self.W2.T @ dZ2) * (self.Z1 > 0)
        return {
            "dW1": dZ1 @ X.T / m, "db1": dZ1.sum(axis=1, keepdims=True) / m,
            "dW2": dZ2 @ self.A1.T / m, "db2": dZ2.sum(axis=1, keepdims=True) / m,
        }
"""
CLASSES = {
    "attributes": ("MLP", ATTRIBUTES, "d1.sum(axis=0)", "d1.mean(axis=0)"),
    "dictionary": ("TwoLayerNet", DICTIONARY, "dh[hidden <= 0] = 0", "pass"),
    "loop": ("Network", LOOP, " * (self.A1 > 0)", ""),
    "layers": ("Net", LAYERS, "(p - y) / len(y)", "(y - p) / len(y)"),
    "columns": ("Model", COLUMNS, " * (self.Z1 > 0)", ""),
}
MISTAKES = {
    "attributes": "bias-averaged",
    "dictionary": "mask-missing",
    "loop": "mask-missing",
    "layers": "target-minus-prediction",
    "columns": "mask-missing",
}


def verdict(folder: Path, style: str, old: str = "", new: str = "") -> FunctionVerdict:
    """What is said of the class of one style, with some of its text replaced."""
    name, text, *_ = CLASSES[style]
    assert old in text
    path = folder / "net.py"
    path.write_text("import numpy as np\n" + SOFTMAX + text.replace(old, new), encoding="utf-8")
    return next(one for one in check_starter(path, timeout=20.0).functions if one.name == name)


@pytest.mark.parametrize("style", CLASSES)
def test_a_right_class_agrees_and_says_how_it_was_called(tmp_path: Path, style: str) -> None:
    found = verdict(tmp_path, style)
    assert found.verdict is Verdict.AGREES, found.sentence
    assert found.conventions[0].startswith("read as ")


@pytest.mark.parametrize("style", CLASSES)
def test_a_wrong_class_disagrees_and_its_mistake_is_named(tmp_path: Path, style: str) -> None:
    _, _, old, new = CLASSES[style]
    found = verdict(tmp_path, style, old, new)
    assert found.verdict is Verdict.DISAGREES, found.sentence
    assert MISTAKES[style] in found.diagnosis[0].mistake


def test_a_class_that_shows_no_loss_says_that_only_gradients_were_compared(tmp_path: Path) -> None:
    found = verdict(tmp_path, "layers")
    assert "it shows no loss: only its gradients were compared" in found.conventions


def test_a_class_without_weights_is_not_compared_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("class Net:\n    def backward(self, y):\n        return y\n", encoding="utf-8")
    (found,) = check_starter(path, timeout=20.0).functions
    assert found.verdict is Verdict.UNDECIDABLE
    assert "no attribute of Net has the shape of w1, b1, w2, b2" in found.sentence
    assert "run --manual on that file" in found.sentence

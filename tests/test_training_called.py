"""A training is called whatever its data, its class and its names are: by order, by name, whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_training_rehearsed import judged

pytestmark = pytest.mark.slow

ORDER = """import numpy as np
def verlust(p, soll):
    return -np.mean(np.sum(soll * np.log(p), axis=1))
def lerne(muster, soll, knoten=9, schritt=0.25, runden=40):
    v1 = np.random.randn(muster.shape[1], knoten) * 0.4
    s1 = np.zeros(knoten)
    v2 = np.random.randn(knoten, soll.shape[1]) * 0.4
    s2 = np.zeros(soll.shape[1])
    for runde in range(runden):
        innen = np.tanh(muster @ v1 + s1)
        aus = np.exp(innen @ v2 + s2)
        aus = aus / aus.sum(axis=1, keepdims=True)
        d2 = (aus - soll) / len(soll)
        d1 = (d2 @ v2.T) * (1 - innen ** 2)
        v2 = v2 - schritt * (innen.T @ d2)
        s2 = s2 - schritt * d2.sum(axis=0)
        v1 = v1 - schritt * (muster.T @ d1)
        s1 = s1 - schritt * d1.sum(axis=0)
        if runde % 10 == 0:
            print(runde, verlust(aus, soll))
    return v1, s1, v2, s2
"""
FITTED = """import numpy as np
class Perceptrons:
    def __init__(self, units=30, alpha=1e-3, learning_rate=0.2, epochs=5, batch=25, seed=None):
        self.units, self.alpha, self.learning_rate = units, alpha, learning_rate
        self.epochs, self.batch, self.seed = epochs, batch, seed
    def hidden_and_scores(self, X):
        h = np.maximum(0, X @ self.coefs[0] + self.biases[0])
        return h, h @ self.coefs[1] + self.biases[1]
    def cost(self, X, Y):
        s = self.hidden_and_scores(X)[1]
        s = s - s.max(axis=1, keepdims=True)
        logp = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
        return -(Y * logp).sum() / len(X) + self.alpha / 2 * sum((w**2).sum() for w in self.coefs)
    def fit(self, X, y):
        rng = np.random.RandomState(self.seed)
        Y = np.eye(y.max() + 1)[y]
        sizes = [X.shape[1], self.units, Y.shape[1]]
        self.coefs = [rng.randn(a, b) * 0.3 for a, b in zip(sizes, sizes[1:])]
        self.biases = [np.zeros(b) for b in sizes[1:]]
        self.curve = []
        for epoch in range(self.epochs):
            order = rng.permutation(len(X))
            for at in range(0, len(X), self.batch):
                chosen = order[at:at + self.batch]
                h, s = self.hidden_and_scores(X[chosen])
                p = np.exp(s - s.max(axis=1, keepdims=True))
                d = (p / p.sum(axis=1, keepdims=True) - Y[chosen]) / len(chosen)
                e = (d @ self.coefs[1].T) * (h > 0)
                gw = [X[chosen].T @ e + self.alpha * self.coefs[0],
                      h.T @ d + self.alpha * self.coefs[1]]
                gb = [e.sum(axis=0), d.sum(axis=0)]
                for i in range(2):
                    self.coefs[i] -= self.learning_rate * gw[i]
                    self.biases[i] -= self.learning_rate * gb[i]
            self.curve.append(self.cost(X, Y))
        return self
"""
GLOBALS = """import numpy as np
A = a = B = b = None
def begin(wide, classes):
    global A, a, B, b
    A, a = np.random.randn(wide, 12) * 0.2, np.zeros(12)
    B, b = np.random.randn(12, classes) * 0.2, np.zeros(classes)
def ahead(x):
    global hidden, p
    hidden = np.maximum(x @ A + a, 0)
    s = hidden @ B + b
    p = np.exp(s - s.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    return p
def loss(y):
    return -np.mean(np.log(p[np.arange(len(y)), y]))
def back(x, y, lr):
    global A, a, B, b
    d = p.copy()
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    e = (d @ B.T) * (hidden > 0)
    B = B - lr * (hidden.T @ d)
    b = b - lr * d.sum(axis=0)
    A = A - lr * (x.T @ e)
    a = a - lr * e.sum(axis=0)
x = np.load("x.npy")
y = np.load("y.npy")
begin(x.shape[1], y.max() + 1)
for turn in range(50):
    ahead(x)
    print(loss(y))
    back(x, y, 0.3)
"""


@pytest.mark.parametrize("text", [ORDER, FITTED, GLOBALS])
def test_a_right_training_is_found_and_agrees(text: str, tmp_path: Path) -> None:
    result = judged(tmp_path, text)
    assert result.exit_code == 0, result.sentence


WRONG = {
    "one per cent": (ORDER, "(innen.T @ d2)", "(1.01 * innen.T @ d2)", 3),
    "a slope of its input": (ORDER, "(1 - innen ** 2)", "(1 - np.tanh(innen) ** 2)", 1),
    "a sum beside a mean": (ORDER, "/ len(soll)", "", 3),
    "the gradient of another": (ORDER, "schritt * d1.sum(axis=0)", "schritt * d1.mean(axis=0)", 1),
    "other targets": (FITTED, "- Y[chosen])", "- Y[at:at + len(chosen)])", 1),
    "a penalty over the rows": (FITTED, "@ e + self.alpha *", "@ e + self.alpha / len(X) *", None),
    "a penalty twice": (FITTED, "@ e + self.alpha *", "@ e + 2 * self.alpha *", 1),
    "a penalty in no loss": (FITTED, " + self.alpha / 2 * sum((w**2).sum() for w in self.coefs)",
                             "", 3),
    "a mask that is lost": (GLOBALS, " * (hidden > 0)", "", 1),
    "a softmax of the batch": (GLOBALS, "p = p / p.sum(axis=1", "p = p / p.sum(axis=0", None),
    "one per cent of one": (GLOBALS, "lr * (x.T @ e)", "1.01 * lr * (x.T @ e)", None),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_training_is_not_called_right(kind: str, tmp_path: Path) -> None:
    text, old, new, code = WRONG[kind]
    found = judged(tmp_path, text, (old, new))
    assert found.exit_code != 0 and code in (None, found.exit_code), found.sentence

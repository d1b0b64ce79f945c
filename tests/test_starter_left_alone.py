"""What a file shares, keeps or draws rightly is accused of nothing, and what nobody looked at in it
is not green."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import ExitCode
from tests.test_training_rehearsed import judged

pytestmark = pytest.mark.slow

ROWS = """import numpy as np
class Factors:
    def __init__(self, users, items, dim):
        self.u, self.v = np.random.randn(users, dim), np.random.randn(items, dim)
        self.bu, self.bv = np.zeros(users), np.zeros(items)
    def update(self, i, j, r, lr=0.05):
        g = self.u[i] @ self.v[j] + self.bu[i] + self.bv[j] - r
        old = self.u[i].copy()
        self.u[i] -= lr * g * self.v[j]
        self.v[j] -= lr * g * old
        self.bu[i] -= lr * g
        self.bv[j] -= lr * g
"""
LEAKY = """import numpy as np
class Net:
    def __init__(self, sizes, alpha=0.1):
        self.alpha, self.W, self.b = alpha, {}, {}
        for l in range(1, len(sizes)):
            self.W[l] = np.random.randn(sizes[l], sizes[l - 1]) * 0.3
            self.b[l] = np.zeros((sizes[l], 1))
    def leaky(self, Z):
        return np.where(Z > 0, Z, self.alpha * Z)
    def forward(self, X):
        self.X, self.Z = X, self.W[1] @ X + self.b[1]
        self.H = self.leaky(self.Z)
        S = self.W[2] @ self.H + self.b[2]
        E = np.exp(S - S.max(axis=0))
        self.P = E / E.sum(axis=0)
        return self.P
    def cost(self, Y):
        return -np.sum(Y * np.log(self.P)) / Y.shape[1]
    def backward(self, Y):
        m = Y.shape[1]
        D = (self.P - Y) / m
        G = {"dW2": D @ self.H.T, "db2": D.sum(axis=1, keepdims=True)}
        D = self.W[2].T @ D * np.where(self.Z > 0, 1, self.alpha)
        return G | {"dW1": D @ self.X.T, "db1": D.sum(axis=1, keepdims=True)}
    def fit(self, X, Y, lr=0.3):
        for i in range(300):
            self.forward(X)
            G = self.backward(Y)
            for l in (1, 2):
                self.W[l] -= lr * G[f"dW{l}"]
                self.b[l] -= lr * G[f"db{l}"]
"""
LISTS = """import math, random
W, b = [[random.gauss(0, 1) for _ in range(3)] for _ in range(2)], [0.0, 0.0]
def outputs(x):
    s = [sum(w * v for w, v in zip(row, x)) + c for row, c in zip(W, b)]
    e = [math.exp(v - max(s)) for v in s]
    return [v / sum(e) for v in e]
def train_step(batch, lr):
    gW, gb = [[0.0] * 3 for _ in range(2)], [0.0, 0.0]
    for x, label in batch:
        q = outputs(x)
        for k in range(2):
            gb[k] += q[k] - (k == label)
            for i in range(3):
                gW[k][i] += q[k] * x[i]
    for k in range(2):
        b[k] -= lr * gb[k] / len(batch)
        for i in range(3):
            W[k][i] -= lr * gW[k][i] / len(batch)
def make(n):
    return [([random.gauss(0, 1) for _ in range(3)], random.randrange(2)) for _ in range(n)]
def main():
    for epoch in range(20):
        train_step(make(10), 0.1)
"""


def test_rows_of_tables_may_share_the_error_of_their_sample(tmp_path: Path) -> None:
    result = judged(tmp_path, ROWS)
    assert result.exit_code is ExitCode.UNDECIDABLE, result.sentence


def test_an_alpha_that_a_method_of_the_forward_pass_reads_is_no_rate(tmp_path: Path) -> None:
    assert judged(tmp_path, LEAKY).exit_code is ExitCode.AGREES
    wrong = judged(tmp_path, LEAKY, ("* np.where(self.Z > 0, 1, self.alpha)", "* (self.Z > 0)"))
    assert wrong.exit_code is ExitCode.DISAGREES and "nan" not in wrong.sentence


def test_gradients_in_lists_that_nobody_compared_are_not_green(tmp_path: Path) -> None:
    assert judged(tmp_path, LISTS).exit_code is ExitCode.UNDECIDABLE


HEADS = """import numpy as np
class TwoHeads:
    def __init__(self, d, h, k):
        self.W, self.b = np.random.randn(d, h) * 0.3, np.zeros(h)
        self.Wc, self.bc = np.random.randn(h, k) * 0.3, np.zeros(k)
        self.Wr = np.random.randn(h, 1) * 0.3
    def forward(self, x):
        self.x, self.h = x, np.maximum(x @ self.W + self.b, 0)
        s = self.h @ self.Wc + self.bc
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.p, self.r = e / e.sum(axis=1, keepdims=True), self.h @ self.Wr
        return self.p, self.r
    def loss(self, y, t):
        return -np.log(self.p[np.arange(len(y)), y]).mean() + ((self.r - t) ** 2).mean()
    def backward(self, y, t):
        n = len(y)
        d, e = self.p.copy(), 2 * (self.r - t) / n
        d[np.arange(n), y] -= 1
        d /= n
        self.dWc, self.dbc, self.dWr = self.h.T @ d, d.sum(axis=0), self.h.T @ e
        dz = (d @ self.Wc.T + e @ self.Wr.T) * (self.h > 0)
        self.dW, self.db = self.x.T @ dz, dz.sum(axis=0)
    def step(self, lr):
        for name in ["W", "b", "Wc", "bc", "Wr"]:
            p = getattr(self, name)
            p -= lr * getattr(self, "d" + name)
rng = np.random.default_rng(0)
X, y, t = rng.normal(size=(60, 4)), rng.integers(0, 3, 60), rng.normal(size=(60, 1))
net = TwoHeads(4, 8, 3)
for i in range(50):
    net.forward(X)
    loss = net.loss(y, t)
    net.backward(y, t)
    net.step(0.05)
"""


def test_weights_that_a_class_draws_are_no_random_function(tmp_path: Path) -> None:
    assert judged(tmp_path, HEADS).exit_code is ExitCode.AGREES
    wrong = judged(tmp_path, HEADS, (" + e @ self.Wr.T", ""))
    assert wrong.exit_code is ExitCode.DISAGREES
    assert "those of net.W and net.b are not" in wrong.sentence, wrong.sentence

"""Trainings whose steps are made of gradients elsewhere than at their weights, or of their means:
Nesterov's momentum as Sutskever writes it, and Adam that keeps nothing but its means."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

pytestmark = pytest.mark.slow

AHEAD = """import numpy as np
def outputs(theta, X):
    W1, b1, W2, b2 = theta
    a = np.maximum(X @ W1 + b1, 0)
    return a, a @ W2 + b2
def gradient(theta, X, y):
    a, o = outputs(theta, X)
    d = 2 * (o - y) / y.size
    dz = (d @ theta[2].T) * (a > 0)
    return [X.T @ dz, dz.sum(axis=0), a.T @ d, d.sum(axis=0)]
def nesterov(X, y, hidden=9, lr=0.05, mu=0.9, steps=300):
    rng = np.random.default_rng(0)
    theta = [rng.normal(0, 0.5, (X.shape[1], hidden)), np.zeros(hidden),
             rng.normal(0, 0.5, (hidden, 1)), np.zeros(1)]
    vel = [np.zeros_like(t) for t in theta]
    for step in range(steps):
        ahead = [t + mu * v for t, v in zip(theta, vel)]
        g = gradient(ahead, X, y)
        vel = [mu * v - lr * gi for v, gi in zip(vel, g)]
        theta = [t + v for t, v in zip(theta, vel)]
        if step % 50 == 0:
            print(step, np.mean((outputs(theta, X)[1] - y) ** 2))
    return theta
if __name__ == "__main__":
    rng = np.random.default_rng(9)
    X = rng.uniform(-2, 2, (150, 2))
    nesterov(X, X[:, :1] ** 2 - X[:, 1:])
"""
WRONG = {
    "looked back": ("[t + mu * v for", "[t - mu * v for"),
    "looked too far ahead": ("[t + mu * v for", "[t + v for"),
    "without a mask": (" * (a > 0)", ""),
    "another share": ("vel = [mu * v", "vel = [0.8 * v"),
}


def test_nesterovs_momentum_with_gradients_at_the_weights_ahead_agrees(tmp_path: Path) -> None:
    result = checked(tmp_path, AHEAD)
    assert result.verdict is Verdict.AGREES, result.sentence


@pytest.mark.parametrize("kind", WRONG)
def test_a_gradient_at_other_weights_than_those_ahead_is_not_called_right(
    kind: str, tmp_path: Path
) -> None:
    text = AHEAD.replace(*WRONG[kind])
    assert text != AHEAD
    assert checked(tmp_path, text).verdict is not Verdict.AGREES


ADAM = """import numpy as np
class MLP:
    def __init__(self, d, h, k):
        rng = np.random.default_rng(3)
        self.p = {"W1": rng.normal(size=(d, h)) * 0.5, "b1": np.zeros(h),
                  "W2": rng.normal(size=(h, k)) * 0.5, "b2": np.zeros(k)}
        self.m = {key: np.zeros_like(one) for key, one in self.p.items()}
        self.v = {key: np.zeros_like(one) for key, one in self.p.items()}
        self.t = 0
    def forward(self, X):
        self.X, self.A = X, np.maximum(X @ self.p["W1"] + self.p["b1"], 0)
        Z = self.A @ self.p["W2"] + self.p["b2"]
        E = np.exp(Z - Z.max(axis=1, keepdims=True))
        self.P = E / E.sum(axis=1, keepdims=True)
        return self.P
    def backward(self, Y):
        D = (self.P - Y) / len(Y)
        H = (D @ self.p["W2"].T) * (self.A > 0)
        return {"W2": self.A.T @ D, "b2": D.sum(axis=0), "W1": self.X.T @ H, "b1": H.sum(axis=0)}
    def adam(self, g, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
        self.t += 1
        for k in self.p:
            self.m[k] = beta1 * self.m[k] + (1 - beta1) * g[k]
            self.v[k] = beta2 * self.v[k] + (1 - beta2) * g[k] ** 2
            mean, square = self.m[k] / (1 - beta1**self.t), self.v[k] / (1 - beta2**self.t)
            self.p[k] -= lr * mean / (np.sqrt(square) + eps)
def fit(X, Y):
    net = MLP(X.shape[1], 12, Y.shape[1])
    for epoch in range(50):
        net.forward(X)
        net.adam(net.backward(Y))
    return net
"""


def test_adam_that_keeps_its_means_alone_agrees(tmp_path: Path) -> None:
    result = checked(tmp_path, ADAM)
    assert result.verdict is Verdict.AGREES, result.sentence


def test_adam_of_gradients_that_are_computed_once_is_not_called_right(tmp_path: Path) -> None:
    once = "    net.forward(X)\n    g = net.backward(Y)\n    for epoch in range(50):\n"
    loop = ADAM.replace("        net.forward(X)\n", "").replace(
        "net.adam(net.backward(Y))", "net.adam(g)"
    )
    text = loop.replace("    for epoch in range(50):\n", once)
    assert checked(tmp_path, text).verdict is not Verdict.AGREES

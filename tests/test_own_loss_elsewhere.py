"""Trainings that do not show the loss they descend, or the gradient that they descend by.

The loss of other rows is evaluated on theirs, and what an optimiser keeps tells the gradient.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import ExitCode
from tests.test_own_loss_witness import SETUP
from tests.test_training_rehearsed import judged

pytestmark = pytest.mark.slow
NETWORK = (
    SETUP
    + """
def forward(P, X):
    h = np.tanh(X @ P[0] + P[1])
    return h, h @ P[0].T + P[2]
def error(out, X):
    return np.mean((out - X) ** 2)
def slopes(P, X):
    h, out = forward(P, X)
    d = 2 * (out - X) / X.size
    dh = d @ P[0] * (1 - h**2)
    return [X.T @ dh + d.T @ h, dh.sum(0), d.sum(0)]
P = [rng.normal(size=(5, 3)), np.zeros(3), np.zeros(5)]
"""
)
"""An autoencoder whose two layers share a weight: no network that can be declared."""
PLAIN = "    for p, g in zip(P, slopes(P, X)):\n        p -= 0.1 * g\n"
ADAM = (
    "class Adam:\n    def __init__(self, params):\n        self.params, self.t = params, 0\n"
    "        self.m = [np.zeros_like(p) for p in params]\n"
    "        self.v = [np.zeros_like(p) for p in params]\n"
    "    def step(self, grads, lr=0.01):\n        self.t += 1\n"
    "        for i, (p, g) in enumerate(zip(self.params, grads)):\n"
    "            self.m[i] = 0.9 * self.m[i] + 0.1 * g\n"
    "            self.v[i] = 0.99 * self.v[i] + 0.01 * g**2\n"
    "            m, v = self.m[i] / (1 - 0.9**self.t), self.v[i] / (1 - 0.99**self.t)\n"
    "            p -= lr * m / (np.sqrt(v) + 1e-8)\n"
    "adam = Adam(P)\nfor i in range(20):\n    loss = error(forward(P, X)[1], X)\n"
    "    adam.step(slopes(P, X))\n"
)
IN_ONE = ADAM.replace("m, v = self.m[i] / (1 - 0.9**self.t), self.v[i] / (1 - 0.99**self.t)", (
    "m, v = self.m[i], self.v[i]\n"
    "            now = lr * np.sqrt(1 - 0.99**self.t) / (1 - 0.9**self.t)"
)).replace("p -= lr * m", "p -= now * m")  # fmt: skip
DECAYED = ADAM.replace(
    "            m, v", "            p *= 1 - lr * weight_decay\n            m, v"
).replace("lr=0.01", "lr=0.01, weight_decay=0.05")
HELD_OUT = (
    "def fit(X, Xv):\n  best = np.inf\n  for epoch in range(50):\n"
    + PLAIN
    + "    val = error(forward(P, Xv)[1], Xv)\n    best = min(best, val)\nfit(X[:20], X[20:])\n"
)
PICKED = (
    "for epoch in range(5):\n  order = rng.permutation(len(X))\n  for s in range(0, len(X), 10):\n"
    "    rows = order[s:s + 10]\n"
    + PLAIN.replace("slopes(P, X)", "slopes(P, X[rows])")
    + "  print(epoch, error(forward(P, X)[1], X))\n"
)
CLIPPED = (
    "for i in range(20):\n    loss = error(forward(P, X)[1], X)\n    grads = slopes(P, X)\n"
    "    total = np.sqrt(sum((g**2).sum() for g in grads))\n    if total > 0.5:\n"
    "        grads = [g * 0.5 / total for g in grads]\n"
    "    for p, g in zip(P, grads):\n        p -= 0.1 * g\n"
)
SMOOTHED = (
    "def lossFun(X):\n    h, out = forward(P, X)\n    return error(out, X), slopes(P, X)\n"
    "memory, smooth = [np.zeros_like(p) for p in P], 0.0\n"
    "def move(grads):\n    for p, g, m in zip(P, grads, memory):\n        m += g * g\n"
    "        p += -0.1 * g / np.sqrt(m + 1e-8)\n"
    "for n in range(20):\n    loss, grads = lossFun(X)\n"
    "    smooth = smooth * 0.999 + loss * 0.001\n    move(grads)\n    print(n, smooth)\n"
)
TRAININGS = {
    "a loss of rows held out": HELD_OUT,
    "a loss of all rows beside rows picked by their numbers": PICKED,
    "a norm that is held to a bound": CLIPPED,
    "a running mean of losses beside a rule in a function": SMOOTHED,
    "Adam that is handed its gradients": ADAM,
    "Adam with both corrections in its rate": IN_ONE,
    "a decay of the weights beside Adam": DECAYED,
}


@pytest.mark.parametrize("kind", TRAININGS)
def test_a_right_training_agrees(kind: str, tmp_path: Path) -> None:
    result = judged(tmp_path, NETWORK + TRAININGS[kind])
    assert result.exit_code is ExitCode.AGREES, result.not_compared


@pytest.mark.parametrize("kind", TRAININGS)
@pytest.mark.parametrize(
    ("right", "wrong"),
    [("dh.sum(0)", "(d @ P[0]).sum(0)"), ("X.T @ dh + d.T @ h", "X.T @ dh")],
    ids=["no derivative in a bias", "half of a shared weight"],
)
def test_the_same_training_with_a_wrong_gradient_is_not_green(
    kind: str, right: str, wrong: str, tmp_path: Path
) -> None:
    text = NETWORK.replace(right, wrong, 1) + TRAININGS[kind]
    assert judged(tmp_path, text).exit_code is not ExitCode.AGREES


WRONG_RULES = {
    "a bound that is left out of the share": CLIPPED.replace("g * 0.5 / total", "g / total"),
    "a bound by the sum of the norms": CLIPPED.replace(
        "np.sqrt(sum((g**2).sum() for g in grads))", "sum(np.sqrt((g**2).sum()) for g in grads)"
    ),
    "a decay by the rate alone": DECAYED.replace("1 - lr * weight_decay", "1 - lr"),
    "a mean with shares that miss 1": ADAM.replace("0.1 * g\n", "0.2 * g\n"),
    "squares that are none": IN_ONE.replace("0.01 * g**2", "0.01 * abs(g)"),
}


@pytest.mark.parametrize("kind", WRONG_RULES)
def test_a_rule_that_is_not_as_it_should_be_is_not_green(kind: str, tmp_path: Path) -> None:
    assert judged(tmp_path, NETWORK + WRONG_RULES[kind]).exit_code is not ExitCode.AGREES


def test_a_wrong_gradient_is_told_by_the_means_that_are_made_of_it(tmp_path: Path) -> None:
    text = NETWORK.replace("dh.sum(0)", "(d @ P[0]).sum(0)") + ADAM
    result = judged(tmp_path, text)
    assert result.exit_code is ExitCode.DISAGREES
    assert "those of P.1 are not" in result.sentence


LINE = """import math
import numpy as np
x_train = np.array([1.0, 1.7, 2.0, 2.5, 3.0, 3.2])
y_train = np.array([250, 300, 480, 430, 630, 730.0])
def compute_cost(x, y, w, b):
    cost = 0
    for i in range(x.shape[0]):
        cost = cost + (w * x[i] + b - y[i]) ** 2
    return 1 / (2 * x.shape[0]) * cost
def compute_gradient(x, y, w, b):
    m, dj_dw, dj_db = x.shape[0], 0, 0
    for i in range(m):
        dj_dw += (w * x[i] + b - y[i]) * x[i]
        dj_db += w * x[i] + b - y[i]
    return dj_dw / m, dj_db / m
def gradient_descent(x, y, w, b, alpha, num_iters, cost_function, gradient_function):
    history = []
    for i in range(num_iters):
        dj_dw, dj_db = gradient_function(x, y, w, b)
        w = w - alpha * dj_dw
        b = b - alpha * dj_db
        history.append(cost_function(x, y, w, b))
        if i % math.ceil(num_iters / 10) == 0:
            print(i, history[-1])
    return w, b
gradient_descent(x_train, y_train, 0, 0, 1e-2, 1000, compute_cost, compute_gradient)
"""
"""A line through points, of one weight and one bias, as the first week of many courses has it."""


def test_a_line_through_points_agrees(tmp_path: Path) -> None:
    assert judged(tmp_path, LINE).exit_code is ExitCode.AGREES


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dj_db / m", "dj_db", "those of b are not"),
        ("w = w - alpha", "w = w + alpha", "a step up the gradient"),
    ],
)
def test_one_of_two_numbers_that_moves_otherwise_is_wrong_at_a_named_rate(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    result = judged(tmp_path, LINE, (old, new))
    assert result.exit_code is ExitCode.DISAGREES, result.not_compared
    assert said in result.sentence


def test_a_program_draws_its_own_rows_where_its_file_is_missing(tmp_path: Path) -> None:
    loaded = (
        "def load():\n    try:\n        d = np.loadtxt('points.txt', delimiter=',')\n"
        "        return d[:, 0], d[:, 1]\n    except OSError:\n"
        "        return np.linspace(1, 3, 9), np.linspace(2, 4, 9) ** 2\n"
        "x_train, y_train = load()\ngradient_descent("
    )
    assert judged(tmp_path, LINE, ("gradient_descent(x_t", loaded + "x_t")).exit_code is (
        ExitCode.AGREES
    )


NORMALISED = (
    SETUP
    + """
class Norm:
    def __init__(self, n):
        self.gamma, self.beta = np.ones(n), np.zeros(n)
        self.running_mean, self.running_var = np.zeros(n), np.ones(n)
    def forward(self, x, training=True):
        if training:
            mean, var = x.mean(0), x.var(0)
            self.running_mean = 0.9 * self.running_mean + 0.1 * mean
            self.running_var = 0.9 * self.running_var + 0.1 * var
        else:
            mean, var = self.running_mean, self.running_var
        self.std = np.sqrt(var + 1e-5)
        self.xn = (x - mean) / self.std
        return self.gamma * self.xn + self.beta
    def backward(self, d):
        self.dgamma, self.dbeta = (d * self.xn).sum(0), d.sum(0)
        dxn = d * self.gamma
        return (dxn - dxn.mean(0) - self.xn * (dxn * self.xn).mean(0)) / self.std
class Net:
    def __init__(self):
        self.W1, self.W2 = rng.normal(size=(5, 4)), rng.normal(size=(4, 2))
        self.norm = Norm(4)
    def forward(self, x):
        self.x = x
        self.h = np.tanh(self.norm.forward(x @ self.W1))
        self.out = self.h @ self.W2
    def loss(self, y):
        return np.mean((self.out - y) ** 2)
    def backward(self, y):
        d = 2 * (self.out - y) / y.size
        self.dW2 = self.h.T @ d
        self.dW1 = self.x.T @ self.norm.backward(d @ self.W2.T * (1 - self.h**2))
    def step(self):
        self.W1 -= 0.1 * self.dW1
        self.W2 -= 0.1 * self.dW2
        self.norm.gamma -= 0.1 * self.norm.dgamma
        self.norm.beta -= 0.1 * self.norm.dbeta
net = Net()
for epoch in range(10):
    for i in range(0, 30, 10):
        net.forward(X[i:i + 10])
        net.backward(Y[i:i + 10])
        net.step()
    net.forward(X)
    print(epoch, net.loss(Y))
"""
)
"""A loss that reads what a forward pass has left, and running statistics beside the weights."""


def test_a_loss_of_what_a_forward_pass_has_left_is_that_of_its_turn(tmp_path: Path) -> None:
    result = judged(tmp_path, NORMALISED)
    assert result.exit_code is ExitCode.AGREES, result.not_compared


NOT_GREEN = {
    "a mean of the batch for the variance": ("+ 0.1 * var", "+ 0.1 * mean"),
    "shares that miss 1": ("+ 0.1 * mean", "+ 0.2 * mean"),
    "statistics of units, not of rows": ("x.mean(0), x.var(0)", "x.mean(0), x.mean(0)"),
    "a mean that is held constant": ("dxn - dxn.mean(0) - ", "dxn - "),
}


@pytest.mark.parametrize("kind", NOT_GREEN)
def test_running_statistics_and_a_normalisation_that_are_others_are_not_green(
    kind: str, tmp_path: Path
) -> None:
    assert judged(tmp_path, NORMALISED, NOT_GREEN[kind]).exit_code is not ExitCode.AGREES


STEPPED = (
    SETUP
    + """
class Auto:
    def __init__(self):
        self.W, self.c = rng.normal(size=(5, 3)), np.zeros(5)
    def train_step(self, x, lr=0.1):
        h = np.tanh(x @ self.W)
        d = (h @ self.W.T + self.c - x) / len(x)
        loss = 0.5 * np.sum((h @ self.W.T + self.c - x) ** 2) / len(x)
        self.W -= lr * (x.T @ (d @ self.W * (1 - h**2)) + d.T @ h)
        self.c -= lr * d.sum(0)
        return loss
auto = Auto()
for epoch in range(20):
    losses = []
    for k in range(0, 30, 10):
        losses.append(auto.train_step(X[k:k + 10]))
    print(epoch, np.mean(losses))
"""
)
BASED = """import numpy as np
class Linear:
    def train(self, X, y, learning_rate=1e-2, num_iters=100, batch_size=50):
        self.W = 0.1 * np.random.randn(X.shape[1], np.max(y) + 1)
        self.history = []
        for it in range(num_iters):
            rows = np.random.choice(len(X), batch_size)
            loss, grad = self.loss(X[rows], y[rows])
            self.history.append(loss)
            self.W -= learning_rate * grad
class Squares(Linear):
    def loss(self, X_batch, y_batch):
        e = X_batch @ self.W**2 - np.eye(self.W.shape[1])[y_batch]
        return np.sum(e**2) / len(e), 4 * X_batch.T @ e * self.W / len(e)
"""
ASKED = (
    SETUP
    + """
class Counts:
    def fit(self, X, y):
        self.X, self.y, self.w, self.b = X, y, np.zeros(X.shape[1]), 0.0
        for i in range(100):
            self.update()
    def neg_log_lik(self):
        eta = self.X @ self.w + self.b
        return np.mean(np.exp(eta) - self.y * eta)
    def update(self, lr=0.1):
        r = np.exp(self.X @ self.w + self.b) - self.y
        self.w = self.w - lr * self.X.T @ r / len(r)
        self.b = self.b - lr * np.mean(r)
model = Counts()
model.fit(X, rng.poisson(1.0, size=30))
print(model.neg_log_lik())
"""
)
LATER = {
    "a loss that a list is given": (STEPPED, "+ d.T @ h", ""),
    "a training that a class inherits": (BASED, "4 * X_batch", "3 * X_batch"),
    "a loss that is asked for once the training is over": (ASKED, "np.mean(r)", "np.sum(r)"),
}


@pytest.mark.parametrize("kind", LATER)
def test_a_loss_is_found_where_a_program_has_it(kind: str, tmp_path: Path) -> None:
    text, old, new = LATER[kind]
    result = judged(tmp_path, text)
    assert result.exit_code is ExitCode.AGREES, result.not_compared
    assert judged(tmp_path, text, (old, new)).exit_code is not ExitCode.AGREES


HALF_PENALISED = (
    SETUP
    + """
lam, w, b, lr = 0.3, rng.normal(size=5), 0.0, 0.05
y = Y[:, 0]
for i in range(50):
    e = X @ w + b - y
    w = w - lr * (2 * X.T @ e / len(y) + lam * np.sign(w))
    b = b - lr * 2 * np.mean(e)
    print(i, "mse loss", np.mean(e**2))
"""
)


def test_a_penalty_that_no_loss_shows_accuses_nobody(tmp_path: Path) -> None:
    assert judged(tmp_path, HALF_PENALISED).exit_code is ExitCode.UNDECIDABLE


def test_a_norm_that_is_compared_with_one_number_and_held_to_another_is_not_green(
    tmp_path: Path,
) -> None:
    text = NETWORK + CLIPPED
    for old, new in (("total > 0.5", "total > 0.6"), ("if total", "flag = True\n    if total")):
        assert judged(tmp_path, text, (old, new), ("g * 0.5 /", "g /")).exit_code is not (
            ExitCode.AGREES
        )

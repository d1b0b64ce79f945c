"""The penalty of a training that is run: that of its steps is that of its loss, or is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_training_followed import MOMENTUM
from tests.test_training_rehearsed import judged

pytestmark = pytest.mark.slow

WHOLE = """import numpy as np
def objective(par, X, t, weight_decay):
    h = np.tanh(X @ par["A"] + par["a"])
    z = h @ par["B"] + par["b"]
    z = z - z.max(axis=1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    data = -logp[np.arange(len(X)), t].mean()
    return data + 0.5 * weight_decay * ((par["A"] ** 2).sum() + (par["B"] ** 2).sum()), h, logp
def learn(X, t, hidden=8, rounds=30, lr=0.1, weight_decay=1e-3):
    par = {"A": np.random.randn(X.shape[1], hidden) * 0.3, "a": np.zeros(hidden),
           "B": np.random.randn(hidden, t.max() + 1) * 0.3, "b": np.zeros(t.max() + 1)}
    for _ in range(rounds):
        value, h, logp = objective(par, X, t, weight_decay)
        d = np.exp(logp)
        d[np.arange(len(X)), t] -= 1
        d /= len(X)
        e = (d @ par["B"].T) * (1 - h**2)
        gB = h.T @ d + weight_decay * par["B"]
        gA = X.T @ e + weight_decay * par["A"]
        gb, ga = d.sum(axis=0), e.sum(axis=0)
        for name, one in (("A", gA), ("a", ga), ("B", gB), ("b", gb)):
            par[name] = par[name] - lr * one
    return par
"""
BATCHES = """import numpy as np
lr, lam, size = 0.2, 0.01, 16
X = np.load("inputs.npy")
Y = np.load("targets.npy")
N = len(X)
W1, b1 = np.random.randn(X.shape[1], 7) * 0.3, np.zeros((1, 7))
W2, b2 = np.random.randn(7, Y.shape[1]) * 0.3, np.zeros((1, Y.shape[1]))
for epoch in range(20):
    order = np.random.permutation(N)
    for start in range(0, N, size):
        x, y = X[order[start:start + size]], Y[order[start:start + size]]
        m = len(x)
        h = np.maximum(0, x @ W1 + b1)
        s = h @ W2 + b2
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        cost = -np.sum(y * np.log(p)) / m + lam / (2 * m) * (np.sum(W1**2) + np.sum(W2**2))
        d2 = (p - y) / m
        dW2 = h.T @ d2 + lam / m * W2
        db2 = d2.sum(axis=0, keepdims=True)
        d1 = (d2 @ W2.T) * (h > 0)
        dW1 = x.T @ d1 + lam / m * W1
        db1 = d1.sum(axis=0, keepdims=True)
        W1 -= lr * dW1
        b1 -= lr * db1
        W2 -= lr * dW2
        b2 -= lr * db2
"""


@pytest.mark.parametrize("text", [WHOLE, BATCHES])
def test_a_penalty_that_is_that_of_the_loss_agrees(text: str, tmp_path: Path) -> None:
    result = judged(tmp_path, text)
    assert result.exit_code == 0, result.sentence


NAMED = {
    "twice": (WHOLE, 'X.T @ e + weight_decay', 'X.T @ e + 2 * weight_decay', "twice"),
    "without its half": (WHOLE, "data + 0.5 * weight_decay", "data + weight_decay", "halved"),
    "of the wrong sign": (WHOLE, 'h.T @ d + weight', 'h.T @ d - weight', "sign"),
    "left out of one": (WHOLE, ' + weight_decay * par["A"]', "", "missing"),
    "of a bias": (WHOLE, "e.sum(axis=0)", 'e.sum(axis=0) + weight_decay * par["a"]', "biases"),
    "divided by the rows": (BATCHES, "lam / m * W1", "lam / m / m * W1", "averaged"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMED)
def test_a_penalty_that_is_not_that_of_the_loss_is_named(kind: str, tmp_path: Path) -> None:
    text, old, new, name = NAMED[kind]
    result = judged(tmp_path, text, (old, new))
    assert result.exit_code == 1, result.sentence
    assert any(name in one.mistake for one in result.diagnosis), result.diagnosis


NOT_RIGHT = {
    "of no strength": ('X.T @ e + weight_decay * par["A"]', 'X.T @ e + par["A"]'),
    "without its weights": ('X.T @ e + weight_decay * par["A"]', "X.T @ e + weight_decay"),
    "of signs": ('X.T @ e + weight_decay * par["A"]', 'X.T @ e + weight_decay * np.sign(par["A"])'),
    "in no loss": ("return data + 0.5 * weight_decay * ((par", "return data + 0 * ((par"),
    "with a gradient that is one per cent too large": ("gB = h.T", "gB = 1.01 * h.T"),
    "with a term of the gradient left out": ("gA = X.T @ e", "gA = X[1:].T @ e[1:]"),
    "of the weights before": ("    for _ in range", "    old = {**par}\n    for _ in range"),
    "one per cent too strong": ('X.T @ e + weight', 'X.T @ e + 1.01 * weight'),
    "of its square": ('X.T @ e + weight_decay', 'X.T @ e + weight_decay ** 2'),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_RIGHT)
def test_a_wrong_penalty_is_not_called_right(kind: str, tmp_path: Path) -> None:
    pairs = [NOT_RIGHT[kind]]
    if kind == "of the weights before":
        pairs += [('weight_decay * par["A"]\n', 'weight_decay * old["A"]\n')]
    assert judged(tmp_path, WHOLE, *pairs).exit_code != 0


def test_a_penalty_over_the_rows_of_a_batch_is_not_held_against_the_loss_of_all_rows(
    tmp_path: Path,
) -> None:
    squares = "lam / (2 * m) * (np.sum(W1**2) + np.sum(W2**2))"
    line = f"        cost = -np.sum(y * np.log(p)) / m + {squares}\n"
    every = (
        "    H = np.maximum(0, X @ W1 + b1) @ W2 + b2\n"
        "    Q = np.exp(H - H.max(axis=1, keepdims=True))\n"
        "    Q = Q / Q.sum(axis=1, keepdims=True)\n"
        "    cost = -np.sum(Y * np.log(Q)) / N + lam / (2 * N) * (np.sum(W1**2) + np.sum(W2**2))\n"
        "    order ="
    )
    result = judged(tmp_path, BATCHES, (line, ""), ("    order =", every))
    assert result.exit_code != 1, result.sentence


DECAYED = (
    ("epochs=40)", "epochs=40, weight_decay=0.0)"),
    ("(h.T @ d)", "(h.T @ d + weight_decay * W2)"),
    ("lr * d.sum(axis=0)", "lr * (d.sum(axis=0) + weight_decay * c2)"),
    ("(inputs.T @ dh)", "(inputs.T @ dh + weight_decay * W1)"),
    ("lr * dh.sum(axis=0)", "lr * (dh.sum(axis=0) + weight_decay * c1)"),
)
IN_LOSS = (
    ("epochs=40)", "epochs=40, l2=0.0)"),
    ("axis=1)))\n        q =", "axis=1)) + l2 / 2 * (np.sum(W1**2) + np.sum(W2**2)))\n        q ="),
    ("(h.T @ d)", "(h.T @ d + l2 * W2)"), ("(inputs.T @ dh)", "(inputs.T @ dh + l2 * W1)"),
)  # fmt: skip


@pytest.mark.parametrize("pairs", [DECAYED, IN_LOSS, DECAYED[:1]])
def test_a_penalty_in_a_training_with_momentum_agrees_whatever_its_default_is(
    pairs: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    result = judged(tmp_path, MOMENTUM, *pairs)
    assert result.exit_code == 0, result.sentence


@pytest.mark.parametrize(
    ("pairs", "old", "new"),
    [(DECAYED, "d + weight_decay * W2", "d - weight_decay * W2"),
     (DECAYED, "dh + weight_decay * W1", "dh + 1.01 * weight_decay * W1"),
     (DECAYED, "dh + weight_decay * W1", "dh"),
     (IN_LOSS, "dh + l2 * W1", "dh - l2 * W1"),
     (IN_LOSS, "d + l2 * W2", "d + 2 * l2 * W2")],
)  # fmt: skip
def test_a_wrong_penalty_of_strength_0_is_not_called_right(
    pairs: tuple[tuple[str, str], ...], old: str, new: str, tmp_path: Path
) -> None:
    assert judged(tmp_path, MOMENTUM, *pairs, (old, new)).exit_code != 0

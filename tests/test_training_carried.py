"""What a training does between right functions: run over rows of ours, its steps tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hand_ins import checked

pytestmark = pytest.mark.slow

NETWORK = """import numpy as np
def setup(sizes):
    P = {}
    for i in range(1, len(sizes)):
        P[f"W{i}"] = 0.3 * np.random.randn(sizes[i - 1], sizes[i])
        P[f"b{i}"] = np.zeros(sizes[i])
    return P
def forward(P, X):
    h = np.maximum(0, X @ P["W1"] + P["b1"])
    e = np.exp(h @ P["W2"] + P["b2"])
    return h, e / e.sum(axis=1, keepdims=True)
def cost(p, Y):
    return -np.sum(Y * np.log(p)) / len(Y)
def backward(P, X, Y, h, p):
    d = (p - Y) / len(Y)
    dh = (d @ P["W2"].T) * (h > 0)
    return {"W2": h.T @ d, "b2": d.sum(axis=0), "W1": X.T @ dh, "b1": dh.sum(axis=0)}
"""
DESCENT = (
    NETWORK
    + """def moved(P, G, lr):
    return {k: P[k] - lr * G[k] for k in P}
def batches(X, Y, size):
    order = np.random.permutation(len(X))
    X, Y = X[order], Y[order]
    for i in range(0, len(X), size):
        yield X[i:i + size], Y[i:i + size]
def train(X, Y, sizes, lr=0.1, epochs=20):
    P = setup([sizes[0], sizes[1], sizes[-1]])
    for epoch in range(epochs):
        for xb, yb in batches(X, Y, 50):
            h, p = forward(P, xb)
            loss = cost(p, yb)
            G = backward(P, xb, yb, h, p)
            P = moved(P, G, lr)
    return P
"""
)
ADAM = (
    NETWORK
    + """def zeros(P):
    return {k: np.zeros_like(P[k]) for k in P}
def adam(P, G, m, v, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    for k in P:
        m[k] = beta1 * m[k] + (1 - beta1) * G[k]
        v[k] = beta2 * v[k] + (1 - beta2) * G[k] ** 2
        mhat = m[k] / (1 - beta1 ** t)
        vhat = v[k] / (1 - beta2 ** t)
        P[k] = P[k] - lr * mhat / (np.sqrt(vhat) + eps)
    return P
def train(X, Y, sizes, epochs=20):
    P = setup([sizes[0], sizes[1], sizes[-1]])
    m, v, t = zeros(P), zeros(P), 0
    for epoch in range(epochs):
        for i in range(0, len(X), 30):
            xb, yb = X[i:i + 30], Y[i:i + 30]
            h, p = forward(P, xb)
            loss = cost(p, yb)
            G = backward(P, xb, yb, h, p)
            t += 1
            P = adam(P, G, m, v, t)
    return P
"""
)
STEP = """            G = backward(P, xb, yb, h, p)
            P = moved(P, G, lr)
"""
RIGHT = {"descent": DESCENT, "Adam": ADAM}
WRONG = {
    "targets of another order": (
        DESCENT, "X, Y = X[order], Y[order]", "X = X[order]", "targets-of-another-batch"),
    "an update that is thrown away": (
        DESCENT, "P = moved(P, G, lr)", "moved(P, G, lr)", "parameter-never-updated"),
    "a network made anew": (
        DESCENT, "        for xb, yb in", "        P = setup([sizes[0], sizes[1], sizes[-1]])\n"
        "        for xb, yb in", "weights-made-anew"),
    "a forward pass made once": (
        DESCENT.replace("batches(X, Y, 50)", "[(X, Y)] * 9"), "            h, p = forward(P, xb)\n",
        "            if loss is None:\n                h, p = forward(P, xb)\n",
        "forward-pass-of-call-before"),
    "a t that stays 1": (ADAM, "t += 1", "t = 1", "adam-constant-t"),
    "means that begin anew": (
        ADAM, "            t += 1\n", "            t += 1\n            m, v = zeros(P), zeros(P)\n",
        "velocity-reset"),
}  # fmt: skip


@pytest.mark.parametrize("kind", RIGHT)
def test_a_training_that_carries_on_what_it_keeps_agrees(kind: str, tmp_path: Path) -> None:
    result = checked(tmp_path, RIGHT[kind])
    assert result.exit_code == 0, result.sentence


@pytest.mark.parametrize("kind", WRONG)
def test_what_goes_wrong_between_right_functions_is_named(kind: str, tmp_path: Path) -> None:
    text, old, new, mistake = WRONG[kind]
    assert old in text
    text = text.replace(old, new).replace(
        "    for epoch in", "    loss = None\n    for epoch in", 1
    )
    result = checked(tmp_path, text)
    assert result.exit_code == 1, result.sentence
    assert [one.mistake for one in result.diagnosis] == [mistake]


def test_a_network_made_anew_for_each_rate_is_right(tmp_path: Path) -> None:
    text = DESCENT.replace("for epoch in range(epochs)", "for lr in (0.1, 0.05, 0.2)")
    again = "        P = setup([sizes[0], sizes[1], sizes[-1]])\n"
    text = text.replace("        for xb, yb in", f"{again}        for xb, yb in")
    assert checked(tmp_path, text).exit_code == 0


def test_a_first_step_that_is_none_of_a_network_is_none_of_its_loss(tmp_path: Path) -> None:
    """Each function is right; the bias alone does not feel what the loop does to the targets."""
    text = DESCENT.replace(
        "backward(P, xb, yb, h", "backward(P, xb, yb[np.random.permutation(len(yb))], h"
    )
    result = checked(tmp_path, text)
    assert result.exit_code == 1, result.sentence
    assert "P.b2 are its rate times the slopes of `cost`, and those of P.W1" in result.sentence


def test_a_training_that_stops_behind_its_forward_pass_is_undecided(tmp_path: Path) -> None:
    """On any rows it stops there: that is said, and accused of nothing."""
    text = DESCENT.replace(
        STEP, "            P = moved(P, G, lr)\n            G = backward(P, xb, yb, h, p)\n"
    )
    result = checked(tmp_path, text)
    assert result.exit_code == 3, result.sentence
    assert any("its loop stops with UnboundLocalError" in one for one in result.not_compared)


def test_a_training_that_clears_its_gradients_before_each_step_is_undecided(tmp_path: Path) -> None:
    """It leaves no gradient to hold against torch's, and moves nothing."""
    cleared = "            G = {k: 0 * G[k] for k in G}\n            P = moved(P, G, lr)"
    text = DESCENT.replace("            P = moved(P, G, lr)", cleared)
    result = checked(tmp_path, text)
    assert result.exit_code == 3, result.sentence
    assert any("no turn of its loop moves P.W1 and P.W2" in one for one in result.not_compared)


VELOCITIES = """import numpy as np
from data import load
def gradients(X, y, W1, b1, W2, b2):
    h = np.maximum(0, X @ W1 + b1)
    e = np.exp(h @ W2 + b2)
    d = e / e.sum(axis=1, keepdims=True)
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    dh = (d @ W2.T) * (h > 0)
    return X.T @ dh, dh.sum(0), h.T @ d, d.sum(0)
X, y = load("digits")
W1, b1 = 0.2 * np.random.randn(64, 20), np.zeros(20)
W2, b2 = 0.2 * np.random.randn(20, 10), np.zeros(10)
u1, u2, u3, u4 = (np.zeros_like(a) for a in (W1, b1, W2, b2))
many = 60
for sweep in range(9):
    for i in range(0, len(X), many):
        xb, yb = X[i:i + many], y[i:i + many]
        dW1, db1, dW2, db2 = gradients(xb, yb, W1, b1, W2, b2)
        u1 = 0.9 * u1 - 0.05 * dW1; W1 += u1
        u2 = 0.9 * u2 - 0.05 * db1; b1 += u2
        u3 = 0.9 * u3 - 0.05 * dW2; W2 += u3
        u4 = 0.9 * u4 - 0.05 * db2; b2 += u4
"""


def test_a_bias_that_is_set_to_its_velocity_is_seen_at_a_later_step(tmp_path: Path) -> None:
    assert checked(tmp_path, VELOCITIES).exit_code == 0
    result = checked(tmp_path, VELOCITIES.replace("b1 += u2", "b1 = u2"))
    assert result.exit_code == 3, result.sentence
    assert any("b1: moved by no share" in one for one in result.not_compared)


def test_a_batch_that_has_no_name_accuses_nobody_and_doubts_nobody(tmp_path: Path) -> None:
    """Which rows a step is made of was not seen: nothing is said of it."""
    text = VELOCITIES.replace("        xb, yb = X[i:i + many], y[i:i + many]\n", "")
    text = text.replace("gradients(xb, yb", "gradients(X[i:i + many], y[i:i + many]")
    assert checked(tmp_path, text).exit_code == 0

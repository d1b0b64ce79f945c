"""A penalty whose strength is a number in the lines is compared like one that has a name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.training.terms import Terms, moved
from tests.hand_ins import checked

pytestmark = pytest.mark.slow

FUNCTION = """import numpy as np
def train(inputs, onehot, units=64, epochs=200, bs=50):
    rng = np.random.default_rng(1)
    n_in, n_out = inputs.shape[1], onehot.shape[1]
    theta1 = rng.normal(0, 0.1, (n_in, units))
    bias1 = np.zeros((1, units))
    theta2 = rng.normal(0, 0.1, (units, n_out))
    bias2 = np.zeros((1, n_out))
    for ep in range(epochs):
        order = rng.permutation(len(inputs))
        for lo in range(0, len(inputs), bs):
            pick = order[lo:lo + bs]
            xb, tb = inputs[pick], onehot[pick]
            m = len(xb)
            act = np.tanh(xb @ theta1 + bias1)
            out = np.exp(act @ theta2 + bias2)
            out = out / out.sum(1, keepdims=True)
            ce = -np.sum(tb * np.log(out)) / m
            J = ce + 5e-4 * (np.sum(theta1 * theta1) + np.sum(theta2 * theta2))
            err = (out - tb) / m
            g2 = act.T @ err + 1e-3 * theta2
            c2 = err.sum(0, keepdims=True)
            back = err @ theta2.T * (1 - act ** 2)
            g1 = xb.T @ back + 1e-3 * theta1
            c1 = back.sum(0, keepdims=True)
            theta2 = theta2 - 0.3 * g2
            bias2 = bias2 - 0.3 * c2
            theta1 = theta1 - 0.3 * g1
            bias1 = bias1 - 0.3 * c1
        print(ep, J)
    return theta1, bias1, theta2, bias2
"""
SCRIPT = """import numpy as np
X = np.load("x.npy")
y = np.load("y.npy")
n, d = X.shape
k = 3
W1 = 0.1 * np.random.randn(d, 20)
b1 = np.zeros(20)
W2 = 0.1 * np.random.randn(20, k)
b2 = np.zeros(k)
for it in range(1000):
    h = np.maximum(0, X @ W1 + b1)
    s = h @ W2 + b2
    e = np.exp(s - s.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(n), y]).mean()
    loss += 0.005 * np.sum(W1 ** 2) + 0.005 * np.sum(W2 ** 2)
    if it % 100 == 0:
        print(loss)
    p[np.arange(n), y] -= 1
    p /= n
    dW2 = h.T @ p
    dW2 += 0.01 * W2
    db2 = p.sum(axis=0)
    d1 = (p @ W2.T) * (h > 0)
    dW1 = X.T @ d1
    dW1 += 0.01 * W1
    db1 = d1.sum(axis=0)
    W1 -= 0.1 * dW1
    b1 -= 0.1 * db1
    W2 -= 0.1 * dW2
    b2 -= 0.1 * db2
"""


@pytest.mark.parametrize(
    ("old", "new", "times"),
    [("+ 1e-3 *", "+ 5e-4 *", "0.5 times"), ("+ 1e-3 * theta2", "", "0 times in theta2")],
)
def test_another_literal_strength_in_the_gradient_of_a_function_is_named(
    old: str, new: str, times: str, tmp_path: Path
) -> None:
    found = checked(tmp_path, FUNCTION.replace(old, new))
    assert found.verdict is Verdict.DISAGREES
    assert times in found.sentence


@pytest.mark.parametrize("text", [FUNCTION, SCRIPT], ids=["a function", "a script"])
def test_a_literal_strength_that_loss_and_gradient_share_agrees(text: str, tmp_path: Path) -> None:
    found = checked(tmp_path, text)
    assert found.verdict is Verdict.AGREES, found.sentence


@pytest.mark.parametrize(
    ("slip", "verdict"), [("", Verdict.AGREES), ("+ 1e-3 *", Verdict.DISAGREES)]
)
def test_weights_that_are_scaled_when_they_are_made_are_no_penalty(
    slip: str, verdict: Verdict, tmp_path: Path
) -> None:
    text = FUNCTION.replace("rng.normal(0, 0.1, (", "rng.normal(0, 1, (")
    loop = "    for ep in range(epochs):\n"
    text = text.replace(loop, "    theta1 = 0.1 * theta1\n    theta2 = theta2 * 0.1\n" + loop)
    text = text.replace(slip, "+ 5e-4 *") if slip else text
    found = checked(tmp_path, text)
    assert found.verdict is verdict, found.sentence


def test_a_literal_strength_that_is_not_that_of_the_loss_is_a_mistake(tmp_path: Path) -> None:
    found = checked(tmp_path, SCRIPT.replace("0.01 * W", "0.02 * W"))
    assert found.verdict is Verdict.DISAGREES
    assert "the loss" in found.sentence or "L2" in found.sentence


def test_a_literal_strength_beside_a_loss_of_the_data_alone_is_a_weight_decay(
    tmp_path: Path,
) -> None:
    line = "    loss += 0.005 * np.sum(W1 ** 2) + 0.005 * np.sum(W2 ** 2)\n"
    found = checked(tmp_path, SCRIPT.replace(line, ""))
    assert found.verdict is Verdict.AGREES
    assert any("weight decay" in one.sentence for one in found.checks), found.checks


def test_summed_gradients_with_a_strength_of_a_class_are_not_called_a_mean(tmp_path: Path) -> None:
    """Their loss stands elsewhere, and is a sum: their training tells."""
    text = SCRIPT.replace("    p /= n\n", "").replace("0.01 *", "Settings.strength *")
    lines = "class Settings:\n    strength = 0.01\nX = np.load"
    text = text.replace("X = np.load", lines, 1).replace(".mean()", ".sum()")
    found = checked(tmp_path, text)
    assert not any(one.mistake == "gradient-summed" for one in found.diagnosis), found.sentence


def made(line: str, strength: float) -> str:
    """The line with its strengths made others, in a program that moves W, self.w2 and p[k]."""
    program = "W -= lr * dW\nself.w2 -= lr * g\np[k] -= lr * g[k]\nlogits -= logits.max()"
    found = Terms(strength, frozenset(moved([ast.parse(program)]))).visit(ast.parse(line))
    return ast.unparse(found)


@pytest.mark.parametrize(
    ("line", "due"),
    [
        ("dW = x.T @ d + 0.5 * W", "dW = x.T @ d + 1.0 * W"),
        ("g = d + self.w2 * 0.25 / n", "g = d + self.w2 * 0.5 / n"),
        ("p[k] -= lr * (g[k] + 0.5 * p[k])", "p[k] -= lr * (g[k] + 1.0 * p[k])"),
        ("J = ce + 0.5 * np.sum(W * W)", "J = ce + 1.0 * np.sum(W * W)"),
        ("J = ce + 0.5 * sum(np.square(W))", "J = ce + 1.0 * sum(np.square(W))"),
        ("J = ce + 0.5 * reg * np.sum(W * W)", "J = ce + 0.5 * reg * np.sum(W * W)"),
        ("h = np.where(z > 0, z, 0.5 * z)", "h = np.where(z > 0, z, 0.5 * z)"),
        ("v = 0.5 * v - lr * dW", "v = 0.5 * v - lr * dW"),
        ("a = 0.5 * logits", "a = 0.5 * logits"),
        ("W = 0.5 * W", "W = 0.5 * W"),
        ("W, self.w2 = W / 2, self.w2 * 0.5", "W, self.w2 = (W / 2, self.w2 * 0.5)"),
        ("g = 0.5 * W", "g = 1.0 * W"),
        ("a = 0.5 * np.sum((h - W) ** 2)", "a = 0.5 * np.sum((h - W) ** 2)"),
    ],
)
def test_a_strength_is_a_number_that_multiplies_weights_alone(line: str, due: str) -> None:
    assert made(line, 2.0) == due

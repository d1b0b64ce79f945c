"""Numbers on a schedule, and gradients clipped by their length: right steps agree, wrong do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.loop_steps import Updates, loop_steps
from compare.examine.starter.source import open_source
from compare.examine.starter.starter import check_starter

HEAD = """import math
import numpy as np
def train(W1, W2, X, T, lr, momentum, epochs):
    beta1, beta2, eps, t = 0.9, 0.999, 1e-8, 0
    v1 = v2 = m1 = m2 = s1 = s2 = 0
    for epoch in range(epochs):
        g1, g2 = grads(W1, W2, X, T)
"""
VELOCITIES = """v1 = mu * v1 - lr * g1
v2 = mu * v2 - lr * g2
W1 += v1
W2 += v2
"""
PLAIN = "W1 -= rate * g1\nW2 -= rate * g2\n"
MEANS = """t += 1
m1 = beta1 * m1 + (1 - beta1) * g1
s1 = beta2 * s1 + (1 - beta2) * g1**2
"""
ADAM = "W1 -= rate * (m1 / (1 - beta1**t)) / (np.sqrt(s1 / (1 - beta2**t)) + eps)\n"
NORM = "norm = np.sqrt(np.sum(g1**2) + np.sum(g2**2))\n"
RIGHT = {
    "a momentum switched on": "mu = momentum * (epoch >= 10)\n" + VELOCITIES,
    "a ramp": "mu = min(0.5 + 0.1 * epoch, 0.9)\n" + VELOCITIES,
    "a ramp on the spot": VELOCITIES.replace("mu *", "min(0.5 + 0.1 * epoch, 0.9) *"),
    "a ramp under no name": VELOCITIES.replace("mu", "c").join(["c = 1 - 3 / (epoch + 5)\n", ""]),
    "a rate that falls": "rate = lr / np.sqrt(epoch + 1)\n" + PLAIN,
    "a cosine": "rate = 0.5 * lr * (1 + math.cos(math.pi * epoch / epochs))\n" + PLAIN,
    "a warm-up": "rate = lr * min(1.0, (epoch + 1) / 5)\n" + PLAIN,
    "two rates": "rate = lr if epoch < 5 else lr / 10\n" + PLAIN,
    "clipped by the length": NORM + "rate = lr * min(1, 5 / (norm + 1e-6))\n" + PLAIN,
    "Adam with a cosine": f"rate = lr * (1 + math.cos(epoch / epochs))\n{MEANS}{ADAM}",
    "Adam with its rate corrected": f"{MEANS}rate = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)\n"
    "W1 -= rate * m1 / (np.sqrt(s1) + eps)\n",
}
TURNED = {"W1 += v1": "W1 -= v1", "W1 -= rate * g1": "W1 += rate * g1"}
"""The wrong twin of an update: it goes up."""


def judged(tmp_path: Path, body: str) -> Updates:
    """Return what is said of a training with these lines in its loop."""
    path = tmp_path / "mine.py"
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    path.write_text(f"{HEAD}{lines}    return W1, W2\n", "utf-8")
    return loop_steps(open_source(path), [])


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT)
def test_a_number_on_a_schedule_is_a_number(tmp_path: Path, body: str) -> None:
    assert judged(tmp_path, body).found == ()
    for right, wrong in TURNED.items():
        if right in body:
            (one,) = judged(tmp_path, body.replace(right, wrong)).found
            assert one.verdict is Verdict.DISAGREES and "a step up the gradient" in one.sentence


def test_a_wrong_correction_of_adam_is_no_schedule(tmp_path: Path) -> None:
    body = RIGHT["Adam with its rate corrected"].replace("/ (1 - beta1**t)", "/ (1 - beta2**t)")
    assert judged(tmp_path, body).found


def test_a_velocity_without_a_gradient_is_not_green(tmp_path: Path) -> None:
    body = RIGHT["a ramp"].replace("mu * v2 - lr * g2", "mu * v2")
    (one,) = judged(tmp_path, body).found
    assert "no gradient goes into v2" in one.sentence


def test_a_minus_in_a_schedule_is_kept(tmp_path: Path) -> None:
    assert judged(tmp_path, "W1 += -lr * 0.95**epoch * g1\n").found == ()
    (one,) = judged(tmp_path, "W1 -= -lr * 0.95**epoch * g1\n").found
    assert one.verdict is Verdict.DISAGREES


CALLED = """import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def train(X, Y, W1, b1, W2, b2, lr=0.1, epochs=20):
    for epoch in range(epochs):
        h = np.maximum(0, X @ W1 + b1)
        d2 = (softmax(h @ W2 + b2) - Y) / len(X)
        dW2, db2 = h.T @ d2, d2.sum(axis=0)
        d1 = (d2 @ W2.T) * (h > 0)
        dW1, db1 = X.T @ d1, d1.sum(axis=0)
        rate = lr * min(1.0, (epoch + 1) / 5)
        W1 -= rate * dW1
        b1 -= rate * db1
        W2 -= rate * dW2
        b2 -= rate * db2
    return W1, b1, W2, b2
"""


@pytest.mark.slow
def test_gradients_beside_a_schedule_are_cut_out_and_compared(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    for text, due in ((CALLED, {"agrees"}), (CALLED.replace("* (h > 0)", ""), {"disagrees"})):
        path.write_text(text, "utf-8")
        found = check_starter(path).functions
        assert {str(one.verdict) for one in found if one.name == "train"} == due

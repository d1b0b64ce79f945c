"""What returns new weights is no gradient: its gradients are read off its step."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

pytestmark = pytest.mark.slow

STEPS = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def backprop(X, Y, W1, b1, W2, b2, lr):
    h = np.maximum(X @ W1 + b1, 0)
    d = (softmax(h @ W2 + b2) - Y) / len(X)
    dh = d @ W2.T * (h > 0)
    W2 = W2 - lr * h.T @ d
    b2 = b2 - lr * d.sum(0)
    W1 = W1 - lr * X.T @ dh
    b1 = b1 - lr * dh.sum(0)
    return W1, b1, W2, b2
"""
RIGHT = {
    "a rate": STEPS,
    "a rate with a default": STEPS.replace("lr):", "lr=0.01):"),
    "in a dictionary": STEPS.replace(
        "return W1, b1, W2, b2", 'return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}'
    ),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_new_weights_are_not_taken_for_gradients(text: str, tmp_path: Path) -> None:
    found = checked(tmp_path, text)
    assert found.verdict is Verdict.AGREES, found.sentence
    assert "its gradients were read off their step" in found.checks[-1].sentence


def test_a_mistake_in_the_gradient_of_a_step_is_named(tmp_path: Path) -> None:
    found = checked(tmp_path, STEPS.replace(" * (h > 0)", ""))
    assert found.verdict is Verdict.DISAGREES
    assert found.diagnosis[0].mistake == "mask-missing"


def test_a_step_with_more_than_a_gradient_is_not_accused(tmp_path: Path) -> None:
    found = checked(tmp_path, STEPS.replace("lr * X.T @ dh", "lr * (X.T @ dh + 0.3 * W1 ** 3)"))
    assert found.verdict is Verdict.UNDECIDABLE

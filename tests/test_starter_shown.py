"""Other hidden units and another loss than the declared ones count only where a file shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Result, Verdict
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

GRADIENT = """
import numpy as np
alpha = 0.01
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def gradients(X, Y, Z1, A1, P, W2):
    dZ2 = (P - Y) / len(X)
    dZ1 = dZ2 @ W2.T * SLOPE
    return X.T @ dZ1, dZ1.sum(axis=0), A1.T @ dZ2, dZ2.sum(axis=0)
"""
LOOP = """
def train(X, Y, W1, b1, W2, b2):
    for i in range(100):
        Z1 = X @ W1 + b1
        A1 = UNITS
        P = softmax(A1 @ W2 + b2)
        dW1, db1, dW2, db2 = gradients(X, Y, Z1, A1, P, W2)
        W1 -= alpha * dW1; b1 -= alpha * db1; W2 -= alpha * dW2; b2 -= alpha * db2
    return W1, b1, W2, b2
"""
SLOPES = {
    "leaky": ("np.where(Z1 > 0, 1, 0.01)", "np.where(Z1 > 0, Z1, 0.01 * Z1)"),
    "sigmoid": ("A1 * (1 - A1)", "sigmoid(Z1)"),
}


def checked(folder: Path, text: str, **declared: object) -> Result:
    path = folder / "mine.py"
    path.write_text(text)
    return starter_result(check_starter(path, timeout=20.0, declared=declared))


@pytest.mark.parametrize("units", SLOPES)
def test_hidden_units_are_those_of_the_forward_pass(units: str, tmp_path: Path) -> None:
    slope, own = SLOPES[units]
    gradient = GRADIENT.replace("SLOPE", slope)
    right = checked(tmp_path, gradient + LOOP.replace("UNITS", own))
    assert right.verdict is Verdict.AGREES, right.sentence
    text = gradient + LOOP.replace("UNITS", "np.maximum(Z1, 0)")
    assert checked(tmp_path, text).verdict is Verdict.DISAGREES
    alone = checked(tmp_path, gradient)
    assert alone.verdict is Verdict.UNDECIDABLE
    assert "declare them with --activation" in " ".join(alone.not_compared)

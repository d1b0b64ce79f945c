"""A bias gradient of a wrong shape is named although no name says what the activations are."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.starter import check_starter

DIGITS = """\
import numpy as np

def ReLU(Z):
    return np.maximum(Z, 0)

def softmax(Z):
    e = np.exp(Z - Z.max(axis=0))
    return e / e.sum(axis=0)

def ReLU_deriv(Z):
    return Z > 0

def one_hot(Y):
    hot = np.zeros((Y.size, Y.max() + 1))
    hot[np.arange(Y.size), Y] = 1
    return hot.T

def forward_prop(W1, b1, W2, b2, X):
    Z1 = W1.dot(X) + b1
    A1 = ReLU(Z1)
    Z2 = W2.dot(A1) + b2
    return Z1, A1, Z2, softmax(Z2)

def backward_prop(Z1, A1, Z2, A2, W1, W2, X, Y):
    m = Y.size
    dZ2 = A2 - one_hot(Y)
    dW2 = 1 / m * dZ2.dot(A1.T)
    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)
    dW1 = 1 / m * dZ1.dot(X.T)
    db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
    return dW1, db1, dW2, db2
"""
RIGHT = "np.sum({}, axis=1, keepdims=True)"
SLIPS = [
    (("dZ1",), "np.sum({})", "a bias gradient summed to a single number in layer 1 only"),
    (("dZ1", "dZ2"), "np.sum({})", "a bias gradient summed to a single number"),
    (("dZ1", "dZ2"), "{}", "a bias gradient that is not summed over the batch"),
]


@pytest.mark.parametrize(("which", "slip", "title"), SLIPS)
def test_a_wrong_shape_of_a_bias_gradient_is_named(
    tmp_path: Path, which: tuple[str, ...], slip: str, title: str
) -> None:
    text = DIGITS
    for name in which:
        assert RIGHT.format(name) in text
        text = text.replace(RIGHT.format(name), slip.format(name))
    (tmp_path / "digits.py").write_text(text)
    found = {one.name: one for one in check_starter(tmp_path / "digits.py").functions}
    wrong = found["backward_prop"]
    assert wrong.verdict is Verdict.DISAGREES
    assert title in wrong.diagnosis[0].headline


def test_the_right_one_agrees(tmp_path: Path) -> None:
    (tmp_path / "digits.py").write_text(DIGITS)
    assert {one.verdict for one in check_starter(tmp_path / "digits.py").functions} == {
        Verdict.AGREES
    }

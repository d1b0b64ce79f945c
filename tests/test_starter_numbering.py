"""Class numbers count from 0 or from 1, in one way throughout a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked, of_wrong_twin

STEPS = """import numpy as np
def predict(X, W1, b1, W2, b2):
    h = 1 / (1 + np.exp(-(X @ W1 + b1)))
    e = np.exp(h @ W2 + b2)
    return h, e / e.sum(1, keepdims=True)
def cost(probs, y):
    return -np.mean(np.log(probs[range(len(y)), y - 1]))
def backprop(X, y, h, probs, W2):
    d = probs.copy()
    d[range(len(y)), y - 1] -= 1
    d /= len(y)
    dz = (d @ W2.T) * h * (1 - h)
    return X.T @ dz, dz.sum(0), h.T @ d, d.sum(0)
"""
HELPED = """import numpy as np
def rows(classes, K):
    return np.eye(K)[classes - 1]
def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
def cross_entropy(probs, labels):
    return -(rows(labels, probs.shape[1]) * np.log(probs)).sum() / len(labels)
def gradient(X, labels, W1, b1, W2, b2):
    h = np.maximum(0, X @ W1 + b1)
    d = (softmax(h @ W2 + b2) - rows(labels, len(b2.ravel()))) / len(X)
    dz = (d @ W2.T) * (h > 0)
    return X.T @ dz, dz.sum(0), h.T @ d, d.sum(0)
"""


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (STEPS, "y - 1] -= 1", "y] -= 1"),
        (STEPS, "probs[range(len(y)), y - 1]", "probs[range(len(y)), y]"),
        (HELPED, "- rows(labels, len(b2.ravel()))", "- np.eye(len(b2.ravel()))[labels]"),
    ],
)
def test_one_file_counts_classes_in_one_way(tmp_path: Path, text: str, old: str, new: str) -> None:
    """Loss and gradient of numbers from 1 are right; of a mixture they are not."""
    result = of_wrong_twin(tmp_path, text, old, new)
    assert [one.mistake for one in result.diagnosis] == ["classes-shifted"], result.sentence


def test_numbers_from_0_stay_right(tmp_path: Path) -> None:
    """Nothing changes for the usual ones."""
    assert checked(tmp_path, STEPS.replace("y - 1", "y")).verdict is Verdict.AGREES

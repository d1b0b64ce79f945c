"""Class numbers count from 0 or from 1, in one way throughout a file."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.function_check import FunctionCheck
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.numbering import less_one
from compare.guard.guard import Guard
from tests.hand_ins import checked, of_wrong_twin

pytestmark = pytest.mark.slow

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


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("y - 1", "y"),
        ("int(y[i]) - 1", "y"),
        ("y.astype(int).ravel() - 1", "y"),
        ("2 * y - 1", ""),
        ("y - 1 * z", ""),
        ("y - 2", ""),
        ("len(y) - 1", ""),
    ],
)
def test_1_is_taken_off_numbers_and_off_no_product_of_them(text: str, name: str) -> None:
    assert less_one(ast.parse(text, mode="eval").body) == name


def slope(numbers: str, divisor: str = "len(y)") -> FunctionVerdict:
    """What is said of a slope of numbers alone, without a loss beside it."""
    space: dict[str, Any] = {"np": np}
    text = f"def grad_ce(y, p):\n    d = p.copy()\n    d[np.arange(len(y)), {numbers}] -= 1\n"
    exec(f"{text}    return d / {divisor}", space)
    check = FunctionCheck(Guard(timeout=20.0))
    return check("grad_ce", "grad_ce", space["grad_ce"], ["y", "p"], None)


def test_a_slope_of_class_numbers_is_called_with_them() -> None:
    """Right ones, and such as go up the gradient or have twice its size."""
    assert slope("y").verdict is Verdict.AGREES
    assert slope("y", "(-len(y))").verdict is Verdict.DISAGREES
    assert slope("y", "(0.5 * len(y))").verdict is Verdict.DISAGREES


@pytest.mark.parametrize(("old", "new"), [("y - 1] -= 1", "y - 1] -= 2"), ("p / 1", "-p / 1")])
def test_a_slope_of_numbers_from_1_is_compared(tmp_path: Path, old: str, new: str) -> None:
    text = (
        "import numpy as np\ndef grad_ce(y, p):\n    d = p / 1\n"
        "    d[np.arange(len(y)), y - 1] -= 1\n    return d / len(y)\n"
    )
    assert checked(tmp_path, text).verdict is Verdict.AGREES
    assert checked(tmp_path, text.replace(old, new)).verdict is not Verdict.AGREES

"""A layer's strength of a penalty that is 0 as it was built: what it adds is looked at too."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.layer_strengths import strengths_checked
from compare.examine.starter.source import open_source
from compare.guard.guard import Guard

LAYER = """
import numpy as np
class Dense:
    def __init__(self, n_in, n_out, weight_regularizer_l1=0, weight_regularizer_l2=0, mode=0):
        self.weights, self.biases = np.random.randn(n_in, n_out), np.zeros((1, n_out))
        self.weight_regularizer_l1 = weight_regularizer_l1
        self.weight_regularizer_l2 = weight_regularizer_l2
        self.mode = mode
    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases
    def backward(self, d):
        self.dweights, self.dbiases = self.inputs.T @ d, d.sum(axis=0, keepdims=True)
        if self.weight_regularizer_l1 > 0:
            dL1 = np.ones_like(self.weights)
            dL1[self.weights < 0] = -1
            self.dweights += self.weight_regularizer_l1 * dL1
        if self.weight_regularizer_l2 > 0:
            self.dweights += 2 * self.weight_regularizer_l2 * self.weights
        self.dinputs = d @ self.weights.T
"""
RIGHT = [
    ("2 * self.weight_reg", "self.weight_reg"),
    ("2 * self.weight_reg", "1 / len(d) * self.weight_reg"),
    ("self.weight_regularizer_l2 * self.weights", "0"),
    ("dL1[self.weights < 0] = -1", "dL1 = np.sign(self.weights)"),
]
WRONG = [
    ("_l2 * self.weights\n", "_l2 * self.weights ** 2\n", "weight_regularizer_l2"),
    ("+= 2 *", "-= 2 *", "weight_regularizer_l2"),
    ("dL1[self.weights < 0] = -1", "pass", "weight_regularizer_l1"),
    ("+= 2 * ", "+= unknown * ", "weight_regularizer_l2"),
]


def left(folder: Path, old: str, new: str) -> list[str]:
    """What is said of the strengths of this layer with a part of it changed."""
    assert old in LAYER
    path = folder / "net.py"
    path.write_text(LAYER.replace(old, new), encoding="utf-8")
    guard = Guard(timeout=None)
    found = list(strengths_checked(open_source(path, guard=guard), ["Dense"], guard))
    assert all(one.verdict is Verdict.UNDECIDABLE for one in found)
    return [one.name for one in found]


@pytest.mark.parametrize(("old", "new"), RIGHT)
def test_a_usual_term_needs_no_word(old: str, new: str, tmp_path: Path) -> None:
    assert left(tmp_path, old, new) == []


@pytest.mark.parametrize(("old", "new", "strength"), WRONG)
def test_another_term_is_named_as_not_compared(
    old: str, new: str, strength: str, tmp_path: Path
) -> None:
    assert left(tmp_path, old, new) == [f"{strength} of Dense"]

"""Beside a wrong gradient stand the lines of the file that it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.own_lines import lines_concerned
from compare.examine.starter.source import open_source
from compare.guard.blame import Place

FUNCTION = """def backprop(X, Y, z1, h, p, W2):
    d2 = (p - Y) / len(X)
    dW2 = h.T @ d2
    db2 = d2.sum(axis=0)
    d1 = d2 @ W2.T
    dW1 = X.T @ d1
    db1 = d1.sum(axis=0)
    return dW1, db1, dW2, db2
"""
CLASS = """class Net:
    def __init__(self):
        self.params = {"W1": init(3, 4), "b1": zeros(4)}
    def loss(self, X, y):
        dscores = probs.copy()
        dscores /= len(X)
        grads = {}
        grads["W2"] = hidden.T.dot(dscores)
        dhidden = dscores.dot(W2.T)
        grads["W1"] = X.T.dot(dhidden)
        return loss, grads
"""
MANUAL = """def loss_and_gradients(P, X, Y):
    d = (p - Y) / len(X)
    dz = d @ P["w2"].T
    return loss, dict(w1=X.T @ dz, w2=h.T @ d)
"""


def looked_at(file: Path, name: str, sentence: str, line: int = 1, cell: str = "") -> list[int]:
    """The lines beside a verdict with this sentence."""
    place = Place(f"{file}{cell}", line)
    one = FunctionVerdict(name, "gradient", place, Verdict.DISAGREES, sentence)
    return [place.line for place in lines_concerned(open_source(file), one)]


@pytest.mark.parametrize(
    ("text", "name", "sentence", "lines"),
    [
        (FUNCTION, "backprop", "dw1[0, 1] is 2, where 3 is right", [5, 6]),
        (FUNCTION, "backprop", "returns a value of shape () as db1; (11,) is due", [5, 7]),
        (FUNCTION, "backprop", "dw2[0, 1] is 2, where 3 is right", [2, 3]),
        (FUNCTION, "backprop", "its first step moves W2 against the gradient and W1 elsewhere",
         [5, 6]),
        (FUNCTION, "backprop", "it sums over the batch, but the loss is the mean", []),
        (CLASS, "Net", "a missing derivative: dw1[3, 5] = 0.1 is 3 × allowance away", [9, 10]),
        (MANUAL, "loss_and_gradients", "dw1[3, 5] is 0.1, where 0 is right", [3, 4]),
    ],
)  # fmt: skip
def test_the_lines_of_a_wrong_gradient_and_not_those_of_right_ones(
    tmp_path: Path, text: str, name: str, sentence: str, lines: list[int]
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    assert looked_at(file, name, sentence) == lines


def test_of_cells_the_cell_is_said(tmp_path: Path) -> None:
    body = FUNCTION.splitlines()[1:-1]
    loop = "for epoch in range(9):\n" + "\n".join(body)
    cells = [{"cell_type": "code", "source": text} for text in ("lr = 0.1\nX = 1", loop)]
    file = tmp_path / "mine.ipynb"
    file.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    found = looked_at(file, "training loop", "dw1[0] is 2, where 3 is right", 2, ", cell 2")
    assert found == [5, 6]
    place = Place(f"{file}, cell 2", 6)
    assert place.line_quoted() == "cell 2, line 6 (`dW1 = X.T @ d1`)"

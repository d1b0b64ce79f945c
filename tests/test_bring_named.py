"""What is wrong with a hand-in has its name in the catalogue also where words say it: a shape, an
axis, a sum for a mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compare.contracts.result import Result, Verdict
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

pytestmark = pytest.mark.slow

FUNCTIONS = """import numpy as np
def relu(z):
    return np.maximum(0, z)
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
"""
LOOP = """W1, b1 = np.random.randn(9, 8) * 0.1, np.zeros((1, 8))
W2, b2 = np.random.randn(8, 4) * 0.1, np.zeros((1, 4))
lr, m = 0.1, X.shape[0]
for i in range(200):
    Z1 = X @ W1 + b1
    A1 = relu(Z1)
    A2 = softmax(A1 @ W2 + b2)
    dZ2 = (A2 - Y) / m
    dW2 = A1.T @ dZ2
    db2 = np.sum(dZ2, axis=0, keepdims=True)
    dZ1 = (dZ2 @ W2.T) * (Z1 > 0)
    dW1 = X.T @ dZ1
    db1 = np.sum(dZ1, axis=0, keepdims=True)
    W1 -= lr * dW1
    b1 -= lr * db1
    W2 -= lr * dW2
    b2 -= lr * db2
"""
BACKWARD = """
def forward(X, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = relu(Z1)
    return Z1, A1, softmax(A1 @ W2 + b2)
def backward(X, Y, Z1, A1, A2, W2):
    dZ2 = (A2 - Y) / X.shape[0]
    dZ1 = (dZ2 @ W2.T) * (Z1 > 0)
    db1 = np.sum(dZ1, axis=0, keepdims=True)
    db2 = np.sum(dZ2, axis=0, keepdims=True)
    dW1, dW2 = X.T @ dZ1, A1.T @ dZ2
    return dW1, db1, dW2, db2
"""
WRONG = [
    ("db1 = np.sum(dZ1, axis=0", "db1 = np.sum(dZ1, axis=1", "bias-summed-over-wrong-axis"),
    ("np.sum(dZ2, axis=0, keepdims=True)", "np.sum(dZ2)", "bias-summed-to-a-number"),
    ("(A2 - Y) / m", "A2 - Y", "gradient-summed"),
    ("(A2 - Y) / X.shape[0]", "A2 - Y", "gradient-summed"),
]


def checked(path: Path, *cells: str) -> Result:
    made = [{"cell_type": "code", "source": one, "metadata": {}, "outputs": []} for one in cells]
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4}))
    return starter_result(check_starter(path, timeout=20.0))


@pytest.mark.parametrize("code", [LOOP, BACKWARD], ids=["loop", "functions"])
@pytest.mark.parametrize(("old", "new", "mistake"), WRONG)
def test_a_notebook_with_one_wrong_line_is_named(
    code: str, old: str, new: str, mistake: str, tmp_path: Path
) -> None:
    assert checked(tmp_path / "right.ipynb", FUNCTIONS, code).verdict is Verdict.AGREES
    if old in code:
        found = checked(tmp_path / "wrong.ipynb", FUNCTIONS, code.replace(old, new))
        assert found.verdict is Verdict.DISAGREES
        assert [one.mistake for one in found.diagnosis] == [mistake], found.sentence


def test_a_softmax_along_the_wrong_axis_of_a_file_is_one_over_the_batch(tmp_path: Path) -> None:
    layer = "def compute_layer(x, w, b):\n    return x @ w + b\n"
    wrong = FUNCTIONS.replace("axis=1", "axis=0")
    found = checked(tmp_path / "wrong.ipynb", wrong, layer)
    assert [one.mistake for one in found.diagnosis] == ["softmax-over-batch"]


def test_loss_and_gradient_that_are_both_summed_are_one_convention(tmp_path: Path) -> None:
    both = """
def average_ce(target, prediction):
    return -np.sum(target * np.log(prediction))
def grad_ce(target, logits):
    return softmax(logits) - target
"""
    found = checked(tmp_path / "both.ipynb", FUNCTIONS, both)
    assert {one.mistake for one in found.diagnosis} == {"summed-not-averaged"}
    assert found.kind == "convention" and "--reduction sum" in found.sentence


COLUMNS = """import numpy as np
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
def forward(X, parameters):
    Z1 = np.dot(parameters["W1"], X) + parameters["b1"]
    A1 = np.tanh(Z1)
    Z2 = np.dot(parameters["W2"], A1) + parameters["b2"]
    A2 = sigmoid(Z2)
    return A2, {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}
def backward(parameters, cache, X, Y):
    m, A1, W2 = X.shape[1], cache["A1"], parameters["W2"]
    dZ2 = cache["A2"] - Y
    dW2, db2 = np.dot(dZ2, A1.T) / m, np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.multiply(np.dot(W2.T, dZ2), 1 - np.power(A1, 2))
    dW1, db1 = np.dot(dZ1, X.T) / m, np.sum(dZ1, keepdims=True) / m
    grads = {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
    return grads
"""


def test_a_bias_gradient_of_one_entry_in_a_dictionary_is_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "planar.py"
    path.write_text(COLUMNS)
    result = starter_result(check_starter(path, timeout=20.0))
    assert result.verdict is Verdict.DISAGREES
    assert {one.mistake for one in result.diagnosis} == {"bias-summed-to-a-number"}


GRAD_CE = """
def grad_ce(target, logits):
    return (softmax(logits) - target) / target.shape[1]
"""


def test_a_size_that_a_function_never_sees_is_not_what_it_divides_by(tmp_path: Path) -> None:
    result = checked(tmp_path / "mine.ipynb", FUNCTIONS, GRAD_CE)
    assert [one.mistake for one in result.diagnosis] == ["gradient-divided-by-classes"]

"""Code made for a batch is judged on a batch, not excused by single samples."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.batches import hands_single_samples, made_for_batches
from tests.hand_ins import checked, of_wrong_twin

COLUMNS = """
import numpy as np
def forward(X, W1, b1, W2, b2):
    Z1 = W1 @ X + b1
    A1 = np.maximum(Z1, 0)
    E = np.exp(W2 @ A1 + b2)
    return Z1, A1, E / np.sum(E, axis=0)
def cost(A2, Y):
    return -np.sum(Y * np.log(A2)) / Y.shape[1]
def backward(X, Y, Z1, A1, A2, W2):
    dZ2 = (A2 - Y) / X.shape[1]
    dZ1 = W2.T @ dZ2 * (Z1 > 0)
    return dZ1 @ X.T, dZ1.sum(axis=1, keepdims=True), dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
"""


@pytest.mark.slow
def test_a_softmax_over_everything_is_not_excused_by_single_samples(tmp_path: Path) -> None:
    of_wrong_twin(tmp_path, COLUMNS, "np.sum(E, axis=0)", "np.sum(E)")


@pytest.mark.parametrize(
    ("line", "batch"),
    [
        ("db1 = np.sum(dz, axis=0)", True),
        ("db1 = dz.mean(0)", True),
        ("grads = {'db2': dz.sum(axis=1, keepdims=True)}", True),
        ("m = x.shape[1]; dw = a @ dz / m", True),
        ("dw /= len(x)", True),
        ("db1 = dz", False),
        ("p = e / e.sum(axis=0)", False),
        ("db1 = np.sum(dz)", False),
        ("dw = np.outer(a, dz) / 2", False),
    ],
)
def test_a_sum_over_the_samples_or_their_number_tells_a_batch(line: str, batch: bool) -> None:
    assert made_for_batches(ast.parse(line)) is batch


ONLINE = """
def train(X, Y, W1, b1, W2, b2):
    for i in range(X.shape[1]):
        x, y = X[:, i:i+1], Y[:, i:i+1]
        Z1, A1, A2 = forward(x, W1, b1, W2, b2)
        grads = backward(x, y, Z1, A1, A2, W2)
    return grads
"""


@pytest.mark.slow
def test_a_file_that_hands_over_single_samples_is_judged_on_them(tmp_path: Path) -> None:
    online = COLUMNS.replace("np.sum(E, axis=0)", "np.sum(E)") + ONLINE
    assert checked(tmp_path, online).verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("line", "single"),
    [
        ("forward(X[i:i + 1])", True),
        ("x = X[:, j:j + 1]", True),
        ("for x, y in zip(X, Y): step(x, y)", True),
        ("for w, b in zip(self.W, self.b): a = a @ w + b", False),
        ("for w, b in zip(weights, biases): a = a @ w + b", False),
        ("x = X[:, [i]]", True),
        ("x = X[i:i + batch]", False),
        ("for w, b in layers: pass", False),
    ],
)
def test_a_slice_of_one_or_pairs_of_samples_tell_single_samples(line: str, single: bool) -> None:
    assert hands_single_samples(ast.unparse(ast.parse(line))) is single

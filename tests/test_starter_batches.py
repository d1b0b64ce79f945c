"""Code made for a batch is judged on a batch, not excused by single samples."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from compare.examine.starter.batches import made_for_batches
from tests.hand_ins import of_wrong_twin

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

"""Biases that a function steps outside of its loop over batches: once in an epoch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hand_ins import of_wrong_twin

pytestmark = pytest.mark.slow

TEXT = """import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def train(X, Y, hidden=16, lr=0.1, epochs=20, batch_size=20):
    W1 = 0.3 * np.random.randn(X.shape[1], hidden)
    b1 = np.zeros((1, hidden))
    W2 = 0.3 * np.random.randn(hidden, Y.shape[1])
    b2 = np.zeros((1, Y.shape[1]))
    losses = []
    for epoch in range(epochs):
        for start in range(0, X.shape[0], batch_size):
            x = X[start:start + batch_size]
            y = Y[start:start + batch_size]
            m = x.shape[0]
            z1 = x @ W1 + b1
            a1 = np.maximum(z1, 0)
            p = softmax(a1 @ W2 + b2)
            loss = -np.sum(y * np.log(p)) / m
            dz2 = (p - y) / m
            dW2 = a1.T @ dz2
            db2 = np.sum(dz2, axis=0, keepdims=True)
            dz1 = (dz2 @ W2.T) * (z1 > 0)
            dW1 = x.T @ dz1
            db1 = np.sum(dz1, axis=0, keepdims=True)
            W2 -= lr * dW2
            W1 -= lr * dW1
            b2 -= lr * db2
            b1 -= lr * db1
        losses.append(loss)
        print(epoch, loss)
    return W1, b1, W2, b2
"""
BIASES = "            b2 -= lr * db2\n            b1 -= lr * db1\n"


def test_biases_that_are_stepped_once_in_an_epoch_are_named(tmp_path: Path) -> None:
    outside = BIASES.replace(" " * 12, " " * 8)
    result = of_wrong_twin(tmp_path, TEXT, BIASES, outside)
    assert [one.mistake for one in result.diagnosis] == ["parameter-stepped-once-an-epoch"]


def test_a_bias_that_is_stepped_once_in_an_epoch_beside_another_is_not_called_right(
    tmp_path: Path,
) -> None:
    of_wrong_twin(tmp_path, TEXT, "            b1 -= lr * db1\n", "        b1 -= lr * db1\n")

"""Weights that are bounded beside their update are said; what only looks like it is not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.held_weights import changes_in, holding_functions, trainings
from tests.hand_ins import checked

HELPERS = """
def max_norm(W, c=3.0):
    n = np.sqrt((W ** 2).sum(axis=0, keepdims=True))
    return W * np.minimum(1.0, c / (n + 1e-8))
def adam(W, dW, s):
    return W - 0.1 * dW / (np.sqrt(s) + 1e-8)
"""
TRAIN = """
def train(X, Y, W, b, lr):
    for epoch in range(9):
        dW, db = gradients(X, Y, W, b)
        {body}
    return W, b
"""
DESCENT = "W -= lr * dW; b -= lr * db; "
SCRIPT = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 8))
Y = np.eye(3)[rng.integers(3, size=200)]
W1 = rng.normal(size=(8, 10)) * 0.5
b1 = np.zeros(10)
W2 = rng.normal(size=(10, 3)) * 0.5
b2 = np.zeros(3)
lr = 0.1
for epoch in range(50):
    z1 = X @ W1 + b1
    h1 = np.maximum(z1, 0)
    z2 = h1 @ W2 + b2
    e = np.exp(z2 - z2.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    dz2 = (p - Y) / len(X)
    dW2 = h1.T @ dz2
    db2 = dz2.sum(axis=0)
    dz1 = (dz2 @ W2.T) * (z1 > 0)
    dW1 = X.T @ dz1
    db1 = dz1.sum(axis=0)
    W1 -= lr * dW1
    b1 -= lr * db1
    W2 -= lr * dW2
    b2 -= lr * db2
    {more}
"""


@pytest.mark.parametrize(
    ("body", "held"),
    [
        (DESCENT, []),
        (DESCENT + "W *= np.minimum(1, 3 / np.linalg.norm(W, axis=0))", ["W"]),
        (DESCENT + "W = W * min(1, 3 / np.linalg.norm(W))", ["W"]),
        (DESCENT + "n = np.linalg.norm(b); b = b * min(1, 3 / (n + 1e-12))", ["b"]),
        (DESCENT + "W = np.clip(W, -3, 3)", ["W"]),
        (DESCENT + "W = max_norm(W)", ["W"]),
        ("W = max_norm(W - lr * dW); b -= lr * db", ["W"]),
        ("W = np.clip(W - lr * dW, -3, 3); b = b - lr * db", ["W"]),
        ("W = np.clip(W, -3, 3); " + DESCENT, ["W"]),
        ("W -= lr * np.clip(dW, -5, 5); b -= lr * np.clip(db, -5, 5)", []),
        ("W = W - lr * dW / np.sqrt(np.sum(dW ** 2)); b -= lr * db", []),
        ("W = adam(W, dW, s); b -= lr * db", []),
        (DESCENT + "W *= 1 - lr * 0.01", []),  # weight decay
        (DESCENT + "z = np.maximum(X @ W + b, 0)", []),
        (DESCENT + "size = np.linalg.norm(W)", []),
        (DESCENT + "lr = max(lr * 0.9, 1e-4)", []),
        (DESCENT + "z = z - z.max(axis=1, keepdims=True)", []),
        ("z = np.exp(z - m - np.log(np.exp(z - m).sum()))", []),
    ],
)
def test_a_bounded_weight_is_told_from_other_lines(body: str, held: list[str]) -> None:
    tree = ast.parse(HELPERS + TRAIN.format(body=body))
    holding = holding_functions([tree])
    assert holding == {"max_norm"}
    told = [name for _, parts in trainings(tree) for _, name in changes_in(parts, holding)]
    assert told == held


@pytest.mark.slow
def test_a_training_whose_weights_are_held_is_undecided_with_the_line(tmp_path: Path) -> None:
    assert checked(tmp_path, SCRIPT.format(more="pass")).verdict is Verdict.AGREES
    line = "W1 *= np.minimum(1, 3 / np.linalg.norm(W1, axis=1, keepdims=True))"
    held = checked(tmp_path, SCRIPT.format(more=line))
    assert held.verdict is Verdict.UNDECIDABLE
    (check,) = (one for one in held.checks if one.check.startswith("the bounds of W1"))
    assert line in check.sentence

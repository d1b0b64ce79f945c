"""Functions and loops of three layers: bound by their names, and judged like those of two."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.examine.starter.binding import layers_named, weight_called
from tests.hand_ins import of_wrong_twin

pytestmark = pytest.mark.slow

HEAD = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
"""
FUNCTIONS = (
    HEAD
    + """
def forward(X, W_h1, b_h1, W_h2, b_h2, W_o, b_o):
    A1 = np.maximum(0, X @ W_h1 + b_h1)
    A2 = np.maximum(0, A1 @ W_h2 + b_h2)
    return A1, A2, softmax(A2 @ W_o + b_o)
def backward(X, Y, A1, A2, P, W_h2, W_o):
    d = (P - Y) / len(Y)
    dW_o, db_o = A2.T @ d, d.sum(axis=0)
    d = d @ W_o.T * (A2 > 0)
    dW_h2, db_h2 = A1.T @ d, d.sum(axis=0)
    d = d @ W_h2.T * (A1 > 0)
    return X.T @ d, d.sum(axis=0), dW_h2, db_h2, dW_o, db_o
"""
)
CONTAINERS = (
    HEAD
    + """
def init(sizes):
    pairs = zip(sizes[:-1], sizes[1:])
    return {"W3": np.ones((sizes[2], sizes[3])), "b3": np.zeros(sizes[3]),
            **{f"W{i}": np.ones((sizes[i - 1], sizes[i])) for i in (1, 2)},
            **{f"b{i}": np.zeros(sizes[i]) for i in (1, 2)}}
def forward(p, X):
    h1 = np.tanh(X @ p["W1"] + p["b1"])
    h2 = np.tanh(h1 @ p["W2"] + p["b2"])
    return h1, h2, softmax(h2 @ p["W3"] + p["b3"])
def loss(probs, y):
    return -np.mean(np.log(probs[np.arange(len(y)), y]))
def backward(p, X, y, h1, h2, probs):
    d = probs.copy()
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    g = {"W3": h2.T @ d, "b3": d.sum(0)}
    d = d @ p["W3"].T * (1 - h2**2)
    g["W2"], g["b2"] = h1.T @ d, d.sum(0)
    d = d @ p["W2"].T * (1 - h1**2)
    g["W1"], g["b1"] = X.T @ d, d.sum(0)
    return g
"""
)
LOOP = (
    HEAD
    + """
def train(X, Y, W1, b1, W2, b2, W3, b3):
    for epoch in range(10):
        A1 = np.maximum(0, X @ W1 + b1)
        A2 = np.maximum(0, A1 @ W2 + b2)
        P = softmax(A2 @ W3 + b3)
        d3 = (P - Y) / len(Y)
        d2 = d3 @ W3.T * (A2 > 0)
        d1 = d2 @ W2.T * (A1 > 0)
        W3 -= 0.1 * A2.T @ d3
        b3 -= 0.1 * d3.sum(axis=0)
        W2 -= 0.1 * A1.T @ d2
        b2 -= 0.1 * d2.sum(axis=0)
        W1 -= 0.1 * X.T @ d1
        b1 -= 0.1 * d1.sum(axis=0)
"""
)


@pytest.mark.parametrize(
    ("text", "old", "new", "title"),
    [
        (FUNCTIONS, "d @ W_o.T * (A2 > 0)", "d @ W_o.T", "activation in layer 2 only"),
        (CONTAINERS, "(1 - h1**2)", "(1 - h1) ** 2", "1 - h**2 belongs in layer 1 only"),
        (LOOP, "d2 @ W2.T * (A1 > 0)", "d2 @ W2.T", "activation in layer 1 only"),
    ],
    ids=["functions", "containers", "a loop"],
)
def test_three_layers_are_judged_and_their_mistake_is_named(
    text: str, old: str, new: str, title: str, tmp_path: Path
) -> None:
    wrong = of_wrong_twin(tmp_path, text, old, new)
    assert wrong.diagnosis[0].title.endswith(title)


def test_names_say_how_many_layers_there_are() -> None:
    assert layers_named(["W1", "dW3", "b_2"]) == 3
    assert layers_named(["w_h1", "w_h2", "w_o"]) == 3
    assert layers_named(["w_h", "w_o", "w1", "x3", "W17"]) == 2
    assert weight_called("W_o", 3) == "w3" and weight_called("b_h2", 3) == "b2"
    assert weight_called("W_o") == "w2" and weight_called("W3") == ""

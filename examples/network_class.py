"""A network with one hidden layer as many people write it: a class with everything inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Network:
    """Two weight matrices, two biases, and what the last forward pass left behind."""

    def __init__(self, W1: Array, b1: Array, W2: Array, b2: Array) -> None:
        self.W1, self.b1, self.W2, self.b2 = W1, b1, W2, b2

    def forward(self, X: Array) -> Array:
        """Return the probabilities of every class, (N, K)."""
        self.X = X
        self.A = np.tanh(X @ self.W1 + self.b1)
        scores = self.A @ self.W2 + self.b2
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        P: Array = e / e.sum(axis=1, keepdims=True)
        self.P = P
        return P

    def loss(self, Y: Array) -> float:
        """Return the average cross-entropy of the last forward pass."""
        return float(-np.mean(np.sum(Y * np.log(self.P), axis=1)))

    def backward(self, Y: Array) -> tuple[Array, Array, Array, Array]:
        """Return dW1, db1, dW2, db2 of the last forward pass."""
        delta = (self.P - Y) / len(Y)
        hidden = (delta @ self.W2.T) * (1 - self.A**2)
        return self.X.T @ hidden, hidden.sum(axis=0), self.A.T @ delta, delta.sum(axis=0)

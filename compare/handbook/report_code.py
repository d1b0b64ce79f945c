"""The report's sections 1.1 to 1.3 as they are printed, and nothing corrected.

Its names: x_in the images, x_h the hidden values, p_o the probabilities, w_h, b_h, w_o, b_o the
parameters of the hidden and the output layer. Where the text shows an equation and no code, the
equation is written down in NumPy with the report's factors in the report's order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays

Curve = list[float]


def relu(x: Array) -> Array:
    """Section 1.1.1."""
    return np.maximum(x, 0)


def softmax(x: Array) -> Array:
    """Section 1.1.2."""
    x = x - (np.max(x, axis=1)).reshape(x.shape[0], 1)
    p: Array = np.exp(x) / (np.sum(np.exp(x), axis=1)).reshape(x.shape[0], 1)
    return p


def compute_layer(x: Array, w: Array, b: Array) -> Array:
    """Section 1.1.3."""
    s: Array = np.matmul(x, w) + b
    return s


def average_ce(target: Array, prediction: Array) -> Any:
    """Section 1.1.4."""
    N = target.shape[0]
    avg_ce = -np.sum(target * np.log(prediction + 0.00001)) / N
    return avg_ce


def derived_loss(y: Array, p: Array) -> Any:
    """Section 1.1.5, L = sum_n sum_k y log p."""
    return np.sum(y * np.log(p))


def derived_gradient(y: Array, p: Array) -> Array:
    """Section 1.1.5, dL/dtheta = -y^T (1/p) p (1 - p)."""
    gradient: Array = -y * (1 / p) * p * (1 - p)
    return gradient


def grad_ce(target: Array, logits: Array) -> Array:
    """Section 1.1.5, the code."""
    gradient: Array = logits - target
    return gradient


def dw_o(x_h: Array, y: Array) -> Array:
    """Section 1.2.1, dL/dw_o = x_h (1 - y)^T."""
    gradient: Array = x_h.T @ (1 - y)
    return gradient


def db_o(p_o: Array, y: Array) -> Array:
    """Section 1.2.2, dL/db_o = (p_o - y)."""
    return p_o - y


def dw_h(x_in: Array, x_h: Array, w_o: Array, p_o: Array, y: Array) -> Array:
    """Section 1.2.3, dL/dw_h = (p_o - y) w_o I(x_h > 0) x_in."""
    gradient: Array = x_in.T @ ((p_o - y) @ w_o.T * (x_h > 0))
    return gradient


def db_h(x_h: Array, w_h: Array, y: Array) -> Array:
    """Section 1.2.4, dL/db_h = (1 - y) w_h I(x_h > 0), added up over the batch."""
    gradient: Array = ((1 - y) @ w_h * (x_h > 0)).sum(axis=0)
    return gradient


Measure = Callable[[Arrays], tuple[float, float]]
Gradients = Callable[[Arrays], Arrays]


def updated(w: Arrays, v: Arrays, d: Arrays, gamma: float, learning_rate: float) -> None:
    """Section 1.3.1, the update."""
    for name in w:
        v[name] = gamma * v[name] + learning_rate * d[name]
        w[name] = w[name] - v[name]


def learning_as_printed(
    epochs: int, w: Arrays, measure: Measure, gradients: Gradients, rates: tuple[float, float]
) -> tuple[Curve, Curve]:
    """Section 1.3.1 with the indentation it is printed with: the update follows the loop."""
    losses, accuracies = [], []
    v = {name: np.zeros_like(array) for name, array in w.items()}
    for _ in range(epochs):
        loss, accuracy = measure(w)
        accuracies.append(accuracy)
        losses.append(loss)
    updated(w, v, gradients(w), *rates)
    return losses, accuracies


def learning_as_meant(
    epochs: int,
    training: tuple[Arrays, Measure, Gradients],
    validation: tuple[Arrays, Measure, Gradients],
    rates: tuple[float, float],
) -> tuple[tuple[Curve, Curve], tuple[Curve, Curve]]:
    """Section 1.3.1 with everything in the loop: two sets of weights, trained side by side."""
    curves: list[tuple[Curve, Curve]] = [([], []), ([], [])]
    velocities = [
        {name: np.zeros_like(a) for name, a in s[0].items()} for s in (training, validation)
    ]
    for _ in range(epochs):
        for (w, measure, gradients), v, curve in zip(
            (training, validation), velocities, curves, strict=True
        ):
            loss, accuracy = measure(w)
            curve[1].append(accuracy)
            curve[0].append(loss)
            updated(w, v, gradients(w), *rates)
    return curves[0], curves[1]

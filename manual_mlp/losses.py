"""The losses beside softmax cross-entropy: squared, absolute, Huber, hinge, and logistic.

A table with one entry each. An entry is what the loss adds up and its derivative, both before any
mean is taken: L = sum of `terms(o, y)`, and dL/do = `derivative(o, y)`, o and y being (N, K).
`rows` says what its "mean" counts: rows (N), or all entries (N K), as torch has it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from manual_mlp.arrays import Array
from manual_mlp.loss import exponentials
from manual_mlp.smooth import sigmoid, softplus


@dataclass(frozen=True, slots=True)
class Loss:
    """One loss: `terms(o, y)` add up to it, `derivative(o, y)` is that of the sum, (N, K)."""

    terms: Callable[[Array, Array], Array]
    derivative: Callable[[Array, Array], Array]
    rows: bool = False


def squared_terms(o: Array, y: Array) -> Array:
    """(o - y)^2 of every entry; the half squared error is this with a factor of 0.5."""
    d = o - y
    terms: Array = d * d
    return terms


def squared_derivative(o: Array, y: Array) -> Array:
    """d (o - y)^2 / do = 2 (o - y)."""
    d: Array = 2 * (o - y)
    return d


def absolute_terms(o: Array, y: Array) -> Array:
    """|o - y| of every entry."""
    terms: Array = np.abs(o - y)
    return terms


def absolute_derivative(o: Array, y: Array) -> Array:
    """d |o - y| / do = sign(o - y); at the kink o = y it is 0, as torch has it."""
    d: Array = np.sign(o - y)
    return d


def huber_terms(o: Array, y: Array) -> Array:
    """Squared near the target, absolute away from it, with d = o - y.

        d^2 / 2      for |d| <= 1
        |d| - 1/2    for |d| > 1

    Source: Huber 1964, Robust Estimation of a Location Parameter, Ann. Math. Statist. 35.
    """
    d = np.abs(o - y)
    terms: Array = np.where(d <= 1, d * d / 2, d - 0.5)
    return terms


def huber_derivative(o: Array, y: Array) -> Array:
    """d itself, held between -1 and 1: the two pieces join without a jump."""
    d: Array = np.clip(o - y, -1, 1)
    return d


def hinge_terms(o: Array, y: Array) -> Array:
    """Multi-class hinge with margin 1; t is the class of the row, the largest entry of y.

        max(0, 1 - o_nt + o_nk)    for k != t,    0 for k = t

    Source: Weston & Watkins 1999, Support Vector Machines for Multi-Class Pattern Recognition.
    """
    rows, t = np.arange(len(o)), y.argmax(axis=1)
    margins: Array = np.maximum(o - o[rows, t][:, None] + 1, 0)  # (N, K)
    margins[rows, t] = 0
    return margins


def hinge_derivative(o: Array, y: Array) -> Array:
    """1 at every class within the margin, and at the row's own class minus their number.

    At the kink, a margin of exactly 0, it is 0, as torch has it.
    """
    rows, t = np.arange(len(o)), y.argmax(axis=1)
    within = (hinge_terms(o, y) > 0).astype(o.dtype)  # (N, K)
    within[rows, t] = -within.sum(axis=1)
    return within


def logistic_terms(o: Array, y: Array) -> Array:
    """Binary cross-entropy of sigmoid(o), for every entry, on the logits themselves.

        -y log s(o) - (1 - y) log (1 - s(o)) = log(1 + exp(o)) - y o
            = max(o, 0) - y o + log(1 + exp(-|o|))

    No probability is formed, so none is rounded to 0 or 1 in front of a logarithm. For o > 0 the
    first two are o (1 - y), written so: they would cancel.
    """
    straight = np.where(o > 0, o * (1 - y), -y * o)
    terms: Array = straight + softplus(-np.abs(o))
    return terms


def logistic_derivative(o: Array, y: Array) -> Array:
    """d (log(1 + exp(o)) - y o) / do = sigmoid(o) - y."""
    d: Array = sigmoid(o) - y
    return d


def entropy_terms(o: Array, y: Array) -> Array:
    """-y_nk log softmax(o)_nk, for targets y of any sums: smoothed, weighted, or zero."""
    shifted, _, total = exponentials(o)
    terms: Array = y * (np.log(total) - shifted)
    return terms


def entropy_derivative(o: Array, y: Array) -> Array:
    """d/do_nk sum_j -y_nj log p_nj = p_nk sum_j y_nj - y_nk; the sum is 1 for plain targets."""
    _, e, total = exponentials(o)
    d: Array = e / total * y.sum(axis=1, keepdims=True) - y
    return d


LOSSES: dict[str, Loss] = {
    "cross_entropy": Loss(entropy_terms, entropy_derivative, rows=True),
    "bce": Loss(logistic_terms, logistic_derivative),
    "mse": Loss(squared_terms, squared_derivative),
    "l1": Loss(absolute_terms, absolute_derivative),
    "huber": Loss(huber_terms, huber_derivative),
    "hinge": Loss(hinge_terms, hinge_derivative),
}

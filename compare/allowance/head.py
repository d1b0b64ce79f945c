"""From the logits to the loss and to dlogits: the allowances of the network's last stage.

All of it is found row by row, but for a few numbers that only all rows of a batch tell (see
`told.py`). So a long batch is looked at in blocks of rows, twice: once for these, once by them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

import numpy as np

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.batch import Batch
from compare.allowance.operands import Where
from compare.allowance.softmax import (
    probability_allowance,
    rounding_of_quotient,
    sample_loss_allowance,
    target_slack,
)
from compare.allowance.told import Softmaxed, Told
from compare.allowance.totals import rounding_of_losses
from compare.contracts.arrays import Float, Real


class Head(NamedTuple):
    """Allowances from the logits on, all class by class, (K, N). `loss`: A(sum of the losses).

    `probabilities`: softmax of the reference's logits; `dlogits`: before the division by N;
    `weights`: how often each sample occurs, (N,), None if once. `softmax`: whether the derivative
    at the logits is that of softmax; `rounded` is then what its lse may be rounded by, (N,).
    """

    probabilities: Float
    logits: Float
    p: Float
    dlogits: Float
    loss: float
    weights: Float | None
    softmax: bool = False
    rounded: Float | None = None

    def own(self, rows: Where | slice, y: Float, unit: float) -> tuple[Float, Float]:
        """Return which parts of A(dlogits)**2 in some rows are no error of the logits, (S, K).

        What each p rounds by itself, `y` (K, N), and what all p of a sample share, from lse.
        """
        p, allowed = self.probabilities[:, rows], self.dlogits[:, rows]
        own = p * rounding_of_quotient(p, np.maximum.reduce(p), unit)
        own += 2 * unit * np.abs(p - y[:, rows])
        shared = p * (0.0 if self.rounded is None else self.rounded[rows])
        parts = np.zeros((2, *p.shape))
        np.divide((own, shared), allowed, out=parts, where=allowed > 0)
        parts *= parts
        parts /= np.maximum(np.add.reduce(parts), 1.0)
        return parts[0].T, parts[1].T


class Top(NamedTuple):
    """What stands above the last layer: how the allowances go on from the logits, and what the
    sum over all terms of the loss is multiplied by."""

    head: Callable[[Arithmetic, Real, Batch, Float], Head]
    share: float


class Losses(NamedTuple):
    """What the samples of some rows lose, and what each of their losses is allowed, (N,)."""

    values: Float
    allowed: Float


def cross_entropy_top(rows: int, reduction: str) -> Top:
    """Return that of softmax cross-entropy."""
    return Top(head_allowances, {"mean": 1 / rows, "sum": 1.0}[reduction])


def head_allowances(arithmetic: Arithmetic, reference: Real, batch: Batch, z_square: Float) -> Head:
    """Return the allowances of softmax, loss and dlogits; `z_square` is A(logits)**2, (K, N)."""
    rows = Softmaxed.of(reference, z_square, arithmetic.unit)
    told = Told.by([rows], batch.often, arithmetic, lambda: reference)
    head, losses = head_of_rows(rows, batch, told, arithmetic.unit)
    return head._replace(loss=loss_allowance(losses, told.weights, arithmetic))


def head_of_rows(rows: Softmaxed, batch: Batch, told: Told, unit: float) -> tuple[Head, Losses]:
    """Return the head of the rows of `batch` but for the loss, and their losses, by what is told.

    A(dlogits) = A(p) + 2 unit |p - y|        and what soft targets miss of a sum of 1
    """
    p, moved, largest = rows.p, rows.moved, rows.largest
    p_allowance = probability_allowance(
        p, rows.most, moved, largest, told.lse.p, unit, told.to_one, told.small
    )
    error = p - batch.y
    np.abs(error, out=error)
    slack = target_slack(batch, unit)
    allowed = sample_loss_allowance(
        error, moved, largest, rows.sizes, unit, slack is not None, told.lse.losses
    )  # (N,)
    error *= 2 * unit
    dlogits = np.add(p_allowance, error, out=error)
    values = -np.einsum("kn,kn->n", batch.y, rows.shifted) - np.log(rows.most)  # (N,)
    if slack is not None:
        allowed += values * slack
        dlogits += p * slack
    losses = Losses(values, allowed)
    head = Head(p, rows.z_allowance, p_allowance, dlogits, 0.0, told.weights, True, told.lse.p)
    return head, losses


def loss_allowance(losses: Losses, weights: Float | None, arithmetic: Arithmetic) -> float:
    """Return A(sum of the losses) of a whole batch."""
    values, squares = losses.values, losses.allowed * losses.allowed
    total = float(np.add.reduce(squares) if weights is None else squares @ weights)
    return sqrt(total) + rounding_of_losses(values, arithmetic) + len(values) * arithmetic.floor()

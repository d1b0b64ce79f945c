"""From the logits to the loss and to dlogits: the allowances of the network's last stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from compare.allowance.alike import row_weights
from compare.allowance.arithmetic import Arithmetic
from compare.allowance.batch import Batch
from compare.allowance.log_sum_exp import Rounded
from compare.allowance.operands import Where
from compare.allowance.softmax import (
    moved_logits,
    probability_allowance,
    rounding_of_quotient,
    sample_loss_allowance,
    softmax_columns,
    target_slack,
)
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


def cross_entropy_top(rows: int, reduction: str) -> Top:
    """Return that of softmax cross-entropy."""
    return Top(head_allowances, {"mean": 1 / rows, "sum": 1.0}[reduction])


def head_allowances(arithmetic: Arithmetic, reference: Real, batch: Batch, z_square: Float) -> Head:
    """Return the allowances of softmax, loss and dlogits; `z_square` is A(logits)**2, (K, N).

    A(dlogits) = A(p) + 2 unit |p - y|        and what soft targets miss of a sum of 1
    """
    unit, count = arithmetic.unit, len(reference)
    logits = np.asarray(reference.T, dtype=np.float64, order="C")  # (K, N)
    z_allowance = np.sqrt(z_square, order="C")
    p, shifted = softmax_columns(logits)
    most = np.maximum.reduce(p)  # (N,)
    moved = moved_logits(shifted, z_allowance, unit)
    largest = np.maximum.reduce(moved)  # (N,)
    lse = Rounded.of(p, np.maximum.reduce(logits), most, largest, arithmetic.roundoff)
    p_allowance = probability_allowance(p, most, moved, largest, lse.p, unit)
    sizes = np.maximum.reduce(np.abs(logits))  # (N,)
    weights = row_weights(batch.often, logits, float(sizes.max()), arithmetic.roundoff)
    error = p - batch.y
    np.abs(error, out=error)
    slack = target_slack(batch, unit)
    terms = sample_loss_allowance(
        error, moved, largest, sizes, unit, slack is not None, lse.losses
    )  # (N,)
    error *= 2 * unit
    dlogits = np.add(p_allowance, error, out=error)
    losses = -np.einsum("kn,kn->n", batch.y, shifted) - np.log(most)  # (N,)
    if slack is not None:
        terms += losses * slack
        dlogits += p * slack
    terms *= terms
    carried = float(np.add.reduce(terms) if weights is None else terms @ weights) ** 0.5
    loss = carried + rounding_of_losses(losses, arithmetic) + count * arithmetic.floor()
    return Head(p, z_allowance, p_allowance, dlogits, loss, weights, True, lse.p)

"""The last stage of a training run's allowances, for every loss but plain softmax cross-entropy.

What stands between the logits and dlogits is small, (N, K), so here the runs and the textbook read
the same rules: those on Pairs.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Allowances, Arithmetic, Batch, ForwardAllowances
from compare.allowance.alike import row_weights
from compare.allowance.head import Head, Top
from compare.contracts.arrays import Float, Real, Values
from compare.contracts.objective import Objective
from compare.textbook import losses
from compare.textbook.corners import kinds_of, steepest
from compare.textbook.pair import Pair, exact


def declared_top(objective: Objective, targets: Real, *, settled: bool = False) -> Top:
    """Return what stands above the last layer of a declared network.

    `settled`: which slopes there are at corners is known, so that only the rest rounds.
    """
    return Top(partial(declared_head, objective, settled), objective.share(targets))


def declared_head(
    objective: Objective,
    settled: bool,
    arithmetic: Arithmetic,
    logits: Real,
    batch: Batch,
    z_square: Float,
) -> Head:
    """Return what `head_allowances` does; `z_square` is A(logits)**2, (K, N)."""
    dtype = batch.x.dtype
    wide = np.asarray(logits, dtype=np.float64)
    z = Pair(wide, np.sqrt(z_square.T), dtype)  # (N, K)
    y = exact(batch.targets, dtype)
    predicted = losses.prediction(z, objective)
    slope = (settled_derivative if settled else losses.derivative)(z, y, objective)
    total = losses.terms(z, y, objective).sum()
    sizes = float(np.abs(wide).max(initial=0.0))
    weights = row_weights(batch.often, wide.T, sizes, arithmetic.roundoff)
    return Head(
        predicted.value.T, z.allowance.T, predicted.allowance.T, slope.allowance.T,
        float(total.allowance), weights,
    )  # fmt: skip


def settled_derivative(z: Pair, y: Pair, objective: Objective) -> Pair:
    """Return the derivative of the terms at the logits with the steeper slope at every corner."""
    predicted = losses.output(z, objective).value
    steps = (steepest(kind, z.dtype) for kind in kinds_of(z, y, objective, predicted))
    return losses.derivative_along(z, y, objective, *steps)


def with_penalty(
    found: Allowances, objective: Objective, parameters: Values, gradients: Values, rows: int
) -> Allowances:
    """Return the allowances of a loss and gradients to which a penalty is added."""
    dtype = next(iter(parameters.values())).dtype
    unit = Arithmetic.of(dtype).unit
    entries, projections = dict(found.gradients), dict(found.projections)
    for name in objective.penalised(parameters):
        slope = losses.penalty_slope(exact(parameters[name], dtype), rows, objective)
        size = np.abs(gradients[name].astype(np.float64))
        more = slope.allowance + unit * (np.abs(slope.value) + size)  # and one addition
        entries[name] = entries[name] + more
        projections[name] += relative_length(more, size)
    forward = with_penalty_forward(found.forward, objective, parameters, rows)
    return replace(found, forward=forward, gradients=entries, projections=projections)


def with_penalty_forward(
    found: ForwardAllowances, objective: Objective, parameters: Values, rows: int
) -> ForwardAllowances:
    """Return the allowances of a loss to which a penalty is added."""
    dtype = next(iter(parameters.values())).dtype
    term = losses.penalty(parameters, rows, objective, dtype)
    more = float(term.allowance) + Arithmetic.of(dtype).unit * float(term.value)
    return replace(found, loss=found.loss + more)


def relative_length(more: NDArray[np.float64], size: NDArray[np.float64]) -> float:
    """Return ||more|| / ||size||, infinite where there is nothing to be relative to."""
    length = float(np.linalg.norm(size))
    return float(np.linalg.norm(more)) / length if length else np.inf

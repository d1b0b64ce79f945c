"""Whether a step is right to the last digit: held against torch's gradient with its allowance.

A gradient that is read off a step, (w - w') / rate, also has the roundings of both weights; the
rate itself is known as well as the gradients are from which it is found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.objective import Objective
from compare.examine.starter.training.steps import Fit, Step, laid_beside
from compare.examine.starter.training.trained import Training
from compare.textbook import Pass, Point

TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True)
class Recovered:
    """Gradients of a step, divided by their common factor, with what is due and allowed."""

    seen: Arrays
    due: Arrays
    allowed: Arrays

    def worst(self) -> float:
        """Return the largest ratio of a difference to its allowance."""
        return max(
            float((np.abs(one - self.due[name]) / self.allowed[name]).max())
            for name, one in self.seen.items()
        )


def recovered(training: Training, step: Step, rows: Sequence[int], fit: Fit) -> Recovered:
    """Return the gradients that a step was made of."""
    due, ways = training.due(step, rows), fit.ways
    factor = float(np.median(list(fit.factors.values())))
    before, after = step.parameters, training.chain.parameters(step.after)
    unit = float(np.finfo(step.dtype).eps)
    allowances = own_allowances(training, step, rows)
    seen, allowed = dict(fit.rest or step.taken), {}
    for name, one in due.items():
        own = allowances[name]
        if ways:
            seen[name] = laid_beside(step, ways[name], one)
        else:
            own = own + unit * (np.abs(before[name]) + np.abs(after[name])) / abs(factor)
        share = float(np.linalg.norm(own) / max(float(np.linalg.norm(one)), TINY))
        allowed[name] = own + (share + unit) * np.abs(one) + TINY
    return Recovered({name: one / factor for name, one in seen.items()}, due, allowed)


def own_allowances(training: Training, step: Step, rows: Sequence[int]) -> Arrays:
    """Return how far the gradients of a step may be from torch's."""
    right = Pass(point_at(training, step.parameters, rows, step.dtype))
    return {name: np.asarray(right.named(f"d{name}").allowance, float).reshape(one.shape)
            for name, one in step.parameters.items()}  # fmt: skip


def point_at(
    training: Training, parameters: Mapping[str, Array], rows: Sequence[int], dtype: str = "float64"
) -> Point:
    """Return the point of a step: some rows, in the network of a training."""
    network, x, targets = training.network, training.data.x, training.targets
    objective = Objective(network.loss, network.output, network.reduction, network.loss_factor)
    return Point(parameters, x[list(rows)], targets[list(rows)], network.activation,
                 network.reduction, np.dtype(dtype), objective)  # fmt: skip

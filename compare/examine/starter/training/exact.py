"""Whether a step is right to the last digit: held against torch's gradient with its allowance.

A gradient that is read off a step, (w - w') / rate, also has the roundings of both weights; the
rate itself is known as well as the gradients are from which it is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.objective import Objective
from compare.examine.starter.networks import Network
from compare.examine.starter.training.steps import Step
from compare.examine.starter.training.trained import Training, laid_beside
from compare.textbook import Pass, Point

SINGLE, TINY = 1e-10, float(np.finfo(float).tiny)
"""Units of rounding above it are those of float32."""


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


def recovered(training: Training, step: Step, rows: list[int], factor: float) -> Recovered:
    """Return the gradients that a step was made of."""
    due, ways = training.due(step, rows), training.fit.ways
    before, after = step.parameters, training.chain.parameters(step.after)
    unit = float(np.finfo(step.before[training.chain.weights[0]].dtype).eps)
    dtype = "float32" if unit > SINGLE else "float64"
    at = point_of(training.network, before, training.data.x[rows], training.targets[rows], dtype)
    right = Pass(at)
    seen, allowed = step.taken, {}
    for name, one in due.items():
        own = np.asarray(right.named(f"d{name}").allowance, float).reshape(one.shape)
        if ways:
            seen[name] = laid_beside(step, ways[name], one)
        else:
            own = own + unit * (np.abs(before[name]) + np.abs(after[name])) / abs(factor)
        share = float(np.linalg.norm(own) / max(float(np.linalg.norm(one)), TINY))
        allowed[name] = own + (share + unit) * np.abs(one) + TINY
    factors = training.fit.factors if ways else dict.fromkeys(due, factor)
    return Recovered({name: one / factors[name] for name, one in seen.items()}, due, allowed)


def point_of(
    network: Network, parameters: Mapping[str, Array], x: Array, targets: Array, dtype: str
) -> Point:
    """Return the point of a step."""
    objective = Objective(network.loss, network.output, network.reduction, network.loss_factor)
    return Point(parameters, x, targets, network.activation, network.reduction, np.dtype(dtype),
                 objective)  # fmt: skip

"""Whether the steps of a training follow torch's SGD with momentum, each from the gradient due.

A step is then a share of the step before plus a rate times the gradient, with Nesterov's momentum
a rate times (1 + share) gradients less a share of the gradient before. The share is a number that
is written in the text. What the velocity was at first is an array that was seen, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.training.exact import own_allowances
from compare.examine.starter.training.steps import MOST, SAME, Step, multiple
from compare.examine.starter.training.trained import Training
from compare.examine.starter.training.velocities import lying_beside

ROUNDINGS = 4
"""Of a share and a rate by arrays, and of their sum."""


@dataclass(frozen=True)
class Rule:
    """How much of the step before a step has, how many times its gradient, and in which form."""

    share: float
    rate: float
    nesterov: bool

    def words(self) -> str:
        """What a training that follows it does."""
        name = "Nesterov's momentum" if self.nesterov else "momentum"
        return f"run over rows of ours, its steps are those of torch's gradient and {name}"

    def made_of(self, due: Arrays, last: Arrays) -> Arrays:
        """The gradient that the rate is taken times of."""
        if not self.nesterov:
            return due
        return {name: (1 + self.share) * one - self.share * last[name]
                for name, one in due.items()}  # fmt: skip


def rule_of(training: Training, numbers: Sequence[float]) -> Rule | None:
    """Return the rule that all steps follow; None where none of them does."""
    for share in sorted({one for one in numbers if 0 < one < 1}, reverse=True):
        for nesterov in (False, True):
            rule = follows(training, share, nesterov=nesterov)
            if rule is not None:
                return rule
    return None


def follows(training: Training, share: float, *, nesterov: bool) -> Rule | None:
    """Return the rule with a share, if all steps follow it, the first one included."""
    last, rate, bare = training.due(training.step, training.rows), 0.0, Rule(share, 1.0, nesterov)
    first = bare.made_of(last, {name: np.zeros_like(one) for name, one in last.items()})
    for before, step in zip(training.steps, training.steps[1:], strict=False):
        if step.before is not before.after:
            return None
        more = {name: one - share * before.taken[name] for name, one in step.taken.items()}
        for due, rows in dues(training, step):
            made = bare.made_of(due, last)
            found = common_factor(more, made, step.near)
            if found and (not rate or np.isclose(found, rate, rtol=SAME)):
                rate, last = rate or found, due
                allowed = allowances(training, (before, step), rows, made, rate)
                break
        else:
            return None
        if not is_within(more, made, rate, allowed):
            return None
    begun = rate > 0 and begins(training, first, rate, share)
    return Rule(share, rate, nesterov) if begun else None


def dues(training: Training, step: Step) -> Iterator[tuple[Arrays, list[int]]]:
    """Yield the gradients that a step may be made of, with the rows of each."""
    for _, rows in step.batches(training.data)[:MOST]:
        yield training.due(step, rows), rows


def common_factor(taken: Arrays, due: Arrays, near: float) -> float:
    """Return the one positive number by which all arrays are those due; 0 where there is none."""
    factors = [multiple(taken[name], one, near) for name, one in due.items()]
    same = all(one > 0 and np.isclose(one, factors[0], rtol=SAME) for one in factors)
    return float(np.median(factors)) if same else 0.0


def allowances(
    training: Training, steps: Sequence[Step], rows: Sequence[int], due: Arrays, rate: float
) -> Arrays:
    """Return how far a step may be from the rule by rounding: that of the gradient, of the weights
    it is read off, and of the rate."""
    step, unit = steps[-1], float(np.finfo(steps[-1].dtype).eps)
    own = own_allowances(training, step, rows)
    sizes = {name: sum(np.abs(one.parameters[name]) for one in steps) for name in due}
    shares = [float(np.linalg.norm(own[name]) / max(float(np.linalg.norm(one)), 1e-300))
              for name, one in due.items()]  # fmt: skip
    return {name: ROUNDINGS * (unit * sizes[name]
            + rate * (own[name] + (max(shares) + unit) * np.abs(one)))
            for name, one in due.items()}  # fmt: skip


def is_within(taken: Arrays, due: Arrays, rate: float, allowed: Mapping[str, Array]) -> bool:
    """Return whether all arrays are a rate times those due."""
    return all(bool((np.abs(taken[name] - rate * one) <= allowed[name]).all())
               for name, one in due.items())  # fmt: skip


def begins(training: Training, due: Arrays, rate: float, share: float) -> bool:
    """Return whether the first step is the rate times its gradient, and a share of an array that
    lay beside the weights before it, the same for all."""
    step = training.step
    allowed = allowances(training, (step, step), training.rows, due, rate)
    rest = {name: one - rate * due[name] for name, one in step.taken.items()}
    return all(
        bool((np.abs(one) <= allowed[name]).all())
        or any(within(one, share * way * laid, allowed[name])
               for laid in lying_beside(step, one) for way in (1, -1))
        for name, one in rest.items()
    )  # fmt: skip


def within(one: Array, other: Array, allowed: Array) -> bool:
    """Return whether two arrays are as near as allowed."""
    return bool((np.abs(one - other) <= allowed).all())

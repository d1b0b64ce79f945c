"""Whether the steps of a training follow torch's SGD with momentum, each from the gradient due.

A step is then a share of the step before plus a rate times the gradient, with Nesterov's momentum
a rate times (1 + share) gradients less a share of the gradient before, as torch has it, or the
gradient is that at the weights to which the share alone would lead. The share is a number that is
written in the text. What the velocity was at first is an array that was seen, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
    nesterov: bool = False
    ahead: bool = False
    """Whether its gradient is that at the weights to which its share of the step before leads."""

    def words(self) -> str:
        """What a training that follows it does."""
        name = "Nesterov's momentum" if self.nesterov or self.ahead else "momentum"
        where = " at the weights ahead" if self.ahead else ""
        return f"run over rows of ours, its steps are those of torch's gradient{where} and {name}"

    def made_of(self, due: Arrays, last: Arrays) -> Arrays:
        """The gradient that the rate is taken times of."""
        if not self.nesterov:
            return due
        return {name: (1 + self.share) * one - self.share * last[name]
                for name, one in due.items()}  # fmt: skip


def rule_of(training: Training, numbers: Sequence[float]) -> Rule | None:
    """Return the rule that all steps follow; None where none of them does."""
    for share in sorted({one for one in numbers if 0 < one < 1}, reverse=True):
        for bare in (Rule(share, 1.0), Rule(share, 1.0, True), Rule(share, 1.0, ahead=True)):
            rule = follows(training, bare)
            if rule is not None:
                return rule
    return None


def follows(training: Training, bare: Rule) -> Rule | None:
    """Return a rule with its rate, if all steps follow it, the first one included."""
    last, rate, share = training.due(training.step, training.rows), 0.0, bare.share
    first = bare.made_of(last, {name: np.zeros_like(one) for name, one in last.items()})
    for before, step in zip(training.steps, training.steps[1:], strict=False):
        if step.before is not before.after:
            return None
        more = {name: one - share * before.taken[name] for name, one in step.taken.items()}
        seen_from = looked_ahead(before, step, share) if bare.ahead else step
        for due, rows in dues(training, seen_from):
            made = bare.made_of(due, last)
            found = common_factor(more, made, step.near)
            if found and (not rate or np.isclose(found, rate, rtol=SAME)):
                rate, last = rate or found, due
                allowed = allowances(training, (before, seen_from), rows, made, rate)
                break
        else:
            return None
        if not is_within(more, made, rate, allowed):
            return None
    begun = rate > 0 and begins(training, first, rate, share)
    return replace(bare, rate=rate) if begun else None


def looked_ahead(before: Step, step: Step, share: float) -> Step:
    """Return a step as it would begin at the weights to which a share of the one before leads."""
    moved = {way: step.before[way] + share * (step.before[way] - before.before[way])
             for way in step.chain.ways().values()}  # fmt: skip
    return replace(step, before={**step.before, **moved})


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

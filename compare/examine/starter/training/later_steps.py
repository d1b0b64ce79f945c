"""How the steps after the first one of a training are made: each of which gradients.

Of its own alone, of that and a share of the step before, or of all so far, never set back to 0.
Where an optimiser keeps a first mean of gradients, this has a share of each of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compare.contracts.arrays import Arrays
from compare.examine.starter.training.exact import recovered
from compare.examine.starter.training.shares import shares_in, shares_of
from compare.examine.starter.training.steps import MOST, SAME, Step, laid_beside, multiple
from compare.examine.starter.training.trained import Training, best_fit


def kinds_of(training: Training) -> Iterator[str]:
    """How each step after the first is made, as far as it was seen what it is made of."""
    for number in range(1, len(training.steps)):
        how = next_step(training, number)
        if training.steps[number].before is not training.steps[number - 1].after and how != "plain":
            return  # what it is made of besides its gradient was not seen
        yield how
        if how not in ("plain", "left"):  # a later one is made of all before it
            return


def next_step(training: Training, number: int) -> str:
    """How a later step is made: `plain` of its own gradient, `added` of that and the one before in
    equal shares, `momentum` of both, `left` where only gradients are seen, `mean` where a running
    mean of them is; empty if of neither."""
    step, last = training.steps[number], training.steps[number - 1]
    before = [training.due(last, rows) for _, rows in last.batches(training.data)[:MOST]]
    for _, rows in step.batches(training.data)[:MOST]:
        due = training.due(step, rows)
        fit = best_fit(step, due)
        own = bool(training.fit.ways) == bool(fit.ways)
        if own and fit.whole and recovered(training, step, rows, fit).worst() <= 1:
            return "left" if fit.ways else "plain"
        if training.fit.ways:
            if is_mean(training, last, step, due):
                return "mean"
            if any(best_fit(step, added(one, due)).whole for one in before):
                return "added"
            continue
        for one in before:
            shares = shares_of(step, one, due)
            if shares is not None and all(share > 0 for _, share in shares.values()):
                rate = next(iter(training.fit.factors.values()))
                same = np.allclose(list(shares.values()), rate, rtol=SAME)
                return "added" if same else "momentum"
        if training.fit.rest and shares_of(step, last.taken, due) is not None:
            return "momentum"
    return ""


def is_mean(training: Training, last: Step, step: Step, due: Arrays) -> bool:
    """Whether what lies beside the weights is a share of itself before a step and, as at the first
    step, a share of the gradient: the same ones for all, 1 together."""
    ways, found = training.fit.ways, []
    if not set(ways.values()) <= set(last.after) & set(step.after):
        return False  # what an optimiser is handed may lie there at the first step alone
    for name, way in ways.items():
        before, after = (laid_beside(one, way, due[name]) for one in (last, step))
        shares = shares_in(after, before, due[name], step.near)
        if shares is None:
            return False
        found.append((*shares, training.fit.factors[name]))
    kept, added_, first = np.array(found).T
    together = np.allclose(kept + added_, 1, rtol=SAME) and np.allclose(added_, first, rtol=SAME)
    return bool(together and np.all(first < 1 - SAME))


def stale(training: Training, number: int) -> bool:
    """Whether a step moves the last weights by the gradient of the one before: what the forward
    pass had left was used again."""
    step, last = training.steps[number], training.steps[number - 1]
    names = [name for name in step.taken if int(name[1:]) == len(training.chain.weights)]
    return any(
        all(multiple(step.taken[name], due[name], step.near) > 0 for name in names)
        for _, rows in last.batches(training.data)[:MOST] for due in [training.due(last, rows)]
    )  # fmt: skip


def added(one: Arrays, other: Arrays) -> Arrays:
    """The sum of two gradients."""
    return {name: one[name] + array for name, array in other.items()}

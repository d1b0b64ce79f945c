"""What the steps of a right training are made of: the functions that take part, and its loss.

A function takes part if the first step is another one when what it returns is. What it returns
beside arrays must be the loss of the network: a step does not show that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from compare.contracts.objective import REDUCTIONS
from compare.examine.starter.training.calls import Calls
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.steps import Step, loss_at
from compare.examine.starter.training.trained import Training, best_fit, pairs_of

SECONDS = 3.0
"""Of processor time in search of them."""
DIGITS = 1e-9
"""How near a number is that is a loss: a guard in a logarithm is found by other calls."""


@dataclass(frozen=True)
class Parts:
    """The functions that the steps are made of, methods as `Class.method`, and those whose numbers
    are the loss."""

    path: frozenset[str] = frozenset()
    losses: frozenset[str] = frozenset()
    numbers: tuple[float, ...] = ()
    """What those returned first."""


def parts_of(program: Program, training: Training) -> Parts:
    """What takes part in the steps of a training."""
    calls = Calls()
    program.run(training.supply, calls)
    loss = losses_of(training)
    path, losses = set(), set()
    until = time.process_time() + SECONDS
    for name, numbers in calls.numbers.items():
        if numbers and np.isclose(numbers[0], loss, rtol=DIGITS).any():
            losses.add(name)
        if time.process_time() > until:
            break
        if (name in losses or not numbers) and moves_the_step(program, training, name, calls):
            path.add(name)
    first = tuple(calls.numbers[name][0] for name in sorted(losses))
    return Parts(frozenset(path), frozenset(losses), first)


def moves_the_step(program: Program, training: Training, name: str, calls: Calls) -> bool:
    """Whether the first step is another one when what a function returns is."""
    if name in calls.silent:
        return True
    recorder = program.run(training.supply, Calls(changed=name))
    pairs = pairs_of(recorder.runs.get(training.loop, []))
    if not pairs:
        return True
    step = Step(training.chain, *pairs[0])
    try:
        return not best_fit(step, training.due(step, training.rows)).whole
    except KeyError:  # it leaves other arrays behind
        return True


def losses_of(training: Training) -> list[float]:
    """The loss at the first weights that were seen: of the batch and of all rows, as a mean, half
    of it or a sum."""
    found = []
    every = tuple(range(len(training.data.x)))
    for step in training.steps[:2]:
        for rows in {training.rows, every}:
            x, targets = training.data.x[list(rows)], training.targets[list(rows)]
            for reduction in REDUCTIONS:
                loss = loss_at(training.network, step.parameters, x, targets, reduction)
                found += [loss, loss / 2]
    return found

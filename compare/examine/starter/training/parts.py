"""What the steps of a right training are made of: the functions that take part, and its loss.

A function takes part if the first step is another one when what it returns is. What it returns
beside arrays must be the loss of the network: a step does not show that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from compare.contracts.objective import REDUCTIONS
from compare.examine.starter.networks import Network
from compare.examine.starter.training.calls import Calls
from compare.examine.starter.training.exact import point_at
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.steps import Step
from compare.examine.starter.training.trained import Training, first_fit, pairs_of
from compare.textbook import Pass

SECONDS = 3.0
"""Of processor time in search of them."""
FACTORS = (1.0, 0.5)


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
        if numbers and any(abs(numbers[0] - due) <= allowance for due, allowance in loss):
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
    steps = Step.of_pairs(training.chain, pairs_of(recorder.runs.get(training.loop, [])))
    if not steps:
        return True
    return not first_fit(steps[0], training.due(steps[0], training.rows)).whole


def losses_of(training: Training) -> list[tuple[float, float]]:
    """The loss at the first weights that were seen, with its allowance: of the batch and of all
    rows, as a mean, half of it or a sum."""
    found = []
    every = tuple(range(len(training.data.x)))
    for step in training.steps[:2]:
        for rows, network in product({training.rows, every}, scales(training.network)):
            meant = replace(training, network=network)
            loss = Pass(point_at(meant, step.parameters, rows, step.dtype)).named("loss")
            found.append((float(loss.value), float(loss.allowance)))
    return found


def scales(network: Network) -> Iterator[Network]:
    """Yield a network with its loss in every scale."""
    for reduction, factor in product(REDUCTIONS, FACTORS):
        yield replace(network, reduction=reduction, loss_factor=factor)

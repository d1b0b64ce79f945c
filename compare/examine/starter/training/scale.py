"""Whether the steps of a training are as large as its loss and its rate say.

A step is known up to one number, the rate times the scale of the loss. The rate is told by its
name; so is a loss, by its name and its value. Where a loss is seen, the gradients have to be its
own; where none is, a mean, a sum or half of either may be meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from compare.examine.starter.binding import plain
from compare.examine.starter.networks import Network
from compare.examine.starter.slots import RATE
from compare.examine.starter.training.followed import Rule
from compare.examine.starter.training.parts import Parts, scales
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.steps import Step, due_at, laid_beside, loss_at, multiple
from compare.examine.starter.training.trained import Training

LOSS = re.compile(r"loss|cost|nll|entropy|\blog\w*\(")
DIGITS, ALL_DIGITS = 1e-6, 1e-9
"""How near a number is that is the loss, a guard in its logarithm included; and how near one that
is not called a loss."""
CALLED = re.compile(r".*(?:loss|cost|error|err|entropy|nll|obj).*|j|l|e|ce|bce|mse")
SHARES = (1.0, 0.1)


def losses_meant(
    training: Training, parts: Parts, program: Program, asked: Network, rule: Rule | None, *,
    momentum: bool,
) -> list[Network]:  # fmt: skip
    """Return the network in the scales of the losses that the steps are a rate times the gradient
    of; of gradients that lie beside the weights, those that are it, or the share of a first mean.

    A loss that was not `asked` for has to be seen. With `momentum` of no known `rule` the first
    step may be any share of the gradient.
    """
    rates = SHARES if training.fit.ways and not rule else rates_of(training, program)
    seen = losses_seen(training, parts)
    undeclared = training.network.loss != asked.loss
    if not seen and (undeclared or shows_a_loss(program.text)):
        return []  # what it is was not told
    networks = seen or list(scales(training.network))
    if momentum and not rule:
        return networks
    if rule:  # a mean of gradients has a share of each
        rates = [*rates, *((1 - rule.share) * one for one in rates)]
    near = training.step.near
    return [one for one in networks
            if np.isclose(factor_of(training, one, rule), rates, rtol=near).any()]  # fmt: skip


def shows_a_loss(text: str) -> bool:
    """Return whether a text has a loss, under whatever name."""
    bare = re.sub(r"logit\w*|login\w*|logg\w*|#.*", "", text.lower())
    return bool(LOSS.search(bare))


def rates_of(training: Training, program: Program) -> Sequence[float]:
    """Return the numbers that are called a rate, or else all that are written."""
    seen = [float(array) for way, array in training.step.before.items()
            if not array.ndim and RATE.fullmatch(plain(way.rpartition(".")[2]))]  # fmt: skip
    return seen or program.rates or [1.0, *program.numbers]


def losses_seen(training: Training, parts: Parts) -> list[Network]:
    """Return the network in the scales of the losses that are seen after the first step, or that
    functions returned."""
    steps = (training.step, *training.later)
    return [one for one in scales(training.network)
            if any(is_seen(one, training, step, parts.numbers) for step in steps)]  # fmt: skip


def is_seen(network: Network, training: Training, step: Step, returned: Sequence[float]) -> bool:
    """Return whether a number after a step is the loss, or one that was returned."""
    numbers = {way: float(array) for way, array in step.after.items() if not array.ndim}
    named = [one for way, one in numbers.items() if CALLED.fullmatch(name_of(way))]
    other = [one for way, one in numbers.items() if not RATE.fullmatch(name_of(way))]
    return any(
        is_near([*named, *returned], DIGITS, network, training, step, rows)
        or is_near(other, ALL_DIGITS, network, training, step, rows)
        for rows in {training.rows, tuple(range(len(training.data.x)))}
    )


def name_of(way: str) -> str:
    """Return the name of a number: of one in a list that of the list."""
    named = [one for one in way.split(".") if not one.isdigit()]
    return plain(named[-1]) if named else ""


def is_near(
    numbers: Sequence[float], digits: float, network: Network, training: Training, step: Step,
    rows: tuple[int, ...],
) -> bool:  # fmt: skip
    """Return whether a number is the loss at the weights before a step or behind it."""
    x, targets = training.data.x[list(rows)], training.targets[list(rows)]
    behind = training.chain.parameters(step.after)
    return any(
        np.isclose(numbers, network.loss_factor * loss_at(network, one, x, targets,
                                                          network.reduction), digits, 0).any()
        for one in (step.parameters, behind)
    )  # fmt: skip


def factor_of(training: Training, network: Network, rule: Rule | None) -> float:
    """Return how many times the gradient of a network a step takes off the last weights."""
    rows, last = list(training.rows), f"w{len(training.chain.weights)}"
    due = due_at(network, training.step.parameters, training.data.x[rows], training.targets[rows])
    if rule:
        own = training.due(training.step, training.rows)[last]
        return rule.rate * multiple(own, due[last], training.step.near)
    ways = training.fit.ways
    taken = laid_beside(training.step, ways[last], due[last]) if ways else training.step.taken[last]
    return multiple(taken, due[last], training.step.near)

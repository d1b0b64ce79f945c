"""Biases that stay as they are in the loop over batches, and are moved in the one around it.

    for epoch in range(epochs):
        for xb, yb in batches:
            W -= lr * dW
        b -= lr * db                 one step for all batches, of the last one's gradient

In the first epoch they are often 0, and the steps of the weights those of a network without any. So
a batch of the next epoch is asked whether they are part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from compare.examine.starter.function_verdict import Slip
from compare.examine.starter.several_batches import SELDOM
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.seen import Chain, biases_of, is_bias, moves
from compare.examine.starter.training.steps import MOST, Step, fit_of
from compare.examine.starter.training.trained import Training
from compare.examine.starter.training.watch import Snapshot

FAR = 0.5
"""Of the size of a weight, from one epoch to the next."""


def stepped_outside(program: Program, training: Training) -> Slip | None:
    """The mistake of biases that are moved once in an epoch; None where none are."""
    if any(training.chain.biases):
        return None
    runs = program.run(training.supply).runs.get(training.loop, [])
    runs = [run for run in runs if len(run) > 1]
    chain = training.chain
    if len(runs) > 1 and goes_on(chain, runs):
        chain = with_biases(chain, runs)
    if not all(chain.biases) or not takes_part(training, chain, runs[1]):
        return None
    words = " and ".join(one for one in chain.biases if one)
    sentence = f"no step of the loop over batches moves {words}, and one after it does"
    return SELDOM, sentence, f"{words}: stepped once in an epoch, not with every batch"


def goes_on(chain: Chain, runs: Sequence[Sequence[Snapshot]]) -> bool:
    """Whether the second run begins near the weights that the first one ended with: a restart has
    others."""
    last, later = runs[0][-1], runs[1][0]
    pairs = [(last[way], later[way]) for way in chain.weights]
    return all(np.linalg.norm(one - other) <= FAR * np.linalg.norm(one) for one, other in pairs)


def with_biases(chain: Chain, runs: Sequence[Sequence[Snapshot]]) -> Chain:
    """The weights with what is called a bias, is the same in all turns of a run, and another in the
    next run."""
    first, later = runs[0][0], runs[1][0]
    turns = [pair for run in runs for pair in pairwise(run)]
    moved = [way for way in first if is_bias(way, ()) and moves(way, first, later)
             and not any(moves(way, *pair) for pair in turns)]  # fmt: skip
    axis = 0 if chain.transposed else 1
    widths = [first[way].shape[axis] for way in chain.weights]
    return replace(chain, biases=biases_of(chain.weights, widths, moved, first))


def takes_part(training: Training, chain: Chain, run: Sequence[Snapshot]) -> bool:
    """Whether the weights move by their gradient with these biases, and not without them."""
    with_them, without = (Step(one, run[0], run[1]) for one in (chain, training.chain))
    return steps_right(training, with_them) and not steps_right(training, without)


def steps_right(training: Training, step: Step) -> bool:
    """Whether a step takes one multiple of their gradient off all weights."""
    for _, rows in step.batches(training.data)[:MOST]:
        due = training.due(step, rows)
        weights = {name: one for name, one in due.items() if name[0] == "w"}
        if fit_of(step.taken, weights, step.near).whole:
            return True
    return False

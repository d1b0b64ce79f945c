"""A step at weights and gradients beyond those of a training that has just begun.

Weights that are held to a norm of 3 and gradients whose entries are cut off at 5 are right wherever
nothing is as large. A step that is right at ordinary numbers is asked for the same updates a
hundred times as large; one that keeps something of its own between calls is not right at the first
of them, and is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from compare.checks.comparison import Comparison
from compare.checks.optimiser_step import OptimiserStep, ReplayedState, compare_update
from compare.contracts.arrays import Arrays
from compare.contracts.between import ordered
from compare.contracts.experiment import Experiment
from compare.contracts.records import Record
from compare.examine.identifying import first_updates, in_its_form
from compare.judge.point import PointJudge
from compare.points.diagnostic import reduced
from compare.points.drawing import draw_parameters
from compare.points.probe import BIASES

TIMES = 100.0
MOST = 1 << 20
"""So many parameters at most: six updates of more would take seconds."""
SURE = 2
"""Updates that are right of a step that keeps nothing of its own."""
AN_EDGE = "an edge: larger weights and gradients"

Wrong = tuple[list[Record], Record, dict[str, Comparison]]
"""All updates, the first that is wrong, and how it compares."""


def examine_large_updates(judge: PointJudge, step: Callable[..., Any], like: Arrays) -> None:
    """Enter the first large update that is wrong, of a step whose ordinary ones are right."""
    found = None if judge.ledger.findings else wrong_when_large(step, judge.experiment, like)
    if found is not None:
        judge.walked, before, compared = found
        judge.updated("manual", before, compared, counts=0)
        judge.ledger.say_of(before.update, AN_EDGE)


def beyond_a_training(
    step: Callable[..., Any], experiment: Experiment, sizes: Sequence[int]
) -> tuple[str, ...]:
    """Say what a step is that was right at every update of a training, and is another one where
    weights and gradients are larger than they were in it."""
    from compare.diagnosis.optimiser import identify

    found = wrong_when_large(step, experiment, drawn(experiment, reduced(sizes)))
    if found is None:
        return ()
    identity = identify(found[0], experiment)
    said = "" if identity is None else f" ({identity.sentence.rstrip('.')})"
    return (
        f"at weights and gradients up to {TIMES:g} times as large as a training begins with the"
        f" step is another one than was declared{said}, and this training does not show that",
    )


def drawn(experiment: Experiment, sizes: Sequence[int]) -> Arrays:
    """Return parameters of a network that the experiment declares, of other sizes."""
    generator, dtype = np.random.default_rng(experiment.seed), np.dtype(experiment.dtype)
    made = draw_parameters(sizes, generator, BIASES)
    if not experiment.bias:
        made = {name: w for name, w in made.items() if name[0] == "w"}
    made = {name: w.astype(dtype) for name, w in made.items()}
    return ordered(made | experiment.between.scales(sizes, dtype))


def wrong_when_large(
    step: Callable[..., Any], experiment: Experiment, like: Arrays
) -> Wrong | None:
    """Return the first update that is wrong at large numbers; None without one, and where the step
    is wrong, or cannot be asked, at ordinary ones.

    A bound that ordinary ones come to after a while is found as well, if that explains them.
    """
    from compare.diagnosis.optimiser import identify

    if sum(w.size for w in like.values()) > MOST:
        return None
    right = in_its_form(step, experiment, like)
    for times in (1.0, TIMES):
        updates = first_updates(step, experiment, like, times)
        wrong = first_wrong(right, updates)
        if wrong is None:
            continue
        early = times == 1.0 and wrong[0].update < SURE
        if early or (times == 1.0 and identify(updates, experiment) is None):
            return None
        return updates, *wrong
    return None


def first_wrong(
    right: OptimiserStep, updates: list[Record]
) -> tuple[Record, dict[str, Comparison]] | None:
    """Return the first of consecutive updates that rounding does not explain."""
    replayed = ReplayedState({}, {})
    for before, after in pairwise(updates):
        with np.errstate(all="ignore"):
            due, allowed, replayed = right(before.parameters, before.gradients, replayed)
        compared = compare_update(after.parameters, due, allowed)
        if not all(one.agrees for one in compared.values()):
            return before, compared
    return None

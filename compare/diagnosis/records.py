"""Diagnosis of what an update looked at: records of a run held against other rows and weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.between import NOTHING, PLAIN, Between, Context
from compare.contracts.objective import Objective
from compare.contracts.records import Record
from compare.contracts.result import Diagnosis
from compare.diagnosis.alternatives import reproducing
from compare.diagnosis.match import Case, ratios
from compare.diagnosis.observation import observe
from compare.mistakes.order import RECORDS, RecordBefore, RecordMistake
from compare.textbook import Pass, Point


def diagnose_records(
    records: Sequence[Record],
    training: tuple[Array, Array],
    *,
    activation: str = "relu",
    reduction: str = "mean",
    objective: Objective | None = None,
    between: Between = PLAIN,
    context_of: Callable[[Record], Context] = lambda _: NOTHING,
) -> tuple[Diagnosis, ...]:
    """Return the mistake about batches and order that reproduces the records' gradients.

    `records`: consecutive ones, with their batches as row numbers of `training` = (x, targets), and
    with what else both sides share at each, if the network is normalised or has dropout.
    Every record whose gradients are not right at its own batch has to be reproduced. Empty: all
    are right, or no known mistake of this kind reproduces them.
    """
    wrong: list[tuple[Case, RecordBefore]] = []
    for index, record in enumerate(records):
        x, targets = (array[record.batch] for array in training)
        dtype = record.parameters["w1"].dtype
        network = activation, reduction, dtype, objective, between
        point = Point(record.parameters, x, targets, *network, context_of(record))
        case = Case(observe(point, record.loss, record.gradients))
        if case.disagrees:
            wrong.append((case, RecordBefore(point, training, records, index)))
    before = max((case.worst(frozenset()) for case, _ in wrong), default=0.0)
    tried = ((mistake, None, farthest(mistake, wrong)) for mistake in RECORDS)
    return reproducing(tried, before)


def farthest(mistake: RecordMistake, wrong: Sequence[tuple[Case, RecordBefore]]) -> float:
    """Return the worst ratio over the records, each by the best of the mistake's passes.

    Records the mistake says nothing about (the last one, without a successor) are left out.
    """
    found = [
        closest(case, [net for net in mistake.passes(moment) if masked(net.point)])
        for case, moment in wrong
    ]
    return max((ratio for ratio in found if ratio is not None), default=np.inf)


def masked(point: Point) -> bool:
    """Return whether the masks of dropout, if there are any, are of as many rows as the point."""
    masks = [mask for name, mask in point.context.items() if name.startswith("mask")]
    return all(len(mask) == len(point.x) for mask in masks)


def closest(case: Case, passes: Sequence[Pass]) -> float | None:
    """Return the smallest worst ratio of one record over the passes, None if there are none."""
    with np.errstate(all="ignore"):
        return min((furthest(case, net) for net in passes), default=None)


def furthest(case: Case, net: Pass) -> float:
    """Return the worst ratio of everything seen, held against one pass."""
    each = (ratios(seen, net.named(name)) for name, seen in case.seen.items())
    return max(float(found.max(initial=0.0)) for found in each)

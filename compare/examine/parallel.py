"""The side-by-side run on several ranks: each holds some rows, rank 0 judges.

    dw = (1/N) sum_r sum_{n in shard r} dw_n

The manual side adds up its own gradients of the shards; the reference is torch's
`DistributedDataParallel`. The judge stands on rank 0, holds all rows, and compares with the
reference of one process, so that a wrong sum over ranks shows on either side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput, WrongCall
from compare.contracts.experiment import Experiment
from compare.contracts.records import Manual, Record
from compare.contracts.result import Result, Verdict
from compare.data.stored import StoredRows
from compare.examine.environment import environment
from compare.examine.ranks import LostRank, OtherNumbers, Ranks, between_ranks, together
from compare.examine.sides import (
    build_reference,
    context_of,
    differentiating,
    manual_records,
    our_manual,
)
from compare.examine.threads import given_threads
from compare.examine.training import Run, Tap, Watcher, progress_of
from compare.judge.naming import Named
from compare.points.batches import Shares, all_of, batch_of, is_held
from compare.points.inputs import Inputs, Pair, draw_inputs

if TYPE_CHECKING:
    from torch_reference import Reference


Reduction = Callable[[float, Arrays, int], tuple[float, Arrays]]
"""`(loss, gradients, rows)` of a rank to those of all; every rank calls it."""
FIRST_BATCHES = 1000
"""So many batches must be the same on all ranks before anything is computed."""


def run_in_parallel(
    experiment: Experiment,
    ranks: Ranks,
    *,
    manual: Manual | None = None,
    reduction: Reduction | None = None,
    on_update: Watcher | None = None,
    tap: Tap | None = None,
    timeout: float = 60.0,
) -> Result:
    """Train both sides on all ranks; rank 0 returns what it found, the others that it judges.

    `reduction` puts the ranks' parts of the manual side together in the place of ours.

    Raises `BadInput` for what cannot be trained in parallel. A rank that dies, hangs or stands at
    other numbers ends the run: the result is of the updates done, and `failure` says why.
    """
    require_parallel(experiment)
    inputs = draw_inputs(experiment)
    if len(inputs.training[0]) < ranks.size:
        raise BadInput(
            f"{ranks.size} ranks cannot share {len(inputs.training[0])} training rows: "
            "start at most one rank per row"
        )
    run = None
    if ranks.rank == 0:
        run = Run(experiment, inputs, manual or our_manual(experiment), parts=ranks.size)
    sides = Sides(experiment, inputs, ranks, manual, reduction)
    del inputs
    try:
        with given_threads(experiment.threads), differentiating(), together(ranks, timeout):
            return walk(sides, run, on_update, tap)
    except LostRank as lost:
        return replace(nothing_compared(experiment, ranks), failure=str(lost))


def require_parallel(experiment: Experiment) -> None:
    """Raise `BadInput` for settings of which the ranks' parts do not simply add up."""
    if not (experiment.objective.plain and experiment.bias):
        raise BadInput(
            "torchrun trains softmax cross-entropy over layers with biases, without penalties and "
            "weights of classes; run this network in one process"
        )
    if experiment.between.together:
        raise BadInput(
            "torchrun does not train batch normalisation: mean and variance are those of the rows "
            "of all ranks, and torch adds these up (SyncBatchNorm) on GPUs only, so on the CPU "
            "there is no reference; run this network in one process"
        )
    if not experiment.plain_momentum or experiment.patience is not None:
        raise BadInput(
            "torchrun trains by gradient descent with momentum, at a constant rate and to the end; "
            "run another optimiser, a schedule, clipping or early stopping in one process"
        )
    if experiment.device != "cpu":
        raise BadInput(f"torchrun trains on the CPU only, not on {experiment.device}")


class Sides:
    """What one rank trains with: its rows, its batches, and how its gradients are added up."""

    def __init__(
        self,
        experiment: Experiment,
        inputs: Inputs,
        ranks: Ranks,
        manual: Manual | None,
        reduction: Reduction | None = None,
    ) -> None:
        self.experiment, self.ranks, self.reduction = experiment, ranks, reduction
        self.total = len(inputs.training[0])
        self.mine = ranks.rows(self.total)
        self.order = inputs.order
        held = ranks.rows(len(inputs.validation[0]))
        self.inputs = replace(
            inputs,
            training=part(inputs.training, self.mine),
            validation=part(inputs.validation, held),
            test=part(inputs.test, slice(0)),
            identities=inputs.identities[self.mine].copy(),
            order=Shares(inputs.order, self.mine),
        )
        mean = experiment.reduction == "mean"
        if manual is None:
            ours = our_manual(replace(experiment, reduction="sum"))
            self.manual = added_up(ours, ranks, weighted=False, mean=mean)
        else:
            self.manual = added_up(manual, ranks, weighted=mean, mean=mean, reduction=reduction)

    def manual_side(self) -> Iterator[Record]:
        """The manual records, each with the whole batch's row numbers."""
        records = manual_records(self.experiment, self.inputs, self.manual, self.context)
        for record, batch in zip(records, all_of(self.order, self.total), strict=True):
            yield replace(record, batch=batch.copy())  # type: ignore[type-var]  # a dataclass

    def reference_side(self) -> Iterator[Record]:
        """The records of the reference under `DistributedDataParallel`."""
        from torch_reference import train_in_parallel

        reference: Reference = build_reference(self.experiment, self.inputs.sizes)
        return train_in_parallel(
            reference, self.inputs.parameters, self.inputs.state,
            self.inputs.training, self.inputs.validation, self.order,
            mine=self.mine, total=self.total,
            learning_rate=self.experiment.learning_rate,
            momentum=self.experiment.momentum, form=self.experiment.momentum_form,
            context_of=context_of(self.experiment, self.context),
        )  # fmt: skip

    def context(self, update: int, rows: int) -> Arrays:
        """The masks of an update, drawn for the whole batch: this rank's rows of them."""
        batch = batch_of(self.order, update)
        batch = np.arange(self.total) if batch is None else batch
        masks, held = self.inputs.context(update, len(batch)), is_held(batch, self.mine)
        return {name: mask[held] for name, mask in masks.items()}


def part(rows: Pair, held: slice) -> Pair:
    """The rows that are held, in memory of their own, so that the others can go, or in a file."""
    x, targets = rows
    mine: Any = x.of(held) if isinstance(x, StoredRows) else x[held].copy()
    return mine, targets[held].copy()


def added_up(
    manual: Manual,
    ranks: Ranks,
    *,
    weighted: bool,
    mean: bool,
    reduction: Reduction | None = None,
) -> Manual:
    """The manual side of all ranks together, from what it is on the rows of each.

    A rank's part is the sum over its rows, or with `weighted` their mean, which counts as often as
    it has rows: shards need not be equal. With `mean` the total is divided by all rows.
    """

    def loss_and_gradients(
        parameters: Arrays, x: Any, targets: Any, **how: Any
    ) -> tuple[float, Arrays]:
        nothing = 0.0, {name: np.zeros_like(w) for name, w in parameters.items()}
        loss, gradients, *_ = ranks.asked(
            lambda: manual.loss_and_gradients(parameters, x, targets, **how) if len(x) else nothing
        )
        if reduction is not None:
            return ranks.asked(lambda: reduction(loss, gradients, len(x)), alone=False)
        weight = len(x) if weighted else 1
        rows, loss = ranks.totals(len(x), loss * weight)
        scale = rows if mean else 1.0
        summed = ranks.summed({k: g * weight if weighted else g for k, g in gradients.items()})
        return loss / scale, {k: g / g.dtype.type(scale) for k, g in summed.items()}

    def evaluate(parameters: Arrays, x: Any, targets: Any, **how: Any) -> tuple[float, float]:
        loss, accuracy = ranks.asked(
            lambda: manual.evaluate(parameters, x, targets, **how) if len(x) else (0.0, 0.0)
        )
        weight = len(x) if weighted else 1
        rows, loss, right = ranks.totals(len(x), loss * weight, accuracy * len(x))
        return loss / (rows if mean else 1), round(right) / rows

    return Manual(loss_and_gradients, evaluate, manual.step, manual.name)


def walk(sides: Sides, run: Run | None, on_update: Watcher | None, tap: Tap | None) -> Result:
    """Train to the end, or until all ranks are told to stop; judge on rank 0."""
    ranks = sides.ranks
    ranks.require_same("weights, rows or batches to begin with", beginnings(sides))
    manual_side = sides.manual_side()
    if tap is not None and run is not None:
        manual_side = tap(manual_side, run.inputs)
    interrupted, failure = False, None
    try:
        ranks.asked(lambda: None if run is None else run.begin())
        with between_ranks():
            for ours, theirs in zip(manual_side, sides.reference_side(), strict=True):
                ranks.require_same(f"weights at update {ours.update}", ours.parameters)
                if run is not None:
                    run.see(ours, theirs)
                interrupted = report_progress(on_update, run, ours, theirs)
                over = run is not None and run.judge.over
                stop, ended = ranks.totals(over, interrupted or ranks.asked_to_end)
                interrupted = bool(ended)
                if stop or interrupted:
                    break
    except LostRank as lost:
        if run is None or not run.judge.ledger.worst:
            raise
        # Ranks that are wrong go ways of their own: that is no second failure.
        if not (isinstance(lost, OtherNumbers) and run.judge.ledger.disagrees):
            failure = str(lost)
    except WrongCall as failed:
        if run is not None:
            return run.failed(failed, ranks=ranks.size)
    if run is None:
        return nothing_compared(sides.experiment, ranks)
    named = named_of(run, sides)
    return replace(run.conclude(interrupted, named, ranks=ranks.size), failure=failure)


def named_of(run: Run, sides: Sides) -> Named | None:
    """Name how a reduction of their own put the parts of the ranks together, if it is known."""
    from compare.diagnosis.ranks import Reported, diagnose_ranks, parts_of

    suspect, size = run.judge.suspect, sides.ranks.size
    if suspect is None or sides.reduction is None:
        return None
    record = suspect.record
    held = [Ranks(rank, size).rows(sides.total) for rank in range(size)]
    mine = [is_held(record.batch, rows) for rows in held]
    batches = [(suspect.x[here], suspect.targets[here]) for here in mine]
    masks = {name: v for name, v in suspect.context.items() if name.startswith("mask")}
    contexts = [{name: mask[here] for name, mask in masks.items()} for here in mine]
    parts = parts_of(run.judge.same_point, [record.parameters] * size, batches, contexts)
    mean = sides.experiment.reduction == "mean"
    found = diagnose_ranks(parts, Reported(0, record.loss, record.gradients), mean=mean)
    return Named(found) if found else None


def report_progress(
    on_update: Watcher | None, run: Run | None, ours: Record, theirs: Record
) -> bool:
    """Report how far the run is; return whether Ctrl-C was pressed."""
    if on_update is None or run is None:
        return False
    try:
        on_update(progress_of(run, ours, theirs))
    except KeyboardInterrupt:
        return True
    return False


def beginnings(sides: Sides) -> Arrays:
    """What must be equal on all ranks before anything is computed."""
    first = islice(all_of(sides.order, sides.total), FIRST_BATCHES)  # drawn by one generator
    settings = repr(sorted(sides.experiment.as_settings().items()))
    return {
        **sides.inputs.parameters,
        **sides.inputs.state,
        **{f"batch {i}": batch for i, batch in enumerate(first)},
        "settings": np.frombuffer(settings.encode(), np.uint8),
    }


def nothing_compared(experiment: Experiment, ranks: Ranks) -> Result:
    """The result where nothing was seen: on ranks that do not judge, or before the first update."""
    where = "yet" if ranks.rank == 0 else "here: rank 0 judges"
    return Result(
        verdict=Verdict.UNDECIDABLE,
        kind=None,
        settings=experiment.as_settings() | {"ranks": ranks.size},
        environment=environment(experiment.device),
        sentence=f"undecidable: nothing was compared {where}",
    )

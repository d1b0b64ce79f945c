"""The side-by-side run: two trainers, one judge, one result.

    inputs -> manual records, reference records -> judge, pair by pair -> conclusion

Nothing flows back. Stopped by the user or by a number that is not finite, the run concludes from
what it has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from itertools import zip_longest
from typing import Any

import numpy as np

import manual_mlp
from compare.contracts.arrays import Arrays
from compare.contracts.between import Context
from compare.contracts.errors import BadInput, UserCodeError, WrongCall
from compare.contracts.experiment import Experiment
from compare.contracts.known import require_known
from compare.contracts.presentation import reports
from compare.contracts.records import Manual, Record
from compare.contracts.result import Result
from compare.data import DataSet
from compare.data.freed import give_back
from compare.examine.environment import environment
from compare.examine.handed_on import handed_on, not_handed_on
from compare.examine.read_in_blocks import in_memory
from compare.examine.sides import (
    build_reference,
    differentiating,
    manual_records,
    numbers_of,
    our_manual,
    reference_records,
)
from compare.examine.threads import given_threads, worthwhile_threads
from compare.guard.patience import one_check
from compare.judge.failing import enter_failure, name_despite
from compare.judge.naming import Named
from compare.judge.run import Judge
from compare.judge.run_conclusion import conclude_run
from compare.judge.shown import enter_shown
from compare.judge.structure import enter_structure
from compare.points.batches import updates_of
from compare.points.inputs import Inputs, draw_inputs
from compare.points.probe import Probe, draw_probes

NO_MANUAL = (
    "run_training(manual=...) is a {kind}, and a training needs three functions: give "
    "Manual({name}, manual_mlp.evaluate, manual_mlp.velocity_step), with an evaluate and a step of "
    "the settings, or check the gradient alone by check({name})"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; sent after every update.

    Parameters:
        epoch: the epoch of the update, from 0.
        epochs: how many there will be.
        update: the update, from 0.
        updates: how many there will be.
        manual_loss: the manual side's loss of the batch, before the update.
        reference_loss: the reference's.
        worst_ratio: the worst |manual - reference| / allowance so far.

    Example:
        >>> from compare import Experiment, run_training
        >>> seen = []
        >>> result = run_training(Experiment(hidden=(4,), epochs=2), on_update=seen.append)
        >>> [(one.epoch, one.update) for one in seen]
        [(0, 0), (1, 1), (2, 2)]
    """

    epoch: int
    epochs: int
    update: int
    updates: int
    manual_loss: float
    reference_loss: float
    worst_ratio: float


FIRST = "(as the training began; a few calls with fewer rows came before, to examine the code)"
"""What code that keeps something between calls has to be told."""

Watcher = Callable[[Progress], None]
Tap = Callable[[Iterator[Record], Inputs], Iterator[Record]]


@one_check()
def run_training(
    experiment: Experiment | None = None,
    *,
    manual: Manual | None = None,
    data: DataSet | None = None,
    on_update: Watcher | None = None,
    tap: Tap | None = None,
    reference_tap: Tap | None = None,
    **declared: Any,
) -> Result:
    """Train both sides from the same start, check every update, and return the result.

    Parameters:
        experiment: the settings, for both sides; the defaults if it is left out.
        manual: the side under judgement; `manual_mlp` by default.
        data: replaces the data that the experiment names.
        on_update: called after every update; in a notebook, without it, a line is shown.
        tap: passes on the manual side's records, and may write them down.
        reference_tap: the same for the reference's.
        declared: settings by themselves, in place of those of the experiment: `epochs=20`.

    Returns:
        What was found; after Ctrl-C with `interrupted` set, about the updates done.

    Raises:
        BadInput: data or settings that cannot be used.

    Example:
        >>> from compare import Experiment, run_training
        >>> bool(run_training(Experiment(hidden=(4,), epochs=2)))
        True
        >>> bool(run_training(hidden=(4,), epochs=2))
        True
    """
    require_known(declared, tuple(one.name for one in fields(Experiment)), "run_training()")
    if manual is not None and not isinstance(manual, Manual):
        name = getattr(manual, "__name__", "FUNCTION")
        raise BadInput(NO_MANUAL.format(name=name, kind=type(manual).__name__))
    experiment = replace(experiment or Experiment(), **declared)
    inputs = draw_inputs(experiment, data)
    del data  # a run in float32 would hold the rows in both formats to its end
    trained = our_manual(experiment) if manual is None else in_memory(manual, experiment, inputs)
    manual = trained if manual is None else manual
    rows = max(len(batch) for batch in inputs.order[0]) if inputs.order else 0
    threads = experiment.threads or worthwhile_threads(rows, inputs.sizes)
    shown = reports().notebook_line() if on_update is None else nullcontext(on_update)
    with given_threads(threads), differentiating(), shown as watcher:
        run = Run(experiment, inputs, manual)
        try:
            run.begin()
        except WrongCall as failed:
            return run.failed(failed)
        ours = manual_records(experiment, inputs, trained)
        theirs = reference_records(experiment, inputs, run.reference)
        return watch(
            run,
            ours if tap is None else tap(ours, inputs),
            theirs if reference_tap is None else reference_tap(theirs, inputs),
            watcher,
        )


class Run:
    """A run under judgement: what is compared, what was seen of it, and what that comes to."""

    def __init__(
        self, experiment: Experiment, inputs: Inputs, manual: Manual, parts: int = 1
    ) -> None:
        self.experiment, self.inputs, self.manual = experiment, inputs, manual
        self.reference = build_reference(experiment, inputs.sizes)
        self.judge = Judge(
            experiment=experiment, inputs=inputs, reference=self.reference, parts=parts
        )
        self.worst = 0.0
        self.notes: tuple[str, ...] = ()
        self.lacking: tuple[str, ...] = ()

    def begin(self) -> None:
        """Examine what the manual side is, before it is trained."""
        probes = structural_probes(self.experiment, self.inputs)
        structure = enter_structure(self.judge, self.manual.loss_and_gradients, probes)
        self.notes = tuple(structure.notes)
        self.look_inside(probes[0])

    def look_inside(self, probe: Probe) -> None:
        """Compare the intermediates that the manual side shows; records do not carry them."""
        at = probe.parameters, probe.x, probe.targets
        loss, gradients, *shown = self.manual.loss_and_gradients(*at, **probe.how)
        if self.experiment.between.together:
            self.hands_on(shown[0] if shown else {}, probe.context)
        if not shown or not shown[0]:
            return
        examined = self.judge.same_point(*at, loss, gradients, context=probe.context)
        rows = np.arange(len(probe.x))
        record = manual_mlp.Record(0, 0, rows, loss, gradients, probe.parameters, {}, None)
        self.lacking = tuple(enter_shown(self.judge, record, examined, shown[0]))

    def hands_on(self, shown: Arrays, context: Context) -> None:
        """See whether the manual side shows the running statistics that follow a batch."""
        function = self.manual.loss_and_gradients
        self.judge.hands_on = bool(handed_on(function, shown, context))
        if not self.judge.hands_on:
            self.notes += (not_handed_on(function, context),)

    def see(self, ours: Record, theirs: Record) -> None:
        """Show the judge a pair of records."""
        self.worst = max(self.worst, self.judge.see(ours, theirs))

    def settings(self, **more: Any) -> dict[str, Any]:
        """What was asked for and what the data decided."""
        return numbers_of(self.experiment, self.inputs) | {"manual": self.manual.name} | more

    def failed(self, failure: WrongCall, **more: Any) -> Result:
        """Return what was found until the function under test raised or returned other shapes."""
        raised = enter_failure(self.judge, failure)
        named = name_despite(self.judge, self.manual.loss_and_gradients, self.inputs.sizes)
        return replace(self.conclude(False, named, **more), failure=raised)

    def conclude(self, interrupted: bool, named: Named | None = None, **more: Any) -> Result:
        """Return what was found, with `more` among its settings; `named` if the cause is known."""
        now = environment(self.experiment.device)
        manual = in_memory(self.manual, self.experiment, self.inputs)
        result = conclude_run(self.judge, self.settings(**more), now, manual, interrupted, named)
        return replace(result, notes=(*result.notes, *self.notes)).lacking(*self.lacking)


def structural_probes(experiment: Experiment, inputs: Inputs) -> list[Probe]:
    """A few of the run's own rows at random weights with biases: no training has begun."""
    return draw_probes(
        inputs.sizes,
        activation=experiment.activation,
        dtype=experiment.dtype,
        seed=experiment.seed,
        rows=inputs.training[0],
        objective=experiment.objective,
        bias=experiment.bias,
        between=experiment.between,
    )


def watch(
    run: Run,
    manual_side: Iterator[Record],
    reference_side: Iterator[Record],
    on_update: Watcher | None = None,
) -> Result:
    """Show the judge every pair of records, and conclude."""
    interrupted, failure = False, None
    try:
        for ours, theirs in side_by_side(run, manual_side, reference_side):
            if ours is None or theirs is None:
                run.judge.ended_alone("manual" if ours is None else "reference")
                break
            run.see(ours, theirs)
            if on_update is not None:
                on_update(progress_of(run, ours, theirs))
            if run.judge.over:
                break
    except KeyboardInterrupt:
        interrupted = True
    except WrongCall as failed:
        begun = bool(run.judge.ledger.worst)
        return run.failed(failed if begun else type(failed)(f"{failed} {FIRST}"))
    except UserCodeError as error:
        if not run.judge.ledger.worst:  # there is nothing to report about
            raise UserCodeError(f"{error} {FIRST}") from error
        failure = str(error)
    return replace(run.conclude(interrupted), failure=failure)


def side_by_side(
    run: Run, manual_side: Iterator[Record], reference_side: Iterator[Record]
) -> Iterator[tuple[Record | None, Record | None]]:
    """Return pairs of records; only early stopping may leave one side without the other.

    A side makes its update in memory that the check, or the other side, has left without gaps.
    """
    ours, theirs = (without_gaps(side, run.inputs) for side in (manual_side, reference_side))
    if run.experiment.patience is None:
        return zip(ours, theirs, strict=True)
    return zip_longest(ours, theirs)


def without_gaps(records: Iterator[Record], inputs: Inputs) -> Iterator[Record]:
    """The records, with freed memory given back before each is made."""
    give_back(inputs.parameters)
    for record in records:
        yield record
        del record
        give_back(inputs.parameters)


def progress_of(run: Run, ours: Record, theirs: Record) -> Progress:
    """How far the run is at a pair of records."""
    updates = updates_of(run.inputs.order)
    return Progress(
        ours.epoch, run.experiment.epochs, ours.update, updates,
        ours.loss, theirs.loss, run.worst,
    )  # fmt: skip

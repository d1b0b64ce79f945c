"""The side-by-side run: two trainers, one judge, one result.

    inputs -> manual records, reference records -> judge, pair by pair -> conclusion

Nothing flows back. Stopped by the user or by a number that is not finite, the run concludes from
what it has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from compare.contracts.errors import UserCodeError
from compare.contracts.experiment import Experiment
from compare.contracts.records import Manual, Record
from compare.contracts.result import Result
from compare.data import DataSet
from compare.examine.environment import environment
from compare.examine.sides import (
    build_reference,
    differentiating,
    manual_records,
    numbers_of,
    our_manual,
    reference_records,
)
from compare.examine.threads import given_threads, worthwhile_threads
from compare.judge.run import Judge
from compare.judge.run_conclusion import conclude_run
from compare.judge.structure import enter_structure
from compare.points.inputs import Inputs, draw_inputs
from compare.points.probe import Probe, draw_probes


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; sent after every update."""

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


def run_training(
    experiment: Experiment,
    *,
    manual: Manual | None = None,
    data: DataSet | None = None,
    on_update: Watcher | None = None,
    tap: Tap | None = None,
) -> Result:
    """Train both sides from the same start, check every update, and return the result.

    `manual` is the side under judgement, `manual_mlp` by default; `data` replaces the data named
    in the experiment. `on_update` is called after every update; `tap` passes on the manual side's
    records, and may write them down.

    Errors: `BadInput` for data or settings that cannot be used. Ctrl-C returns a `Result` with
    `interrupted` set, of the updates done.
    """
    inputs = draw_inputs(experiment, data)
    del data  # a run in float32 would hold the rows in both formats to its end
    manual = our_manual(experiment) if manual is None else manual
    rows = max(len(batch) for batch in inputs.order[0]) if inputs.order else 0
    threads = experiment.threads or worthwhile_threads(rows, inputs.sizes)
    with given_threads(threads), differentiating():
        reference = build_reference(experiment, inputs.sizes)
        judge = Judge(experiment=experiment, inputs=inputs, reference=reference)
        structure = enter_structure(
            judge, manual.loss_and_gradients, structural_probes(experiment, inputs)
        )
        records = manual_records(experiment, inputs, manual)
        result = watch(
            judge,
            records if tap is None else tap(records, inputs),
            reference_records(experiment, inputs, reference),
            manual,
            on_update,
        )
        return replace(result, notes=(*result.notes, *structure.notes))


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
    )


def watch(
    judge: Judge,
    manual_side: Iterator[Record],
    reference_side: Iterator[Record],
    manual: Manual,
    on_update: Watcher | None = None,
) -> Result:
    """Show the judge every pair of records, and conclude."""
    experiment, inputs = judge.experiment, judge.inputs
    updates, interrupted, seen = sum(map(len, inputs.order)), False, 0.0
    failure: str | None = None
    try:
        for ours, theirs in zip(manual_side, reference_side, strict=True):
            seen = max(seen, judge.see(ours, theirs))
            if on_update is not None:
                on_update(
                    Progress(
                        ours.epoch, experiment.epochs, ours.update, updates,
                        ours.loss, theirs.loss, seen,
                    )
                )  # fmt: skip
            if judge.over:
                break
    except KeyboardInterrupt:
        interrupted = True
    except UserCodeError as error:
        if not judge.ledger.worst:  # there is nothing to report about
            raise UserCodeError(f"{error} {FIRST}") from error
        failure = str(error)
    settings = numbers_of(experiment, inputs) | {"manual": manual.name}
    result = conclude_run(judge, settings, environment(experiment.device), manual, interrupted)
    return replace(result, failure=failure)

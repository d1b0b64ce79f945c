"""The judge: pairs of records in, a ledger of findings out.

For every update it holds the manual record against the reference at the same point, replays both
sides' steps, follows the drift, and looks at the records themselves (the start, the batch order,
the reported curves). It sees records, never trainers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.allowance.arithmetic import LAMBDA
from compare.allowance.squares import length
from compare.checks.comparison import compare_entries
from compare.checks.drift import Drift, moved_gradients
from compare.checks.examined import Examined, Expected
from compare.checks.optimiser_replay import OptimiserReplay
from compare.checks.optimiser_step import OptimiserStep
from compare.checks.reported import Reported
from compare.checks.running import compare_running, slip_of, without_running
from compare.checks.step import StepCheck
from compare.contracts.arrays import Arrays
from compare.contracts.between import NOTHING, Context, running
from compare.contracts.measured import Band, EpochRow
from compare.contracts.records import Record
from compare.contracts.result import Finding
from compare.data.freed import give_back
from compare.judge.ledger import finding_of
from compare.judge.point import MOST_WALKED, PointJudge, Replay
from compare.judge.seen import curves_of, is_finite, reported_at, shows_velocities
from compare.points.batches import batch_of
from compare.points.inputs import Inputs
from manual_mlp.schedules import stops

TRAIL = 4
"""Records kept for the diagnosis: the one before the first wrong one, that one, two that follow."""
STEPS = 4
"""Roundings of a learning rate in one update, and at its start."""
EPSILON = float(np.finfo(np.float64).eps) / 2


@dataclass(kw_only=True)
class Judge(PointJudge):
    """Watches one run, pair of records by pair of records."""

    inputs: Inputs
    hands_on: bool = True  # whether the manual side's running statistics are its own
    rows: list[EpochRow] = field(default_factory=list)
    first: Arrays | None = None  # the parameters of the first record
    trail: list[Record] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    _previous: dict[str, Record] = field(default_factory=dict)  # until its update is replayed
    _last: dict[str, tuple[int, int]] = field(default_factory=dict)  # epoch and update
    _expected: tuple[Record, Expected] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = self.experiment
        rate, momentum, form = wanted.learning_rate, wanted.momentum, wanted.momentum_form
        plain = StepCheck(self.arithmetic, rate, momentum, form, wanted.device)
        optimiser = None if wanted.plain_momentum else OptimiserStep.of(wanted)
        self.steps: dict[str, Replay] = {
            "manual": plain if optimiser is None else OptimiserReplay.in_any_form(optimiser),
            "reference": plain if optimiser is None else OptimiserReplay(optimiser),
        }
        self.drift = Drift(self.arithmetic, rate, momentum, form, optimiser)

    def see(self, manual: Record, reference: Record) -> float:
        """Check one pair of records; return the worst ratio at this update."""
        self._arrived("manual", manual)
        if not is_finite(reference):
            self._stop(f"the reference is not finite at epoch {reference.epoch}")
            return np.inf
        self._arrived("reference", reference)
        if self.experiment.schedule is not None:
            self._rates(manual, reference)
        if self._expected is not None:
            self._carried(manual, *self._expected)
        give_back(manual.parameters)  # the updates left gaps between their arrays
        examined = self.at_point(manual, *self._batch(manual), self.context_of(manual))
        if self.experiment.between.together and self.hands_on:
            self._expected = manual, examined.expected
        drift, reference_right = self._follow(manual, reference, examined)
        if manual.evaluation is not None and reference.evaluation is not None:
            self._epoch(manual, reference, examined, drift, reference_right)
        self._keep(manual)
        self._previous = {"manual": manual, "reference": reference}
        return max(one.worst.ratio for one in examined.comparisons.values())

    def _arrived(self, side: str, record: Record) -> None:
        """Check how a record came about: what it was given, or the update that led to it."""
        self._handed_over(side, record)
        self._last[side] = record.epoch, record.update
        before = self._previous.pop(side, None)
        if before is not None:
            if self.experiment.between.together:
                before, record = without_running(before), without_running(record)
            self.replay(side, before, record, self._step_of(side, record))

    def _step_of(self, side: str, record: Record) -> Replay:
        """Return what replays a side's updates: the reference's own state where it shows none."""
        if self.drift.optimiser is None and not shows_velocities(record):
            self.drift.optimiser = OptimiserStep.of(self.experiment)
            self.steps[side] = OptimiserReplay(self.drift.optimiser)
        return self.steps[side]

    def _carried(self, manual: Record, before: Record, expected: Expected) -> None:
        """Check the running statistics that the update before left behind."""
        given = expected, manual.state, self.arithmetic
        if self.updated("manual", before, compare_running(*given), counts=0):  # part of its step
            self.statistics.append(slip_of(*given))

    def context_of(self, record: Record) -> Context:
        """What a record's pass took besides its parameters and rows."""
        if self.experiment.between.plain:
            return NOTHING
        masks = self.inputs.context(record.update, len(record.batch))
        return masks | running(record.state)

    def _keep(self, manual: Record) -> None:
        """Keep the manual records around the first wrong one, for the diagnosis of it."""
        if self.first is None:
            handed, taken = self.inputs.parameters, manual.parameters
            self.first = {
                k: w if np.array_equal(w, taken[k]) else taken[k] for k, w in handed.items()
            }
        wrong = any(self.ledger.tallies[check].failed > 0 for check in ("step", "same_point"))
        self.trail.append(manual)
        if not (wrong or self._carries_its_own()):
            del self.trail[:-1]
        del self.trail[TRAIL:]

    def _carries_its_own(self) -> bool:
        """Whether the first updates are kept: a state that no record shows is known from there."""
        replay, first = self.steps["manual"], self.trail[0]
        own = isinstance(replay, OptimiserReplay) and not replay.compared
        small = sum(w.size for w in first.parameters.values()) <= MOST_WALKED
        return own and small and first.update == 0 and len(self.trail) < TRAIL

    def _batch(self, record: Record) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
        """The rows of a record's own batch: a wrong batch is a finding, not a wrong gradient."""
        x, targets = self.inputs.training
        if np.array_equal(record.batch, np.arange(len(x))):
            return x, targets, self.inputs.identities
        return x[record.batch], targets[record.batch], self.inputs.identities[record.batch]

    def _handed_over(self, side: str, record: Record) -> None:
        """Each side must start from the arrays it was given, and walk the given batches."""
        if side not in self._last:
            for stage, given, taken in (
                ("initial weights", self.inputs.parameters, record.parameters),
                ("initial state", self.inputs.state, record.state),
            ):
                for name, array in given.items():
                    if not np.array_equal(array, taken[name]):
                        self._premise(side, record, stage, name, array, taken[name])
        batch = batch_of(self.inputs.order, record.update)
        if batch is None or self._ends(side, record):  # the last record is of all rows
            batch = np.arange(len(self.inputs.training[0]))
        if not np.array_equal(batch, record.batch):
            self.ledger.find(
                Finding(
                    check="free_run",
                    stage="batch order",
                    message=f"{side}: the batch at epoch {record.epoch}, update {record.update} "
                    "is not the one that was handed out",
                    epoch=record.epoch,
                    update=record.update,
                    side=side,
                )
            )
            self.ledger.tallies["free_run"].failed += 1

    def _ends(self, side: str, record: Record) -> bool:
        """Whether early stopping ends this side's training here, by its own validation losses."""
        losses, patience = self.losses.setdefault(side, []), self.experiment.patience
        if record.evaluation is not None:
            losses.append(float(record.evaluation.validation_loss))
        if patience is None or not stops(losses, patience):
            return False
        self.stopped[side] = record.epoch
        return True

    def ended_alone(self, side: str) -> None:
        """Accuse a side that made fewer updates than the other, unless its own losses say so."""
        if side in self.stopped or side not in self._last:
            return
        epoch, update = self._last[side]
        message = f"{side}: training ended at epoch {epoch}, update {update}"
        why = "before all batches were used, and no validation loss says so"
        self.ledger.find(
            Finding(
                "free_run", "batch order", f"{message}, {why}",
                epoch=epoch, update=update, side=side,
            )
        )  # fmt: skip
        self.ledger.tallies["free_run"].failed += 1

    def _rates(self, manual: Record, reference: Record) -> None:
        """Hold the learning rates of an update against each other; torch adds its rate up."""
        if manual.learning_rate is None or reference.learning_rate is None:
            return
        allowed = (manual.update + STEPS) * LAMBDA * EPSILON * self.experiment.learning_rate
        one = compare_entries(
            "learning rate", manual.learning_rate, reference.learning_rate, allowed
        )
        self.ledger.compared(one.name, one)
        if not one.agrees:
            self.ledger.find(finding_of("step", "learning rate", None, one, manual, "manual"))
            self.ledger.tallies["step"].failed += 1

    def _premise(
        self,
        side: str,
        record: Record,
        stage: str,
        name: str,
        given: NDArray[Any],
        taken: NDArray[Any],
    ) -> None:
        tiny = np.finfo(np.float64).smallest_subnormal  # any difference at all
        compared = compare_entries(name, taken, given, float(tiny))
        worst = compared.worst
        message = (
            f"{side}: {name}{list(worst.index)} of the {stage} is {worst.manual:.17g}, "
            f"but {worst.reference:.17g} was handed out"
        )
        found = finding_of("free_run", stage, name, compared, record, side)
        self.ledger.find(replace(found, message=message, ratio=None))
        self.ledger.tallies["free_run"].failed += 1

    def _follow(self, manual: Record, reference: Record, examined: Examined) -> tuple[float, bool]:
        """Follow the drift; evaluate the reference's own record again where it stands out.

        Return the drift, and whether nothing was found against that record.
        """
        self.ledger.tallies["free_run"].made += 1
        drift = self.drift.after(examined, manual, reference)
        moved = moved_gradients(examined, reference)
        if self.over or not self.drift.stands_out(moved, drift):
            return drift, True
        x, targets, identities = self._batch(reference)
        again = self.same_point(
            reference.parameters, x, targets, reference.loss, reference.gradients, identities,
            self.context_of(reference),
        )  # fmt: skip
        if again.agrees:
            if np.array_equal(manual.batch, reference.batch):
                self.drift.verified(moved, drift)
            return drift, True
        self.ledger.tallies["free_run"].failed += 1
        name, one = next((k, one) for k, one in again.comparisons.items() if not one.agrees)
        parameter = None if name == "loss" else name.removesuffix(" projection").removeprefix("d")
        self.ledger.find(finding_of("free_run", name, parameter, one, reference, "reference"))
        return drift, False

    def _epoch(
        self,
        manual: Record,
        reference: Record,
        examined: Examined,
        drift: float,
        reference_right: bool,
    ) -> None:
        """Check what both sides report at an epoch boundary, and add a point to the curves.

        A side whose loss is wrong is not blamed once more for reporting that loss.
        """
        assert manual.evaluation is not None and reference.evaluation is not None
        curves = curves_of(manual.evaluation), curves_of(reference.evaluation)
        bands = {}
        targets = self.inputs.training[1]
        for which in ("train", "validation"):
            same = self.experiment.between.as_in_evaluation
            whole = same and np.array_equal(manual.batch, np.arange(len(targets)))
            if which == "train" and whole:
                at_manual = reported_at(examined, targets, curves[0])
            else:
                at_manual = self._evaluate(manual, which)
            if examined.loss.agrees:
                self._report(manual, "manual", which, at_manual)
            bands[which] = self._reference_curve(
                reference, which, at_manual, drift, reference_right
            )
        worst = self.ledger.close_epoch()
        band = Band(bands["train"], bands["validation"], self.drift.fed)
        norms = {name: length(value) for name, value in manual.parameters.items()}
        self.rows.append(EpochRow(manual.epoch, *curves, drift, band, worst, norms))

    def _evaluate(self, record: Record, which: str) -> Reported:
        """Evaluate the reference on a whole set, at the weights of a record of either side."""
        training = which == "train"
        return self.same_point.reported(
            record.parameters,
            *(self.inputs.training if training else self.inputs.validation),
            getattr(record.evaluation, f"{which}_loss"),
            getattr(record.evaluation, f"{which}_accuracy"),
            self.inputs.identities if training else None,
            running(record.state),
        )

    def _reference_curve(
        self, reference: Record, which: str, at_manual: Reported, drift: float, right: bool
    ) -> float:
        """Check the reference's own curve where it stands out; return the band of the loss."""
        loss: float = getattr(reference.evaluation, f"{which}_loss")
        accuracy: float = getattr(reference.evaluation, f"{which}_accuracy")
        one, two = at_manual.loss.worst, at_manual.accuracy.worst
        moved = {
            f"{which} loss": (abs(loss - one.reference), one.allowance),
            # Half: one more sample right than could be is already too many.
            f"{which} accuracy": (abs(accuracy - two.reference), two.allowance / 2),
        }
        if right and self.drift.stands_out(moved, drift):
            again = self._evaluate(reference, which)
            self._report(reference, "reference", which, again)
            if again.loss.agrees and again.accuracy.agrees:
                self.drift.verified(moved, drift)
        return one.allowance + abs(loss - one.reference)

    def _report(self, record: Record, side: str, which: str, found: Reported) -> None:
        """Enter one point of a curve."""
        for what, one in (("loss", found.loss), ("accuracy", found.accuracy)):
            name = f"{which} {what}"
            self.ledger.compared(f"{name} ({side})", one)
            if not one.agrees and one.reference_finite:
                stage = "validation" if which == "validation" else "reporting"
                named = replace(one, name=name)
                self.ledger.find(finding_of("same_point", stage, None, named, record, side))
                self.ledger.tallies["same_point"].failed += 1

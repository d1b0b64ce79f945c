"""The judge: pairs of records in, a ledger of findings out.

For every update it holds the manual record against the reference at the same point, replays both
sides' steps, follows the drift, and looks at the records themselves (the start, the batch order,
the reported curves). It sees records, never trainers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Arithmetic
from compare.checks.comparison import Comparison, compare_entries
from compare.checks.control import Control, negative_control
from compare.checks.drift import Drift
from compare.checks.same_point import Examined, SamePoint
from compare.checks.stages import stage_of
from compare.checks.step import StepCheck
from compare.checks.weak import Power
from compare.experiment import Experiment
from compare.inputs import Inputs
from compare.ledger import Ledger, finding_of
from compare.records import Arrays, Evaluation, Record
from compare.result import Band, Curves, EpochRow, Finding, Kink

if TYPE_CHECKING:
    from torch_reference import Reference


@dataclass(frozen=True, slots=True)
class Suspect:
    """The first point at which the same-point check failed, kept for referee and diagnosis."""

    record: Record
    x: NDArray[Any]
    targets: NDArray[Any]
    examined: Examined
    parameter: str | None


@dataclass
class Judge:
    """Watches one run. `over` is set when a side stopped being finite: nothing follows from NaN."""

    experiment: Experiment
    inputs: Inputs
    reference: Reference
    ledger: Ledger = field(default_factory=Ledger)
    rows: list[EpochRow] = field(default_factory=list)
    suspect: Suspect | None = None
    control: Control | None = None
    over: bool = False
    biggest_velocity: float = 0.0
    _previous: tuple[Record, Record] | None = None

    def __post_init__(self) -> None:
        wanted = self.experiment
        arithmetic = Arithmetic.of(wanted.dtype)
        self.same_point = SamePoint(self.reference, arithmetic, wanted.activation, wanted.reduction)
        self.step = StepCheck(
            arithmetic,
            wanted.learning_rate,
            wanted.momentum,
            wanted.momentum_form,
            wanted.device,
        )
        self.drift = Drift(arithmetic, wanted.learning_rate, wanted.momentum, wanted.momentum_form)
        self.power = Power(wanted.dtype)
        self.order = [batch for batches in self.inputs.order for batch in batches]

    def see(self, manual: Record, reference: Record) -> float:
        """Check one pair of records; return the worst ratio at this update."""
        for side, record in (("manual", manual), ("reference", reference)):
            self._handed_over(side, record)
            if self._previous is not None:
                before = self._previous[side == "reference"]
                self._replay(side, before, record)
        x, targets, identities = self._batch(manual)
        examined = self.same_point(
            manual.parameters, x, targets, manual.loss, manual.gradients, identities
        )
        self._examine(manual, x, targets, examined)
        drift = self._follow(manual, reference, x, targets, identities, examined)
        if manual.evaluation is not None and reference.evaluation is not None:
            self._epoch(manual, reference, examined, drift)
        self._previous = manual, reference
        return max(one.worst.ratio for one in examined.comparisons.values())

    def _batch(self, record: Record) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
        """The rows that the order hands out at this update; the whole set after the last."""
        x, targets = self.inputs.training
        if record.update >= len(self.order):
            return x, targets, self.inputs.identities
        batch = self.order[record.update]
        if len(batch) == len(x) and np.array_equal(batch, np.arange(len(x))):
            return x, targets, self.inputs.identities
        return x[batch], targets[batch], self.inputs.identities[batch]

    def _handed_over(self, side: str, record: Record) -> None:
        """Each side must start from the arrays it was given, and walk the given batches."""
        if self._previous is None:
            for stage, given, taken in (
                ("initial weights", self.inputs.parameters, record.parameters),
                ("initial state", self.inputs.state, record.state),
            ):
                for name, array in given.items():
                    if not np.array_equal(array, taken[name]):
                        self._premise(side, record, stage, name, array, taken[name])
        whole = np.arange(len(self.inputs.training[0]))
        order = self.order[record.update] if record.update < len(self.order) else whole
        if not np.array_equal(order, record.batch):
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
        compared = compare_entries(f"{stage} {name}", taken, given, float(tiny))
        self.ledger.find(finding_of("free_run", stage, name, compared, record, side))
        self.ledger.tallies["free_run"].failed += 1

    def _replay(self, side: str, before: Record, after: Record) -> None:
        compared = self.step(before, after)
        tally = self.ledger.tallies["step"]
        tally.made += 1
        tally.failed += not all(one.agrees for one in compared.values())
        for name, one in compared.items():
            tally.worst_ratio = max(tally.worst_ratio, one.worst.ratio)
            self.ledger.compared(name, one)
            if not one.agrees:
                self._failed_step(side, before, name, one)
                return

    def _failed_step(self, side: str, before: Record, name: str, one: Comparison) -> None:
        """A state that is wrong makes its parameter wrong: blame the velocity first."""
        if not one.reference_finite:
            self._stop(f"the update from epoch {before.epoch} is not finite on the reference side")
            return
        stage = "velocity" if name.startswith("v_") else "update"
        parameter = name.removeprefix("v_")
        self.ledger.find(finding_of("step", stage, parameter, one, before, side))

    def _examine(
        self, record: Record, x: NDArray[Any], targets: NDArray[Any], examined: Examined
    ) -> None:
        tally = self.ledger.tallies["same_point"]
        tally.made += 1
        tally.failed += not examined.agrees
        for name, one in examined.comparisons.items():
            tally.worst_ratio = max(tally.worst_ratio, one.worst.ratio)
            self.ledger.compared(name, one)
        for name, one in {"loss": examined.loss, **examined.gradients}.items():
            self.ledger.compared(f"d{name}", one, epochwise=name) if name != "loss" else (
                self.ledger.compared(name, one, epochwise=name)
            )
        if not all(one.reference_finite for one in examined.comparisons.values()):
            self._stop(f"the reference is not finite at epoch {record.epoch}")
            return
        if not all(one.manual_finite for one in examined.comparisons.values()):
            self.over = True
        self.power.see(
            examined.reference_gradients, examined.allowances, record.epoch, record.update
        )
        self._kinks(record, examined)
        if self.control is None:
            self.control = negative_control(
                examined.reference_gradients,
                examined.reference_gradients,
                examined.allowances.gradients,
            )
        if not examined.agrees:
            self._accuse(record, x, targets, examined)

    def _accuse(
        self, record: Record, x: NDArray[Any], targets: NDArray[Any], examined: Examined
    ) -> None:
        """Name the first wrong stage; keep the point for referee and diagnosis."""
        if not examined.loss.agrees:
            self.ledger.find(
                finding_of("same_point", "loss", None, examined.loss, record, "manual")
            )
        by_tensor = {
            name: one if not one.agrees else examined.projections.get(name, one)
            for name, one in examined.gradients.items()
        }
        stage = stage_of(by_tensor)
        wrong = [name for name, one in by_tensor.items() if not one.agrees]
        parameter = _first_of(stage, wrong)
        if parameter is not None and stage is not None:
            self.ledger.find(
                finding_of("same_point", stage, parameter, by_tensor[parameter], record, "manual")
            )
        if self.suspect is None:
            self.suspect = Suspect(record, x, targets, examined, parameter)

    def _kinks(self, record: Record, examined: Examined) -> None:
        slopes = examined.slopes
        batch = record.batch
        for layer, change in slopes.change.items():
            z = examined.reference_values[f"z{layer}"]
            for row, unit, moved in zip(
                slopes.rows[layer], slopes.units[layer], change, strict=True
            ):
                own = float(z[row, unit] > 0)
                self.ledger.kinks.append(
                    Kink(
                        update=record.update,
                        epoch=record.epoch,
                        sample=int(batch[row]) if row < len(batch) else int(row),
                        layer=layer,
                        unit=int(unit),
                        z=float(z[row, unit]),
                        slope=own + float(moved),
                    )
                )

    def _follow(
        self,
        manual: Record,
        reference: Record,
        x: NDArray[Any],
        targets: NDArray[Any],
        identities: NDArray[np.int64],
        examined: Examined,
    ) -> float:
        """Follow the drift; evaluate the reference's own record again where it stands out."""
        self.ledger.tallies["free_run"].made += 1
        drift = self.drift.after(examined, manual, reference)
        self.biggest_velocity = max(
            self.biggest_velocity, *(float(np.abs(v).max()) for v in manual.state.values())
        )
        if self.over or not self.drift.stands_out(examined, reference, drift):
            return drift
        again = self.same_point(
            reference.parameters, x, targets, reference.loss, reference.gradients, identities
        )
        if again.agrees:
            self.drift.verified(examined, reference, drift)
            return drift
        self.ledger.tallies["free_run"].failed += 1
        for name, one in again.comparisons.items():
            if not one.agrees:
                parameter = name.removeprefix("d") if name != "loss" else None
                self.ledger.find(
                    finding_of("free_run", name, parameter, one, reference, "reference")
                )
                break
        return drift

    def _epoch(self, manual: Record, reference: Record, examined: Examined, drift: float) -> None:
        """Check what both sides report at an epoch boundary, and add a point to the curves."""
        assert manual.evaluation is not None and reference.evaluation is not None
        curves = curves_of(manual.evaluation), curves_of(reference.evaluation)
        train = self._reported(manual, "manual", "train")
        validation = self._reported(manual, "manual", "validation")
        if drift > 0 or manual.loss != reference.loss:
            self._reported(reference, "reference", "train")
            self._reported(reference, "reference", "validation")
        response = (
            abs(train.reference - curves[1].train_loss),
            abs(validation.reference - curves[1].validation_loss),
        )
        band = Band(
            train_loss=train.allowance + response[0],
            validation_loss=validation.allowance + response[1],
            drift=self.drift.fed,
        )
        worst = {k: v for k, v in self.ledger.close_epoch().items()}
        self.rows.append(EpochRow(manual.epoch, *curves, drift, band, worst))

    def _reported(self, record: Record, side: str, which: str) -> Any:
        """Check one reported loss and accuracy at the record's own weights."""
        x, targets = self.inputs.training if which == "train" else self.inputs.validation
        loss, accuracy = self.same_point.evaluation(
            record.parameters,
            x,
            targets,
            getattr(record.evaluation, f"{which}_loss"),
            getattr(record.evaluation, f"{which}_accuracy"),
            self.inputs.identities if which == "train" else None,
        )
        for what, one in (("loss", loss), ("accuracy", accuracy)):
            name = f"{which} {what}"
            self.ledger.compared(f"{name} ({side})", one)
            if not one.agrees and one.reference_finite:
                stage = "validation" if which == "validation" else "reporting"
                named = Comparison(name, one.worst, one.manual_finite, one.reference_finite)
                self.ledger.find(finding_of("same_point", stage, None, named, record, side))
                self.ledger.tallies["same_point"].failed += 1
        return loss.worst

    def _stop(self, why: str) -> None:
        self.over = True
        self.ledger.undecided.append(why)


def _first_of(stage: str | None, wrong: list[str]) -> str | None:
    """The parameter to show for a stage: the weight of its layer if that is wrong, or its bias."""
    if stage is None:
        return None
    if stage[:2] in ("dw", "db"):
        return stage[1:]
    if stage == "dlogits":
        return max(wrong, key=lambda name: (int(name[1:]), name[0] == "w"))
    return f"w{stage[2:]}"


def curves_of(evaluation: Evaluation) -> Curves:
    """Return the four numbers of an epoch boundary."""
    return Curves(
        train_loss=float(evaluation.train_loss),
        train_accuracy=float(evaluation.train_accuracy),
        validation_loss=float(evaluation.validation_loss),
        validation_accuracy=float(evaluation.validation_accuracy),
    )


__all__ = ["Arrays", "Judge", "Suspect"]

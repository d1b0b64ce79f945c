"""One point under judgement: the part of the judge that needs no training run.

It holds an observed loss and gradients against the reference, keeps what it finds in the ledger,
measures how much it could have seen, and shows itself the negative control once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Arithmetic
from compare.checks.comparison import Comparison
from compare.checks.control import Control, negative_control
from compare.checks.exact import Rows
from compare.checks.examined import Examined
from compare.checks.same_point import SamePoint
from compare.checks.slopes import slopes_of
from compare.checks.stages import stage_of
from compare.checks.step_power import StepPower
from compare.checks.weak import UNBOUNDED, Power, reasons_at, why_not_compared
from compare.contracts.arrays import Arrays, Float, Real
from compare.contracts.between import NOTHING, Context
from compare.contracts.experiment import Experiment
from compare.contracts.measured import Kink
from compare.contracts.moments import moment
from compare.contracts.records import Record
from compare.judge.ledger import Ledger, finding_of, keep_worst
from compare.judge.updates import KEPT, Updates

if TYPE_CHECKING:
    from torch_reference import Reference

Replay = Callable[[Record, Record, StepPower | None], dict[str, Comparison]]
"""A step check: of momentum or of any other optimiser."""
WALKED, MOST_WALKED = 8, 1 << 20
"""So many first updates of a dump without buffers, of at most so many entries."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A point at which the same-point check failed, kept for the diagnosis."""

    record: Record
    x: NDArray[Any]
    targets: NDArray[Any]
    parameter: str | None
    context: Context = field(default_factory=dict)

    @property
    def how(self) -> dict[str, Any]:
        """Return the keyword that an implementation gets besides: none without a context."""
        return {"context": self.context} if self.context else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSuspect(Suspect):
    """The first, with what the referee asks for: allowances are large, and kept of one only."""

    examined: Examined


@dataclass(kw_only=True)
class PointJudge:
    """Examines points. `over` is set when a side stopped being finite: nothing follows from NaN.

    `suspects` are the first wrong points, `right` a few right ones of a dump, which nobody can
    ask for more. `statistics` says of wrong running statistics which slip reproduces them.
    `state` is the state before the first update, zeros where absent; `walked` are
    records of consecutive updates from the first one on, to tell the optimiser by. `begun` is the
    update from the state {}, before and after, at two learning rates, where it alone is wrong.

    `mode` says whose points they are: None of a training, else of a `check` or a `dump`; `parts`
    how many ranks add up a batch.
    """

    experiment: Experiment
    reference: Reference
    mode: str | None = None
    random: str = ""
    parts: int = 1
    ledger: Ledger = field(default_factory=Ledger)
    suspect: FirstSuspect | None = None
    suspects: list[Suspect] = field(default_factory=list)
    statistics: list[str | None] = field(default_factory=list)
    right: list[Suspect] = field(default_factory=list)
    control: Control | None = None
    updates: Updates = field(default_factory=Updates)
    state: Arrays = field(default_factory=dict)
    walked: list[Record] = field(default_factory=list)
    begun: list[tuple[Record, Record]] = field(default_factory=list)
    over: bool = False

    def __post_init__(self) -> None:
        wanted = self.experiment
        self.arithmetic = Arithmetic.of(wanted.dtype, self.parts)
        self.same_point = SamePoint(
            self.reference, self.arithmetic, wanted.activation, wanted.reduction, wanted.objective,
            wanted.between,
        )  # fmt: skip
        self.power = Power(wanted.dtype)
        self.step_power = StepPower(wanted.dtype)

    def at_point(
        self,
        record: Record,
        x: NDArray[Any],
        targets: NDArray[Any],
        identities: NDArray[np.int64] | None = None,
        context: Context = NOTHING,
    ) -> Examined:
        """Hold a record's loss and gradients against the reference at the record's parameters."""
        examined = self.same_point(
            record.parameters, x, targets, record.loss, record.gradients, identities, context
        )
        self._examine(record, x, targets, examined, identities, context)
        return examined

    def _examine(
        self,
        record: Record,
        x: NDArray[Any],
        targets: NDArray[Any],
        examined: Examined,
        identities: NDArray[np.int64] | None,
        context: Context,
    ) -> None:
        tally = self.ledger.tallies["same_point"]
        tally.made += 1
        tally.failed += not examined.agrees
        for name, one in examined.comparisons.items():
            tally.worst_ratio = max(tally.worst_ratio, one.worst.ratio)
            self.ledger.compared(name, one)
        for name, one in {"loss": examined.loss, **examined.gradients}.items():
            keep_worst(self.ledger.epoch_worst, name, one.worst)
        if not all(one.reference_finite for one in examined.comparisons.values()):
            self._stop(f"the reference is not finite at {self._when(record, 'same_point')}")
            return
        if not all(one.manual_finite for one in examined.comparisons.values()):
            self.over = True
        vanishing = self.experiment.between.vanishing(record.parameters, context)
        seen = {k: v for k, v in examined.reference_gradients.items() if k not in vanishing}
        self.power.see(seen, examined.allowances, record.epoch, record.update)
        self._look_for_blind(record, examined, seen)
        self._weigh(record, examined, identities)
        self._kinks(record, examined)
        if self.control is None:
            self.control = negative_control(
                lambda spoilt: self._accepts(examined, spoilt),
                examined.expected.gradients,
                examined.expected.point.allowances.gradients,
            )
        if not examined.agrees:
            self._accuse(record, x, targets, examined, context)
        elif len(self.right) < KEPT - 2 and self.mode == "dump":
            self.right.append(Suspect(record, x, targets, None, context))

    def _look_for_blind(self, record: Record, examined: Examined, gradients: Arrays) -> None:
        """Note what the allowances of this point would not have told from anything else."""
        reasons = {
            f"d{name}": why_not_compared(
                name, record.gradients[name], reference, examined.allowances
            )
            for name, reference in gradients.items()
        }
        loss = examined.loss.worst
        unbounded = loss.error > 0 and not np.isfinite(loss.allowance)
        reasons["loss"] = UNBOUNDED if unbounded else None
        found = {name: why for name, why in reasons.items() if why is not None}
        for name, why in found.items():
            self.ledger.passed_over(name, why, self._when(record, "same_point"))
        self.ledger.tallies["same_point"].blind += bool(found)

    def _accepts(self, examined: Examined, gradients: Arrays) -> bool:
        """Whether the same-point check accepts `gradients` beside the reference's own loss."""
        expected = examined.expected
        return self.same_point.hold(expected, expected.loss, gradients).agrees

    def replay(self, side: str, before: Record, after: Record, step: Replay) -> None:
        """Replay one recorded transition with the reference's optimiser."""
        compared = step(before, after, self.step_power if side == "manual" else None)
        failed = self.updated(side, before, compared)
        if side == "manual":
            some = self.mode is None and self.experiment.plain_momentum
            self.updates.see(before, after, right=not failed, some=some)
            if self.mode == "dump":
                self._walk(before, after)

    def _walk(self, before: Record, after: Record) -> None:
        """Keep the first updates of a dump that shows no buffers, or zeros: they are carried from
        there."""
        follows = bool(self.walked) and self.walked[-1].update == before.update
        kept = [array for key, array in before.state.items() if key != "t"]
        zeros = not self.experiment.plain_momentum and not any(array.any() for array in kept)
        begins = before.update == 0 and (not kept or zeros)
        small = sum(w.size for w in before.parameters.values()) <= MOST_WALKED
        if (follows or begins) and small and len(self.walked) <= WALKED:
            self.walked[-1:] = [before, after]

    def updated(
        self, side: str, before: Record, compared: dict[str, Comparison], *, counts: int = 1
    ) -> bool:
        """Enter the comparisons of one update; return whether any failed."""
        tally = self.ledger.tallies["step"]
        tally.made += counts
        tally.failed += not all(one.agrees for one in compared.values())
        for name, one in compared.items():
            tally.worst_ratio = max(tally.worst_ratio, one.worst.ratio)
            self.ledger.compared(name, one)
        failed = [(name, one) for name, one in compared.items() if not one.agrees]
        # A buffer that is wrong makes its parameter wrong: blame the buffer first.
        for name, one in sorted(failed, key=lambda item: "_" not in item[0])[:1]:
            self._failed_step(side, before, name, one)
        return bool(failed)

    def _failed_step(self, side: str, before: Record, name: str, one: Comparison) -> None:
        if not one.reference_finite:
            when = self._when(before, "step")
            self._stop(f"the update from {when} is not finite on the reference side")
            return
        stage = "velocity" if name.startswith("v_") else "buffer" if "_" in name else "update"
        parameter = name.rpartition("_")[2].removesuffix(" projection")
        self.ledger.find(finding_of("step", stage, parameter, one, before, side, self.mode))

    def _when(self, record: Record, check: str) -> str:
        """Return what a record is called; of a training only the epoch."""
        return moment(self.mode, check, record.epoch, record.update if self.mode else None)

    def _accuse(
        self,
        record: Record,
        x: NDArray[Any],
        targets: NDArray[Any],
        examined: Examined,
        context: Context,
    ) -> None:
        """Name the first wrong stage; keep the point for referee and diagnosis."""
        if not examined.loss.agrees:
            self._found("loss", None, examined.loss, record)
        by_tensor = {
            name: one if not one.agrees else examined.projections.get(name, one)
            for name, one in examined.gradients.items()
        }
        stage = stage_of(by_tensor)
        wrong = [name for name, one in by_tensor.items() if not one.agrees]
        parameter = _first_of(stage, wrong)
        if parameter is not None and stage is not None:
            self._found(stage, parameter, by_tensor[parameter], record)
        suspect = Suspect(record, x, targets, parameter, context)
        self.suspects = [*self.suspects, suspect][:KEPT]
        if self.suspect is None:
            self.suspect = FirstSuspect(record, x, targets, parameter, context, examined=examined)

    def _found(self, stage: str, parameter: str | None, one: Comparison, record: Record) -> None:
        """Enter what is wrong with the manual side at a point."""
        found = finding_of("same_point", stage, parameter, one, record, "manual", self.mode)
        self.ledger.find(found)

    def _weigh(
        self, record: Record, examined: Examined, identities: NDArray[np.int64] | None
    ) -> None:
        """Note what this point could not have shown."""
        rows = len(examined.expected.point.x)
        distinct = rows if identities is None else int(np.count_nonzero(np.bincount(identities)))
        entropy = self.experiment.loss == "cross_entropy"
        probabilities = examined.allowances.forward.probabilities if entropy else None
        reasons = reasons_at(
            record.parameters,
            examined.reference_gradients,
            rows,
            distinct,
            probabilities,
        )
        self.power.because(reasons, record.epoch, record.update)
        if examined.widened:
            widened = ("too many units on a kink to resolve them", None)
            self.power.because(iter([widened]), record.epoch, record.update)

    def _kinks(self, record: Record, examined: Examined) -> None:
        slopes, point = examined.slopes, examined.expected.point
        for layer, change in slopes.change.items():
            at = slopes.rows[layer], slopes.units[layer]
            taken = slopes_of(point, layer, *at) + change
            self._note_kinks(record, layer, *at, point.taken(layer)[at], taken)
        above = slopes.above
        if above is not None:
            self._note_kinks(
                record, point.depth, above.rows, above.units, above.margin, above.slope
            )

    def _note_kinks(
        self, record: Record, layer: int, rows: Rows, units: Rows, z: Real, taken: Float
    ) -> None:
        """Enter the units of a layer that took other slopes; of corners above it z is a margin."""
        batch = record.batch
        for row, unit, pre_activation, slope in zip(rows, units, z, taken, strict=True):
            self.ledger.kinks.append(
                Kink(
                    update=record.update,
                    epoch=record.epoch,
                    sample=int(batch[row]) if row < len(batch) else int(row),
                    layer=layer,
                    unit=int(unit),
                    z=float(pre_activation),
                    slope=float(slope),
                )
            )

    def _stop(self, why: str) -> None:
        self.over = True
        self.ledger.undecided.append(why)


def _first_of(stage: str | None, wrong: list[str]) -> str | None:
    """The parameter to show for a stage: the weight of its layer if that is wrong, or its bias."""
    if stage is None:
        return None
    if stage.startswith(("dw", "db", "dgamma")):
        return stage[1:]
    if stage == "dlogits":
        return max(wrong, key=lambda name: (int(name.lstrip("abegmtw")), name[0] == "w"))
    return f"gamma{stage[2:]}" if stage.startswith("dn") else f"w{stage[2:]}"

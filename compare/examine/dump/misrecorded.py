"""What a dump recorded in place of what was computed: kept while its steps are looked at.

Wrong steps wait for the step after them, since a slip of recording is proved by the neighbours.
The updates are asked too: where torch's gradients make them and the recorded ones do not, the
training had the right gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np

import manual_mlp
from compare.checks.examined import Examined
from compare.checks.step import StepCheck
from compare.contracts.arrays import Array
from compare.contracts.result import Diagnosis
from compare.examine.dump.dump_step import Step
from compare.examine.dump.logged import (
    gradients_recorded,
    gradients_zeroed,
    inputs_scaled,
    velocities_recorded,
    weights_in_float32,
)
from compare.examine.dump.logged_losses import Loss, loss_of, loss_of_all_rows, losses_recorded
from compare.examine.dump.triage import KEPT, Wrong, stored_in_part, triage, velocity_after
from compare.judge.naming import from_records
from compare.judge.point import PointJudge

KEPT_BATCHES = 256
"""So many are kept where the first loss is wrong, to ask whether it is one over all of them."""


@dataclass
class Misrecorded:
    """The wrong steps of a dump with their neighbours, all losses, and the updates."""

    judge: PointJudge
    wrong: list[Wrong] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    batches: dict[bytes, tuple[Array, Array]] = field(default_factory=dict)
    gradients_wrong: bool = False
    moved_by_torch: list[bool] = field(default_factory=list)
    _pending: Wrong | None = None
    _last: Step | None = None

    def see(self, step: Step, examined: Examined, before: Step | None) -> None:
        """Keep what a step recorded; `before`: the step looked at before it."""
        self.leave(step)
        self._last = step
        self.gradients_wrong |= not gradients_agree(examined)
        self.losses.append(loss_of(step, examined))
        if self.losses[0].wrong and len(self.batches) < KEPT_BATCHES:
            self.batches.setdefault(digest(step.x, step.targets), (step.x, step.targets))
        if not examined.agrees and len(self.wrong) < KEPT:
            ratio = max(one.worst.ratio for one in examined.comparisons.values())
            near = before if follows(before, step) else None
            self._pending = Wrong(near, step, None, ratio)

    def leave(self, step: Step | None = None) -> None:
        """Keep the wrong step that was the last one, now that the one after it is known."""
        if self._pending is not None:
            near = step if step is not None and follows(self._pending.step, step) else None
            self.wrong.append(replace(self._pending, after=near))
            self._pending = None

    def updated(
        self,
        examined: Examined | None,
        old: manual_mlp.Record,
        new: manual_mlp.Record,
        replay: StepCheck,
    ) -> None:
        """Ask of a wrong update whether torch's gradients make it, where those recorded are wrong.

        Without momentum no velocity needs to be recorded, and what stands there was made up.
        """
        moved = False
        if examined is not None and not gradients_agree(examined):
            seen = new if replay.momentum else replace(new, state={})
            right, allowed = examined.reference_gradients, examined.allowances.gradients
            moved = replay.made_by(right, allowed, old, seen)
        self.moved_by_torch.append(moved)

    @property
    def moved_rightly(self) -> bool:
        """Return whether every wrong update is right with torch's gradients."""
        return bool(self.moved_by_torch) and all(self.moved_by_torch)

    def diagnosis(self, replay: object, rate: float | None) -> tuple[Diagnosis, ...]:
        """Return the slip of recording that the neighbours of the wrong steps prove."""
        if not self.judge.experiment.between.plain:
            return ()  # a slip is proved at other points, whose masks nobody recorded
        step = replay if isinstance(replay, StepCheck) else None
        if self.wrong:
            return (
                triage(self.wrong, self.judge.same_point)
                or stored_in_part(self.wrong, self._last, step, self.judge.same_point)
                or (self._gradients(rate) if self.gradients_wrong else self._losses())
            )
        if step is None:
            return ()
        updates = self.judge.updates.wrong
        return velocity_after(updates, step.learning_rate, step.momentum, step.form)

    def _losses(self) -> tuple[Diagnosis, ...]:
        """Return what was recorded in place of the losses, where no gradient is wrong."""
        batches = list(self.batches.values())
        return losses_recorded(self.losses) or loss_of_all_rows(
            self.wrong, batches, self.judge.same_point
        )

    def _gradients(self, rate: float | None) -> tuple[Diagnosis, ...]:
        """Return what was recorded in place of the gradients, where they are wrong."""
        same_point = self.judge.same_point
        if any(one.wrong for one in self.losses):
            rounded = weights_in_float32(self.wrong, same_point)
            if rounded:
                return () if self._explained() else rounded
            return inputs_scaled(self.wrong, same_point)
        by_updates: tuple[Diagnosis, ...] = ()
        if self.moved_rightly:
            by_updates = gradients_zeroed(self.wrong) or velocities_recorded(self.wrong)
        return by_updates or gradients_recorded(self.wrong, rate, same_point)

    def _explained(self) -> bool:
        """Return whether a known mistake reproduces the numbers: it goes before small roundings."""
        return bool(from_records(self.judge.experiment, self.judge.suspects).diagnosis)


def gradients_agree(examined: Examined) -> bool:
    """Return whether rounding explains every gradient, the loss aside."""
    return all(one.agrees for one in examined.gradients.values())


def digest(*arrays: Array) -> bytes:
    """Return what tells the rows of one batch from those of another."""
    made = blake2b()
    for array in arrays:
        made.update(np.ascontiguousarray(array).data)
    return made.digest()


def follows(step: Step | None, later: Step) -> bool:
    """Return whether two steps have consecutive numbers."""
    return step is not None and step.number + 1 == later.number

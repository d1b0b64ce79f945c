"""The updates of a dump: each between two steps with consecutive numbers, replayed or counted.

Where no velocity is recorded, the update itself shows it: v = w - next w, over the learning rate.
So of updates that follow each other only the first is taken on trust, and of a training from its
start none. What could not be checked is named, for exit code 0 says that everything was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

import manual_mlp
from compare.checks.examined import Examined
from compare.checks.optimiser_replay import OptimiserReplay, updates_before
from compare.checks.optimiser_step import OptimiserStep
from compare.checks.running import without_running
from compare.checks.step import StepCheck
from compare.contracts.experiment import Experiment
from compare.contracts.result import CheckSummary
from compare.examine.dump.dump_format import RunFile
from compare.examine.dump.dump_step import Step
from compare.examine.dump.misrecorded import Misrecorded, follows
from compare.judge.ledger import bounded
from compare.judge.point import PointJudge

NO_RUN = "there is no run.json"
NO_TWO = "no two steps have consecutive numbers"
NO_VELOCITY = "no velocity is recorded (v_w1, v_b1, ...)"
ALONE = f"{NO_VELOCITY}, and an update alone only shows it"


def why_not(run: RunFile | None, first: Step, experiment: Experiment) -> str:
    """Say what is missing for a step check, empty if nothing is."""
    if run is None:
        return NO_RUN
    missing = [name for name in ("learning_rate", "momentum") if getattr(run, name) is None]
    if first.record.learning_rate is not None:
        missing = [name for name in missing if name != "learning_rate"]
    if experiment.optimiser not in ("sgd", "rmsprop"):
        missing = [name for name in missing if name != "momentum"]
    return f"run.json does not say {' and '.join(missing)}" if missing else ""


def replay_of(first: Step, judge: PointJudge) -> StepCheck | OptimiserReplay:
    """Return the step check of the recorded run: one that carries what was not recorded."""
    wanted = judge.experiment
    carried = bool(wanted.momentum) and not recorded(first.record)
    if not wanted.plain_momentum or first.record.learning_rate is not None or carried:
        return OptimiserReplay.in_any_form(OptimiserStep.of(wanted))
    return StepCheck(judge.arithmetic, wanted.learning_rate, wanted.momentum, wanted.momentum_form)


def recorded(record: manual_mlp.Record) -> bool:
    """Return whether any buffer of the optimiser was recorded."""
    return bool(without_running(record).state.keys() - {"t"})


@dataclass
class Updated:
    """Replays the updates in order; `why_not` says why none can be, or why one was not.

    `due` of them lie between consecutive steps, `missed` of these were not checked. `shown`: the
    last one only showed the velocity that the next is checked with; `broken`: nothing was carried
    here. `moved`: the weights of some step are not those of the step before.
    """

    judge: PointJudge
    misrecorded: Misrecorded
    replay: StepCheck | OptimiserReplay | None
    why_not: str
    due: int = 0
    missed: int = 0
    steps: int = 0
    shown: bool = False
    broken: bool = True
    moved: bool = False

    def see(self, before: Step | None, step: Step, examined: Examined | None) -> None:
        """Replay the update from the step before; `examined`: what was compared there."""
        self.steps += 1
        if before is None:
            return
        one, other = before.record.parameters, step.record.parameters
        self.moved |= any(not np.array_equal(one[name], other[name]) for name in one)
        if not follows(before, step):
            self.leave()
            return
        self.due += 1
        old, new = without_running(before.record), without_running(step.record)
        if self.replay is None:
            self.missed += 1
        elif isinstance(self.replay, OptimiserReplay):
            self.replay_any(self.replay, old, new)
        else:
            self.replay_plain(self.replay, old, new, examined)

    def leave(self) -> None:
        """Forget what was carried: the next update does not follow."""
        self.missed += self.shown
        if self.shown:
            self.why_not = ALONE
        self.shown, self.broken = False, True

    def replay_plain(
        self,
        replay: StepCheck,
        old: manual_mlp.Record,
        new: manual_mlp.Record,
        examined: Examined | None,
    ) -> None:
        """Replay an update of plain momentum; if it is wrong, ask whether torch's gradients make
        it right."""
        old, new = uncounted(old), uncounted(new)
        if not (old.state and new.state):
            if replay.momentum:
                self.missed, self.why_not = self.missed + 1, NO_VELOCITY
                return
            old, new = stateless(old, new, replay)
        tally = self.judge.ledger.tallies["step"]
        failed = tally.failed
        self.judge.replay("manual", old, new, replay)
        if tally.failed > failed:
            self.misrecorded.updated(examined, old, new, replay)

    def replay_any(
        self, replay: OptimiserReplay, old: manual_mlp.Record, new: manual_mlp.Record
    ) -> None:
        """Replay an update of any optimiser: from recorded buffers, from the start on, or from
        the velocity that the update before shows."""
        begins = not updates_before(old) or not replay.step.keys(old.parameters)
        if replay.documents(old) or begins or not self.broken:
            self.judge.replay("manual", old, new, replay)
            self.shown = self.broken = False
        elif replay.shown_by(old, new):
            self.shown, self.broken = True, False
        else:
            keys = ", ".join(replay.step.keys({"w1": old.parameters["w1"]}))
            self.missed += 1
            self.why_not = f"no state of {replay.step.name} is recorded ({keys}, ...)"

    def summary(self) -> CheckSummary:
        """One line on the step checks, also if there were none."""
        step = self.judge.ledger.tallies["step"]
        sentence = f"{step.made} step checks, worst {bounded(step.worst_ratio)} × allowance"
        if not step.made:
            sentence = f"not done: {self.because}"
        return CheckSummary("step", step.verdict, step.made, step.worst_ratio, sentence)

    @property
    def because(self) -> str:
        """Return why an update was not checked."""
        return ALONE if self.shown else self.why_not or NO_TWO

    def not_checked(self) -> Iterator[str]:
        """Yield that updates were not checked, where some were handed in.

        Without a rate nobody said that these are steps of one training: the weights say it.
        """
        missed = self.missed + self.shown
        if self.steps < 2 or not (self.moved or self.replay is not None):
            return
        if not self.due or missed == self.due:
            yield f"no update was checked: {self.because}"
        elif missed:
            yield f"{missed} of {self.due} updates were not checked: {self.because}"


def uncounted(record: manual_mlp.Record) -> manual_mlp.Record:
    """Return a record without its count of updates, which no step of plain momentum reads."""
    return replace(record, state={name: v for name, v in record.state.items() if name != "t"})


def miscounted(before: Step | None, step: Step) -> bool:
    """Return whether the counts of two steps in a row are there and are not in a row."""
    if before is None or not follows(before, step):
        return False
    count, now = before.record.state.get("t"), step.record.state.get("t")
    return count is not None and now is not None and bool(now != count + 1)


def stateless(
    old: manual_mlp.Record, new: manual_mlp.Record, replay: StepCheck
) -> tuple[manual_mlp.Record, manual_mlp.Record]:
    """Return two records with the velocities that follow from no momentum at all."""
    rate = replay.learning_rate if replay.form == "velocity" else 1.0
    zeros = {f"v_{name}": np.zeros_like(array) for name, array in old.parameters.items()}
    after = {
        f"v_{name}": (rate * array).astype(array.dtype) for name, array in old.gradients.items()
    }
    return replace(old, state=zeros), replace(new, state=after)

"""`--dump FOLDER`: recorded numbers, held against torch at the points where they were recorded.

Each step is a same-point check at its own parameters and batch; two steps with consecutive numbers
are a step check. A dump can only be looked at: nobody can ask it for the loss at another point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

import manual_mlp
from compare.checks.step import StepCheck
from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.limits import shown
from compare.contracts.result import CheckSummary, Diagnosis, Result
from compare.examine.dump.dump_format import (
    RunFile,
    passed_over,
    read_run,
    read_step,
    read_top,
    step_paths,
    without_run,
)
from compare.examine.dump.dump_step import Step, step_of
from compare.examine.dump.triage import KEPT, Wrong, triage, velocity_after
from compare.examine.environment import environment
from compare.examine.sides import build_reference, differentiating
from compare.judge.conclusion import conclude
from compare.judge.naming import Named
from compare.judge.point import PointJudge
from compare.judge.shown import enter_shown


class NotRecorded(LookupError):
    """A dump was asked for numbers at a point it does not hold."""


def check_dump(folder: str | Path, *, activation: str = "relu", reduction: str = "mean") -> Result:
    """Check a dump and return the Result.

    `activation` and `reduction` stand in for what run.json does not say. Raises `BadInput` with
    one sentence for a folder that is no dump.
    """
    with differentiating():
        return _checked(Path(folder), activation, reduction)


def _checked(folder: Path, activation: str, reduction: str) -> Result:
    """Look at every step, and conclude."""
    spelt = [f"{shown(name)} is not spelt as a part of a dump" for name in passed_over(folder)]
    run = read_run(folder)
    steps = read_steps(folder, run or RunFile())
    first = next(steps)
    sizes = sizes_of(first)
    experiment = experiment_of(run or RunFile(), first, sizes, activation, reduction)
    reference = build_reference(experiment, sizes)
    judge = PointJudge(experiment=experiment, reference=reference, mode="dump")
    dump = Dump(judge, sizes, replay_of(run, judge), why_not(run))
    for step in (first, *steps):
        dump.see(step)
    settings = {
        "mode": judge.mode, "data": folder.resolve().name, "sizes": list(sizes),
        "batch_size": len(first.x), "steps": dump.seen, "activation": experiment.activation,
        "reduction": experiment.reduction, "dtype": experiment.dtype,
    }  # fmt: skip
    dump.leave()
    slips = dump.slips()
    result = conclude(
        judge, settings, environment(), dump.recorded, referee=False,
        named=Named(slips) if slips else None,
    )  # fmt: skip
    result = replace(
        result,
        checks=(*result.checks, dump.summary()),
        notes=(*result.notes, *dump.notes(run, experiment)),
    )
    no_run = without_run(folder)
    return result.lacking(*([no_run] if no_run else []), *spelt, *dump.not_compared())


def read_steps(folder: Path, run: RunFile) -> Iterator[Step]:
    """Yield the steps of a folder in order, one in memory at a time."""
    paths, top = step_paths(folder), read_top(folder)
    for number, path in paths.items():
        yield step_of(read_step(number, path), top, run)


def sizes_of(step: Step) -> tuple[int, ...]:
    """Return the widths F, H, ..., K of a step's network."""
    parameters = step.record.parameters
    return (step.x.shape[1], *(parameters[name].size for name in parameters if name[0] == "b"))


def experiment_of(
    run: RunFile, step: Step, sizes: tuple[int, ...], activation: str, reduction: str
) -> Experiment:
    """Return the settings of the run that was recorded, as far as they are known."""
    default = Experiment()
    rate, momentum = run.learning_rate, run.momentum
    return Experiment(
        hidden=sizes[1:-1],
        activation=run.activation or activation,
        reduction=run.reduction or reduction,
        learning_rate=default.learning_rate if rate is None else rate,
        momentum=default.momentum if momentum is None else momentum,
        momentum_form=run.form or default.momentum_form,
        dtype=str(step.x.dtype),
    )


def why_not(run: RunFile | None) -> str:
    """Say what is missing for a step check, empty if nothing is."""
    if run is None:
        return "there is no run.json"
    missing = [name for name in ("learning_rate", "momentum") if getattr(run, name) is None]
    return f"run.json does not say {' and '.join(missing)}" if missing else ""


def replay_of(run: RunFile | None, judge: PointJudge) -> StepCheck | None:
    """Return the step check of the recorded run, None where it cannot be made."""
    if why_not(run):
        return None
    wanted = judge.experiment
    return StepCheck(judge.arithmetic, wanted.learning_rate, wanted.momentum, wanted.momentum_form)


@dataclass
class Dump:
    """Looks at the steps of one dump in order; `why_not` says why no step check is made."""

    judge: PointJudge
    sizes: tuple[int, ...]
    replay: StepCheck | None
    why_not: str
    seen: int = 0
    previous: Step | None = None
    shown: Arrays = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    lacking: dict[str, str] = field(default_factory=dict)
    velocities: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    _pending: Wrong | None = None

    def see(self, step: Step) -> None:
        """Check one step at its own point, and the update that led to it."""
        if sizes_of(step) != self.sizes:
            raise BadInput(
                f"step {step.number} is a network of {sizes_of(step)}, the first one of"
                f" {self.sizes}: put each network into a dump of its own"
            )
        record, judge = step.record, self.judge
        examined = judge.at_point(record, step.x, step.targets)
        if judge.suspect is not None and judge.suspect.record is record:
            self.shown = step.shown
        for clause in enter_shown(judge, record, examined, step.shown):
            self.lacking.setdefault(clause.split()[0], f"{clause} (step {step.number})")
        for key in step.misspelt:
            self.lacking.setdefault(key, f"the array {shown(key)} has no such name here")
        self.leave(step)
        if not examined.agrees and len(self.wrong) < KEPT:
            ratio = max(one.worst.ratio for one in examined.comparisons.values())
            near = self.previous if follows(self.previous, step) else None
            self._pending = Wrong(near, step, None, ratio)
        self.check_update(step)
        self.seen += 1
        self.velocities += bool(record.state)
        self.ignored |= set(step.ignored)
        self.previous = step

    def leave(self, step: Step | None = None) -> None:
        """Keep the wrong step that was the last one, now that the one after it is known."""
        if self._pending is not None:
            near = step if step is not None and follows(self._pending.step, step) else None
            self.wrong.append(replace(self._pending, after=near))
            self._pending = None

    def slips(self) -> tuple[Diagnosis, ...]:
        """Return the slip of recording that the neighbours of the wrong steps prove."""
        if self.wrong:
            return triage(self.wrong, self.judge.same_point)
        if self.replay is None:
            return ()
        rate, momentum = self.replay.learning_rate, self.replay.momentum
        return velocity_after(self.judge.updates.wrong, rate, momentum, self.replay.form)

    def check_update(self, step: Step) -> None:
        """Replay the update from the last step, if that is the one before."""
        before = self.previous
        if self.replay is None or before is None or before.number + 1 != step.number:
            return
        old, new = before.record, step.record
        if not (old.state and new.state):
            if self.replay.momentum:
                self.why_not = "no velocity is recorded (v_w1, v_b1, ...)"
                return
            old, new = stateless(old, new, self.replay)
        self.judge.replay("manual", old, new, self.replay)

    def recorded(
        self, parameters: Arrays, x: Array, targets: Array
    ) -> tuple[float, Arrays, Arrays]:
        """Answer like an implementation, for the one point that matters and was recorded."""
        suspect = self.judge.suspect
        if suspect is None or parameters is not suspect.record.parameters:
            raise NotRecorded("a dump has no numbers for another point")
        return suspect.record.loss, suspect.record.gradients, self.shown

    def summary(self) -> CheckSummary:
        """One line on the step checks, also if there were none."""
        step = self.judge.ledger.tallies["step"]
        why = self.why_not or "no two steps have consecutive numbers"
        sentence = f"{step.made} step checks, worst {step.worst_ratio:.2g} × allowance"
        if not step.made:
            sentence = f"not done: {why}"
        return CheckSummary("step", step.verdict, step.made, step.worst_ratio, sentence)

    def not_compared(self) -> Iterator[str]:
        """Yield what was recorded and is not compared, each in a clause."""
        yield from self.lacking.values()
        if self.replay is not None and 0 < self.velocities < self.seen:
            yield f"velocities are recorded at {self.velocities} of {self.seen} steps only"

    def notes(self, run: RunFile | None, experiment: Experiment) -> Iterator[str]:
        """Yield what was assumed and what was passed over."""
        for name in ("activation", "reduction"):
            if run is None or getattr(run, name) is None:
                yield f"run.json does not say the {name}; {getattr(experiment, name)} was assumed"
        if self.ignored:
            yield f"keys without a meaning here were passed over: {', '.join(sorted(self.ignored))}"


def follows(step: Step | None, later: Step) -> bool:
    """Return whether two steps have consecutive numbers."""
    return step is not None and step.number + 1 == later.number


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

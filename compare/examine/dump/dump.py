"""`--dump FOLDER`: recorded numbers, held against torch at the points where they were recorded.

Each step is a same-point check at its own parameters and batch; two steps with consecutive numbers
are a step check. A dump can only be looked at: nobody can ask it for the loss at another point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from compare.checks.examined import Examined, Expected
from compare.checks.optimiser_replay import OptimiserReplay
from compare.checks.running import compare_running, slip_of
from compare.checks.step import StepCheck
from compare.contracts.arrays import Array, Arrays
from compare.contracts.between import running
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.limits import shown
from compare.contracts.result import Diagnosis, Result
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
from compare.examine.dump.misrecorded import Misrecorded, follows
from compare.examine.dump.ranks import OfRanks, in_step, merged, rank_folders
from compare.examine.dump.updated import Updated, miscounted, recorded, replay_of, why_not
from compare.examine.environment import environment
from compare.examine.sides import build_reference, differentiating
from compare.judge.conclusion import conclude
from compare.judge.naming import Named
from compare.judge.point import PointJudge
from compare.judge.shown import enter_shown
from compare.judge.statistics import statistics_named


class NotRecorded(LookupError):
    """A dump was asked for numbers at a point it does not hold."""


def check_dump(folder: str | Path, **declared: Any) -> Result:
    """Check a dump and return the Result.

    `declared` are settings (activation, reduction, loss, optimiser, ...) that stand in for what
    run.json does not say. Raises `BadInput` with one sentence for a folder that is no dump.
    """
    with differentiating():
        return _checked(Path(folder), declared)


def _checked(folder: Path, declared: Mapping[str, Any]) -> Result:
    """Look at every step, and conclude."""
    spelt = [f"{shown(name)} is not spelt as a part of a dump" for name in passed_over(folder)]
    folders = rank_folders(folder) or [folder]
    run = read_run(folder) or read_run(folders[0])
    whole = completed(run or RunFile(), declared)
    steps = in_step(folders, [read_steps(one, whole) for one in folders])
    together = next(steps)
    first = merged(together)
    sizes = sizes_of(first)
    experiment = experiment_of(whole, first, sizes)
    reference = build_reference(experiment, sizes)
    judge = PointJudge(experiment=experiment, reference=reference, mode="dump", parts=len(folders))
    why = why_not(run, first, experiment)
    dump = Dump(judge, sizes, None if why else replay_of(first, judge), why)
    ranks = OfRanks(judge)
    for each in chain((together,), steps):
        if len(folders) > 1:
            ranks.see(each, dump.see)
        else:
            dump.see(*each)
    settings = {
        "mode": judge.mode, "data": folder.resolve().name, "sizes": list(sizes),
        "batch_size": len(first.x), "steps": dump.seen, "activation": experiment.activation,
        "reduction": experiment.reduction, "dtype": experiment.dtype,
    }  # fmt: skip
    settings |= {name: getattr(experiment, name) for name in whole.declared}
    if len(folders) > 1:
        settings["ranks"] = len(folders)
    known = ranks.found or dump.diagnosis()
    result = conclude(
        judge, settings, environment(), dump.recorded, referee=False,
        named=Named(known) if known else None, updates=not dump.misrecorded.moved_rightly,
    )  # fmt: skip
    result = replace(
        result,
        checks=(*result.checks, dump.updated.summary()),
        notes=(*result.notes, *ranks.notes, *dump.notes(run, experiment)),
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
    widths = (array.shape[1] for name, array in parameters.items() if name[0] == "w")
    return (step.x.shape[1], *widths)


def completed(run: RunFile, declared: Mapping[str, Any]) -> RunFile:
    """Return what run.json says, with what was declared where it says nothing."""
    more = {k: v for k, v in declared.items() if k not in ("activation", "reduction")}
    return replace(
        run,
        activation=run.activation or declared.get("activation"),
        reduction=run.reduction or declared.get("reduction"),
        declared={**more, **run.declared},
    )


def experiment_of(run: RunFile, step: Step, sizes: tuple[int, ...]) -> Experiment:
    """Return the settings of the run that was recorded, as far as they are known."""
    default = Experiment()
    rate, momentum = run.learning_rate, run.momentum
    scaled, kind = "gamma1" in step.record.parameters, run.declared.get("normalisation", "none")
    if scaled and kind == "none":
        raise BadInput(
            "the dump holds gamma1: which normalisation it belongs to is said by `normalisation` "
            "in run.json, or by the option of that name"
        )
    return Experiment(
        hidden=sizes[1:-1],
        activation=run.activation or default.activation,
        reduction=run.reduction or default.reduction,
        learning_rate=default.learning_rate if rate is None else rate,
        momentum=default.momentum if momentum is None else momentum,
        momentum_form=run.form or default.momentum_form,
        dtype=str(step.x.dtype),
        bias="b1" in step.record.parameters,
        **{**({"affine": scaled} if kind != "none" else {}), **run.declared},
    )


BY_TORCH = (
    "the updates are right with torch's gradients, not with those recorded: the training had the "
    "right ones"
)


@dataclass
class Dump:
    """Looks at the steps of one dump in order; `missing` says why no step check can be made."""

    judge: PointJudge
    sizes: tuple[int, ...]
    replay: StepCheck | OptimiserReplay | None
    missing: str
    seen: int = 0
    previous: Step | None = None
    shown: Arrays = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)
    lacking: dict[str, str] = field(default_factory=dict)
    velocities: int = 0
    telling: set[str] = field(default_factory=set)
    nothing_yet: int = 0
    expected: Expected | None = None
    examined: Examined | None = None

    def __post_init__(self) -> None:
        self.misrecorded = Misrecorded(self.judge)
        self.updated = Updated(self.judge, self.misrecorded, self.replay, self.missing)

    def see(self, step: Step) -> None:
        """Check one step at its own point, and the update that led to it."""
        if sizes_of(step) != self.sizes:
            raise BadInput(
                f"step {step.number} is a network of {sizes_of(step)}, the first one of"
                f" {self.sizes}: put each network into a dump of its own"
            )
        if str(step.x.dtype) != self.judge.experiment.dtype:
            raise BadInput(
                f"step {step.number} was stored as {step.x.dtype}, the first one as"
                f" {self.judge.experiment.dtype}: put the steps of each format"
                " into a dump of its own"
            )
        record, judge = step.record, self.judge
        examined = judge.at_point(record, step.x, step.targets, context=step.context)
        self.carried(step, examined)
        if judge.suspect is not None and judge.suspect.record is record:
            self.shown = step.shown
        for clause in enter_shown(judge, record, examined, step.shown):
            self.lacking.setdefault(clause.split()[0], f"{clause} (step {step.number})")
        for key in step.misspelt:
            self.lacking.setdefault(key, f"the array {shown(key)} has no such name here")
        if isinstance(self.replay, StepCheck) and miscounted(self.previous, step):
            self.lacking.setdefault(
                "t", f"t is not one more than in the step before (step {step.number})"
            )
        self.misrecorded.see(step, examined, self.previous)
        self.updated.see(self.previous, step, self.examined)
        self.examined = examined
        self.seen += 1
        kept = recorded(record)
        self.velocities += kept
        self.telling |= {k for k, array in record.state.items() if k != "t" and array.any()}
        self.nothing_yet += (
            isinstance(self.replay, OptimiserReplay) and step.number == 0 and not kept
        )
        self.ignored |= set(step.ignored)
        self.previous = step

    def carried(self, step: Step, examined: Examined) -> None:
        """Check the running statistics that the batch before left behind, if it was recorded."""
        before = self.previous
        if self.expected is not None and before is not None and follows(before, step):
            compared = compare_running(self.expected, step.record.state, self.judge.arithmetic)
            if compared:
                given = self.expected, step.record.state, self.judge.arithmetic
                if self.judge.updated("manual", before.record, compared, counts=0):
                    self.judge.statistics.append(slip_of(*given))
        self.expected = examined.expected if running(step.record.state) else None

    def diagnosis(self) -> tuple[Diagnosis, ...]:
        """Return what was recorded in place of what was computed, if the steps prove it."""
        self.misrecorded.leave()
        rate = None if self.missing else self.judge.experiment.learning_rate
        found = self.misrecorded.diagnosis(self.replay, rate)
        statistics = None if found or self.misrecorded.wrong else statistics_named(self.judge)
        return (statistics,) if statistics else found

    def recorded(
        self, parameters: Arrays, x: Array, targets: Array, **how: Any
    ) -> tuple[float, Arrays, Arrays]:
        """Answer like an implementation, for the one point that matters and was recorded."""
        suspect = self.judge.suspect
        if suspect is None or parameters is not suspect.record.parameters:
            raise NotRecorded("a dump has no numbers for another point")
        return suspect.record.loss, suspect.record.gradients, self.shown

    def not_compared(self) -> Iterator[str]:
        """Yield what was recorded and is not compared, each in a clause."""
        yield from self.lacking.values()
        due = self.seen - self.nothing_yet
        sgd = all(key.startswith("v_") for key in self.telling)
        what = "velocities" if sgd and not isinstance(self.replay, OptimiserReplay) else "buffers"
        if self.replay is not None and 0 < self.velocities < due:
            yield f"{what} are recorded at {self.velocities} of {due} steps only"
        elif self.telling and not self.judge.ledger.tallies["step"].made:
            # Zeros before the first update are right by themselves.
            yield f"{what} are recorded and were not compared: {self.updated.because}"
        else:
            yield from self.updated.not_checked()

    def notes(self, run: RunFile | None, experiment: Experiment) -> Iterator[str]:
        """Yield what was assumed and what was passed over."""
        for name in ("activation", "reduction"):
            if run is None or getattr(run, name) is None:
                yield f"run.json does not say the {name}; {getattr(experiment, name)} was assumed"
        if isinstance(self.replay, OptimiserReplay) and not self.replay.compared:
            what = "velocity" if experiment.optimiser == "sgd" else "buffer of the optimiser"
            yield f"no {what} is recorded: compared is what the updates do to the parameters"
        if isinstance(self.replay, OptimiserReplay) and self.replay.step.clipping.note():
            yield self.replay.step.clipping.note()
        if self.misrecorded.moved_rightly:
            yield BY_TORCH
        if self.ignored:
            yield f"keys without a meaning here were passed over: {', '.join(sorted(self.ignored))}"

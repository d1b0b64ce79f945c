"""From probe points and a step to a Result: everything that `check` does once it may call code.

Each point is judged, then the updates; what raises on the way ends its part and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.checks.structure import Structure
from compare.contracts.errors import BadInput, UserCodeError, WrongCall
from compare.contracts.experiment import Experiment
from compare.contracts.measured import PointRow
from compare.contracts.result import CheckSummary, Result, Verdict
from compare.examine.arguments import network_sizes
from compare.examine.environment import environment
from compare.examine.guards import bounded_logits, guard_notes, guarded_logistic, overflowing
from compare.examine.identifying import first_updates, hint
from compare.examine.large_updates import examine_large_updates
from compare.examine.momentum import examine_momentum
from compare.examine.optimiser import examine_optimiser
from compare.examine.rows import point_row
from compare.examine.step import record_at
from compare.guard.implementation import (
    GuardedImplementation,
    GuardedStep,
    GuardedUpdate,
    takes_context,
)
from compare.guard.optimiser import GuardedOptimiser
from compare.judge.conclusion import conclude
from compare.judge.failing import enter_failure, name_despite
from compare.judge.naming import Named
from compare.judge.point import PointJudge
from compare.judge.shown import enter_shown
from compare.judge.structure import enter_structure
from compare.points.edges import edge_probes
from compare.points.probe import EVALUATION, ON_KINK, SOFT, Probe

SETTINGS = (
    "activation", "reduction", "dtype", "seed", "momentum_form", "loss", "output", "loss_factor",
    "l2", "l1", "penalise", "penalty_over", "label_smoothing", "class_weights", "ignore_index",
    "bias", "normalisation", "affine", "dropout",
)  # fmt: skip


def examine_points(
    judge: PointJudge,
    guarded: GuardedImplementation | GuardedUpdate,
    step: GuardedStep | GuardedOptimiser | None,
    probes: list[Probe],
    *,
    drawn: bool,
) -> Result:
    """Judge all probes and the step, and conclude."""
    experiment, sizes = judge.experiment, network_sizes(probes[0].parameters)
    lacks = lacking_context(experiment, guarded.function)
    if lacks:
        probes = [probe for probe in probes if probe.note != EVALUATION]
    seen = CheckedPoints()
    seen.everything(judge, guarded, step, probes, drawn=drawn)
    settings = settings_shown(judge, step, probes[0])
    result = conclude(judge, settings, environment(), guarded, named=seen.named)
    notes = (*seen.structure.notes, *lacks, *kink_convention(judge, probes), *guarded.notes)
    notes += () if step is None else step.unrun
    notes += (seen.said,) if seen.said else ()
    whole = type(guarded) is GuardedImplementation
    if result.verdict is Verdict.AGREES and drawn and experiment.plain and whole:
        notes += overflowing(judge, guarded, probes[0])
        notes += guard_notes(guarded, experiment, sizes)
        notes += bounded_logits(judge, guarded, probes[0])
    logistic = experiment.loss == "bce" and experiment.between.plain
    if result.verdict is Verdict.AGREES and drawn and logistic and whole:
        notes += guarded_logistic(judge, guarded, probes[0])
    read = isinstance(guarded, GuardedUpdate)  # such gradients have a rounding of their own
    result = replace(
        result, notes=result.notes + notes, checks=result.checks + seen.steps,
        points=() if read else tuple(seen.rows), failure=seen.failure,
    )  # fmt: skip
    return result.lacking(*seen.lacking)


def settings_shown(
    judge: PointJudge, step: GuardedStep | GuardedOptimiser | None, probe: Probe
) -> dict[str, Any]:
    """Return the settings that were used, by the names of `Experiment`, and the sizes."""
    experiment, sizes = judge.experiment, network_sizes(probe.parameters)
    shown = {"mode": judge.mode, "sizes": list(sizes), "batch": len(probe.x)}
    shown |= {name: getattr(experiment, name) for name in SETTINGS}
    if isinstance(step, GuardedOptimiser):
        shown |= {"optimiser": experiment.optimiser, **experiment.optimiser_settings}
    return shown


@dataclass
class CheckedPoints:
    """What the points and the updates of a check showed, as far as the code under test took us."""

    structure: Structure = field(default_factory=Structure)
    rows: list[PointRow] = field(default_factory=list)
    lacking: dict[str, None] = field(default_factory=dict)
    steps: tuple[CheckSummary, ...] = ()
    said: str = ""
    named: Named | None = None
    failure: str | None = None

    def everything(
        self,
        judge: PointJudge,
        guarded: GuardedImplementation | GuardedUpdate,
        step: GuardedStep | GuardedOptimiser | None,
        probes: list[Probe],
        *,
        drawn: bool,
    ) -> None:
        """Judge points and updates; a call that raises ends its part of the two."""
        try:
            self.points(judge, guarded, probes, drawn=drawn)
        except WrongCall as failure:
            self.failure = enter_failure(judge, failure)
            self.named = name_despite(judge, guarded, network_sizes(probes[0].parameters))
        try:
            self.updates(judge, step, probes[0])
        except WrongCall as failure:
            self.failure = enter_failure(judge, failure) or self.failure

    def points(
        self,
        judge: PointJudge,
        guarded: GuardedImplementation | GuardedUpdate,
        probes: list[Probe],
        *,
        drawn: bool,
    ) -> None:
        """Judge all probes; those with soft targets only if the code takes them."""
        experiment = judge.experiment
        if drawn:
            self.structure = enter_structure(judge, guarded, probes)
            probes[:] = [one for one in probes if self.structure.soft or one.note != SOFT]
        for update, probe in enumerate(probes):
            lacking, row = examine_point(judge, guarded, update, probe)
            self.lacking |= dict.fromkeys(lacking)
            self.rows += [] if row is None else [row]
        if drawn and not judge.ledger.findings:
            for update, probe in enumerate(edges(experiment, probes[0]), start=len(probes)):
                examine_point(judge, guarded, update, probe)
                judge.ledger.say_of(update, f"an edge: {probe.note}")

    def updates(
        self, judge: PointJudge, step: GuardedStep | GuardedOptimiser | None, probe: Probe
    ) -> None:
        """Judge the step, if there is one."""
        if isinstance(step, GuardedOptimiser):
            summary, self.said = examine_optimiser(judge, step, probe)
            self.steps = (summary,)
            examine_large_updates(judge, step.function, probe.parameters)
        elif step is not None:
            try:
                summary, self.said = examine_momentum(judge, step, probe)
            except UserCodeError as error:
                more = hint(step.function, judge.experiment, probe.parameters)
                raise type(error)(f"{error}{more}") from error
            self.steps = (summary,)
            examine_large_updates(judge, step.function, probe.parameters)
            if judge.ledger.tallies["step"].failed and not judge.walked:
                judge.walked = first_updates(step.function, judge.experiment, probe.parameters)


def lacking_context(experiment: Experiment, function: Callable[..., Any]) -> tuple[str, ...]:
    """Say what a function that does not name `context` cannot be asked for; BadInput for masks."""
    if experiment.between.as_in_evaluation or takes_context(function):
        return ()
    if experiment.dropout:
        raise BadInput(
            "dropout: the function must name an argument `context`, a dictionary with the masks "
            "mask1, ... (N, H), True for units that stay; both sides get the same"
        )
    return (
        "evaluation with running statistics was not asked for: the function has no argument "
        "`context`, a dictionary with training, running_mean1, running_var1, ...",
    )


def examine_point(
    judge: PointJudge, guarded: GuardedImplementation | GuardedUpdate, update: int, probe: Probe
) -> tuple[list[str], PointRow | None]:
    """Judge one probe; return what it shows that is not compared, and what a baseline keeps."""
    loss, gradients, shown = guarded(probe.parameters, probe.x, probe.targets, **probe.how)
    record = record_at(probe, update, gradients, loss=loss)
    examined = judge.at_point(record, probe.x, probe.targets, context=probe.context)
    row = point_row(update, probe, loss, gradients, examined)
    return enter_shown(judge, record, examined, shown), row


def edges(experiment: Experiment, probe: Probe) -> list[Probe]:
    return edge_probes(
        network_sizes(probe.parameters),
        activation=experiment.activation,
        dtype=experiment.dtype,
        seed=experiment.seed,
        objective=experiment.objective,
        bias=experiment.bias,
        between=experiment.between,
    )


def kink_convention(judge: PointJudge, probes: Sequence[Probe]) -> list[str]:
    """Say which slope each side takes exactly on a kink, if a probe showed it."""
    if probes[-1].note != ON_KINK or not judge.ledger.tallies["same_point"].verdict == "agrees":
        return []
    update = len(probes) - 1
    slopes = [kink.slope for kink in judge.ledger.kinks if kink.update == update and kink.z == 0]
    name = judge.experiment.activation
    rule = ACTIVATION_RULES[name]
    zero = np.zeros(1)
    due = float(rule.slope(zero if rule.of_z else rule.f(zero))[0])
    slope = slopes[0] if slopes else due
    if slope == due:
        return [f"exactly at 0 both sides take the same slope of {name}: {due:g}"]
    return [
        f"exactly at 0 the manual side takes {slope:g} as the slope of {name}, the reference"
        f" {due:g}; both are right"
    ]

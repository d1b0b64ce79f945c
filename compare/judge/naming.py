"""From a suspect to the named mistake: the bridge between the judge and the diagnosis.

The implementation itself is asked first, at probes that have power; if it is right there (a fault
at one update, a state that went wrong) or cannot be called elsewhere, the recorded numbers are
all there is, and they are asked as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from compare.contracts.experiment import Experiment
from compare.contracts.records import Implementation, depth
from compare.contracts.result import Diagnosis, Finding
from compare.data.stored import StoredRows
from compare.guard.implementation import takes_context
from compare.judge.point import FirstSuspect, PointJudge, Suspect
from compare.judge.run import Judge

if TYPE_CHECKING:
    from compare.textbook import Point

UNKNOWN = "no known mistake reproduces this"

MOST_RECORDED = 1 << 21
"""Entries of the widest activation matrix up to which a recorded point is recomputed at all."""
MOST_SEARCHED = 1 << 14
"""The same, up to which every known mistake is tried on a recorded point."""


@dataclass(frozen=True, slots=True)
class Named:
    """The mistakes that fit, best first, or the plain facts where none does.

    `convention`: it is an update that could have been declared.
    """

    diagnosis: tuple[Diagnosis, ...] = ()
    facts: tuple[str, ...] = ()
    convention: bool = False


_ASKED = ContextVar("whether mistakes are looked for", default=True)


@contextmanager
def nothing_named() -> Iterator[None]:
    """Look for no mistake: where a disagreement is no evidence, seconds of search are lost."""
    before = _ASKED.set(False)
    try:
        yield
    finally:
        _ASKED.reset(before)


def known_already(named: Named | None) -> Named | None:
    """Return what explains the numbers without a search: what is known, or nothing if unasked."""
    return named if named is not None or _ASKED.get() else Named()


def name_mistake(judge: PointJudge, implementation: Implementation) -> Named:
    """Return the known mistakes that reproduce what the suspects computed, or facts."""
    experiment, suspect = judge.experiment, judge.suspect
    if suspect is None:
        return Named()
    if judge.mode == "dump":
        return from_records(experiment, [*judge.suspects, *judge.right])
    if without_rate := rate_left_out(suspect, implementation):
        return Named((without_rate,))
    found = named_anywhere(experiment, implementation, widths(suspect))
    if found.diagnosis:
        return found
    if found.facts:  # wrong there too, and nothing known fits
        return Named(facts=(UNKNOWN, *found.facts))
    alone = from_calls(experiment, suspect, implementation) or from_trail(judge)
    return Named(alone) if alone else from_records(experiment, judge.suspects)


def rate_left_out(suspect: FirstSuspect, implementation: Implementation) -> Diagnosis | None:
    """Return that an update has no learning rate, if the gradients read from it say so.

    They are the movement over the rate of the reading, so without one they are that much smaller;
    of the movement the last digits of the weight are lost.
    """
    rate = getattr(implementation, "reading_rate", None)
    if rate is None:
        return None
    record, examined = suspect.record, suspect.examined
    for name, gradient in examined.reference_gradients.items():
        w, seen = record.parameters[name], record.gradients[name] * rate
        lost = np.finfo(w.dtype).eps * (np.abs(w) + np.abs(seen))
        allowance = examined.allowances.gradients[name] + lost
        if not (np.abs(seen - gradient) <= allowance).all():
            return None
    return Diagnosis(
        "learning-rate-left-out",
        "The learning rate is left out: the weights move by the gradient itself.",
        max(one.worst.ratio for one in examined.gradients.values()), 1.0,
        title="a missing learning rate",
    )  # fmt: skip


def named_anywhere(
    experiment: Experiment,
    implementation: Implementation,
    sizes: Sequence[int],
    *,
    special: bool = True,
    single: bool = False,
) -> Named:
    """Return what reproduces an implementation at probes drawn for it, facts where nothing does,
    and nothing at all if it is right there; `special` and `single` as in `diagnosed`."""
    from compare.diagnosis.gradients import diagnosed

    found = diagnosed(
        implementation,
        sizes=sizes,
        special=special,
        single=single,
        activation=experiment.activation,
        reduction=experiment.reduction,
        dtype=experiment.dtype,
        seed=experiment.seed,
        objective=experiment.objective,
        bias=experiment.bias,
        between=experiment.between,
        evaluates=takes_context(getattr(implementation, "function", implementation)),
    )
    besides = tuple(one.sentence for one in found.habits) if found.notes else ()
    return Named(found.diagnosis, found.facts if found.diagnosis else (*found.notes, *besides))


def showing(findings: tuple[Finding, ...], named: tuple[Diagnosis, ...]) -> tuple[Finding, ...]:
    """Return the findings, one that the first mistake made in front: a guard may be seen first."""
    slips = named[0].slips if named else ()
    if not slips:
        return findings
    from compare.diagnosis.prediction import BY_NAME

    in_loss = any("loss" in BY_NAME[slip.mistake].observable for slip in slips)
    if in_loss:
        return findings
    return tuple(sorted(findings, key=lambda one: one.check == "same_point" and not one.parameter))


def widths(suspect: Suspect) -> tuple[int, ...]:
    """The network's widths F, H, ..., K, read off the recorded parameters."""
    parameters = suspect.record.parameters
    layers = range(1, depth(parameters) + 1)
    return (suspect.x.shape[1], *(parameters[f"w{layer}"].shape[1] for layer in layers))


def point_of(experiment: Experiment, suspect: Suspect) -> Point | None:
    """The recorded point for the textbook, unless recomputing it would take too long."""
    from compare.textbook import Point

    large = len(suspect.x) * max(widths(suspect)) > MOST_RECORDED
    if large or isinstance(suspect.x, StoredRows):
        return None
    return Point(
        suspect.record.parameters,
        suspect.x,
        suspect.targets,
        experiment.activation,
        experiment.reduction,
        experiment.dtype,
        experiment.objective,
        experiment.between,
        suspect.context,
    )


def from_calls(
    experiment: Experiment, suspect: Suspect, implementation: Implementation
) -> tuple[Diagnosis, ...]:
    """Diagnose what calls leave behind at the recorded size: code that keeps values of it may take
    no other."""
    from compare.diagnosis.calls import diagnose_calls

    point = point_of(experiment, suspect)
    if point is None or not searchable(suspect):
        return ()
    return diagnose_calls(implementation, (point, moved(point), point, point))


def moved(point: Point) -> Point:
    """Return another point of the same size: the rows one further, the weights a little smaller."""
    return replace(
        point,
        parameters={name: array - array / 8 for name, array in point.parameters.items()},
        x=np.roll(point.x, 1, axis=0),
        targets=np.roll(point.targets, 1, axis=0),
    )


def from_trail(judge: PointJudge) -> tuple[Diagnosis, ...]:
    """Diagnose the rows and the order of a run's updates: one mistake there, before two at a point
    are looked for."""
    if not isinstance(judge, Judge):
        return ()
    from compare.diagnosis.records import diagnose_records

    wanted = judge.experiment
    return diagnose_records(
        judge.trail,
        judge.inputs.training,
        activation=wanted.activation,
        reduction=wanted.reduction,
        objective=wanted.objective,
        between=wanted.between,
        context_of=judge.context_of,
    )


def searchable(suspect: Suspect) -> bool:
    """Return whether the recorded point is small enough to try every known mistake on it."""
    return len(suspect.x) * max(widths(suspect)) <= MOST_SEARCHED


def from_records(experiment: Experiment, suspects: Sequence[Suspect]) -> Named:
    """Diagnose the recorded points themselves: elsewhere the code was right, or nobody can ask it.

    What explains the first one must explain the others, the right ones too.
    """
    from compare.diagnosis.at_zero import slope_at_zero
    from compare.diagnosis.facts import facts
    from compare.diagnosis.gradients import explain
    from compare.diagnosis.observation import observe

    points = [(one, point_of(experiment, one)) for one in suspects]
    seen = [observe(point, one.record.loss, one.record.gradients) for one, point in points if point]
    if points[0][1] is None:
        return Named(facts=(UNKNOWN,))
    if not searchable(suspects[0]):
        return Named(facts=(UNKNOWN, *facts(seen[0])))
    if at_zero := slope_at_zero(seen):
        return Named(at_zero)
    found = explain(*seen)
    return Named(found.diagnosis, found.facts if found.diagnosis else (UNKNOWN, *found.notes))


def predicted(
    experiment: Experiment, suspect: Suspect | None, named: tuple[Diagnosis, ...]
) -> tuple[str, NDArray[np.floating]] | None:
    """The mistake that reproduces the first wrong tensor at its own point, and what it computes."""
    point = None if suspect is None else point_of(experiment, suspect)
    if suspect is None or point is None or suspect.parameter is None:
        return None
    from compare.diagnosis.observation import observe
    from compare.diagnosis.prediction import prediction

    gradients = {suspect.parameter: suspect.record.gradients[suspect.parameter]}
    seen = observe(point, None, gradients)
    for diagnosis in named:
        value = prediction(diagnosis, seen, f"d{suspect.parameter}")
        if value is not None:
            return diagnosis.mistake, value
    return None

"""Slips of recording that the steps beside prove: right numbers, written down at another step.

A loss logged after the update, gradients of the step before, one array stored again and again
without a copy. Each is one comparison with the step beside it, so they are asked before any
mistake of the derivation is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.same_point import SamePoint
from compare.checks.step import StepCheck
from compare.contracts.result import Diagnosis
from compare.diagnosis.match import ratios
from compare.examine.dump.dump_step import Step
from compare.textbook.pair import exact

KEPT = 4
"""So many wrong steps are asked about."""


@dataclass(frozen=True)
class Wrong:
    """A step with wrong numbers between its neighbours, where they were recorded."""

    before: Step | None
    step: Step
    after: Step | None
    ratio: float


@dataclass(frozen=True)
class Misrecording:
    """Numbers that belong to the weights or the batch of a neighbour; `part` says which numbers."""

    name: str
    sentence: str
    part: str  # loss | gradients | both
    weights: Callable[[Wrong], Step | None]
    batch: Callable[[Wrong], Step | None]


before, itself, after = attrgetter("before"), attrgetter("step"), attrgetter("after")


def with_neighbours(step: Step, other: Step | None, part: str) -> Step | None:
    """Return a step with x or the targets of a neighbour; None where the rows do not fit."""
    if other is None or getattr(other, part).shape != getattr(step, part).shape:
        return None
    return replace(step, **{part: getattr(other, part)})


SLIPS = (
    Misrecording(
        "weights-recorded-after-the-update", "The recorded weights are those after the update: "
        "loss and gradients belong to the weights of the step before.", "both", before, itself,
    ),
    Misrecording(
        "weights-recorded-a-step-early", "Loss and gradients belong to the weights of the step "
        "after: they were computed after the update.", "both", after, itself,
    ),
    Misrecording(
        "numbers-of-the-step-before", "Loss and gradients are those of the step before.",
        "both", before, before,
    ),
    Misrecording(
        "numbers-of-the-step-after", "Loss and gradients are those of the step after.",
        "both", after, after,
    ),
    Misrecording(
        "batch-of-the-step-before", "The recorded batch belongs to the step after: loss and "
        "gradients are those of the batch of the step before.", "both", itself, before,
    ),
    Misrecording(
        "batch-of-the-step-after", "The recorded batch belongs to the step before: loss and "
        "gradients are those of the batch of the step after.", "both", itself, after,
    ),
    Misrecording(
        "inputs-of-the-step-before", "The recorded x is that of the step before, the targets are "
        "the step's own: loss and gradients are those of the x of the step after.",
        "both", itself, lambda one: with_neighbours(one.step, one.after, "x"),
    ),
    Misrecording(
        "inputs-of-the-step-after", "The recorded x is that of the step after, the targets are "
        "the step's own: loss and gradients are those of the x of the step before.",
        "both", itself, lambda one: with_neighbours(one.step, one.before, "x"),
    ),
    Misrecording(
        "targets-of-the-step-before", "The recorded targets are those of the step before, x is "
        "the step's own: loss and gradients are those of the targets of the step after.",
        "both", itself, lambda one: with_neighbours(one.step, one.after, "targets"),
    ),
    Misrecording(
        "targets-of-the-step-after", "The recorded targets are those of the step after, x is "
        "the step's own: loss and gradients are those of the targets of the step before.",
        "both", itself, lambda one: with_neighbours(one.step, one.before, "targets"),
    ),
    Misrecording(
        "loss-after-the-update", "The recorded loss is that of the weights after the update, on "
        "the same batch; the gradients are from before.", "loss", after, itself,
    ),
    Misrecording(
        "loss-of-the-step-before", "The recorded loss is that of the step before.",
        "loss", before, before,
    ),
    Misrecording(
        "loss-of-the-step-after", "The recorded loss is that of the step after.",
        "loss", after, after,
    ),
    Misrecording(
        "loss-of-the-next-batch", "The recorded loss is that of the batch of the step after, at "
        "the step's own weights; the gradients are of its own batch.", "loss", itself, after,
    ),
    Misrecording(
        "loss-of-the-batch-before", "The recorded loss is that of the batch of the step before, "
        "at the step's own weights; the gradients are of its own batch.", "loss", itself, before,
    ),
    Misrecording(
        "gradients-of-the-step-before", "The recorded gradients are those of the step before.",
        "gradients", before, before,
    ),
    Misrecording(
        "gradients-of-the-step-after", "The recorded gradients are those of the step after.",
        "gradients", after, after,
    ),
    Misrecording(
        "gradients-after-the-update", "The recorded gradients are those at the weights after the "
        "update, on the same batch.", "gradients", after, itself,
    ),
)  # fmt: skip


def triage(wrong: Sequence[Wrong], same_point: SamePoint) -> tuple[Diagnosis, ...]:
    """Return the slip of recording that makes all these steps wrong, or nothing."""
    if shared := stored_without_a_copy(wrong):
        return shared
    for slip in SLIPS:
        asked = [(one, slip.weights(one), slip.batch(one)) for one in wrong]
        known = [(one, w, b) for one, w, b in asked if w is not None and b is not None]
        if known and all(belongs(slip.part, *each, same_point) for each in known):
            numbers = ", ".join(str(one.step.number) for one, _, _ in known)
            sentence = f"{slip.sentence} (Proved at step {numbers}.)"
            return (Diagnosis(slip.name, sentence, max(one.ratio for one in wrong), 1.0),)
    return ()


def belongs(part: str, one: Wrong, weights: Step, batch: Step, same_point: SamePoint) -> bool:
    """Return whether the recorded numbers are right at these weights and this batch."""
    if part == "loss" and not same_point_agrees(one.step, one.step, one, "gradients", same_point):
        return False
    return same_point_agrees(weights, batch, one, part, same_point)


def same_point_agrees(
    weights: Step, batch: Step, one: Wrong, part: str, same_point: SamePoint
) -> bool:
    """Return whether loss, gradients or both of a step are right at a point."""
    record = one.step.record
    with np.errstate(all="ignore"):
        examined = same_point(
            weights.record.parameters, batch.x, batch.targets, record.loss, record.gradients
        )
    gradients = all(compared.agrees for compared in examined.gradients.values())
    if part == "both":
        return examined.loss.agrees and gradients
    return examined.loss.agrees if part == "loss" else gradients


def stored_without_a_copy(wrong: Sequence[Wrong]) -> tuple[Diagnosis, ...]:
    """Return what is the same array at every step, although it must have changed."""
    known = [(one.step.record, one.after.record) for one in wrong if one.after is not None]
    recorded = (("weights", "parameters"), ("gradients", "gradients"), ("velocities", "state"))
    for name, kept in recorded:
        take = attrgetter(kept)
        if known and all(unchanged(take(one), take(two)) for one, two in known):
            sentence = (
                f"The {name} of neighbouring steps are the same numbers, although there was an "
                "update between them: the same array was stored at every step, without a copy, "
                "and shows the last of them."
            )
            ratio = max(one.ratio for one in wrong)
            return (Diagnosis(f"{name}-stored-without-a-copy", sentence, ratio, 1.0),)
    return ()


def stored_in_part(
    wrong: Sequence[Wrong], last: Step | None, replay: StepCheck | None, same_point: SamePoint
) -> tuple[Diagnosis, ...]:
    """Return which arrays are the same at every step although others change, and right at the last.

    A parameter that is never updated is the same at every step, too, but right at each of them.
    """
    known = [(one.step.record, one.after.record) for one in wrong if one.after is not None]
    for kept in ("parameters", "gradients") if known and last is not None else ():
        take = attrgetter(kept)
        names = [name for name in take(known[0][0]) if same_throughout(name, take, known)]
        if names and last is not None and right_at_last(last, kept, names, replay, same_point):
            listed = ", ".join(name if kept == "parameters" else f"d{name}" for name in names)
            sentence = (
                f"{listed} are the same numbers at every step, those that the last one leads to or"
                " has: the same memory was recorded at every step. Record a copy"
                f" ({listed.partition(',')[0]}.copy())."
            )
            title = f"{listed} recorded at every step without a copy"
            ratio = max(one.ratio for one in wrong)
            name = "weights" if kept == "parameters" else kept
            return (Diagnosis(f"{name}-stored-without-a-copy", sentence, ratio, 1.0, title=title),)
    return ()


def right_at_last(
    last: Step, kept: str, names: Sequence[str], replay: StepCheck | None, same_point: SamePoint
) -> bool:
    """Return whether the last step is right as it is recorded, or with the parameters from which
    its update leads to those recorded: memory that is shared ends after the last update."""
    begun = dict(last.record.parameters)
    points = [begun]
    if kept == "parameters" and replay is not None:
        points.append(begun | {name: begun[name] + step_of(last, name, replay) for name in names})
    with np.errstate(all="ignore"):
        return any(
            same_point(point, last.x, last.targets, last.record.loss, last.record.gradients).agrees
            for point in points
        )


def step_of(last: Step, name: str, replay: StepCheck) -> NDArray[Any]:
    """Return what the update of a step takes off a parameter: v = momentum v + rate dw, or rate
    times that of the buffer."""
    dw = last.record.gradients[name]
    v = last.record.state.get(f"v_{name}", np.zeros_like(dw))
    rate = replay.learning_rate
    if replay.form == "velocity":
        return np.asarray(replay.momentum * v + rate * dw)
    return np.asarray(rate * (replay.momentum * v + dw))


def same_throughout(
    name: str, take: Callable[[Any], Mapping[str, NDArray[Any]]], known: Sequence[tuple[Any, Any]]
) -> bool:
    """Return whether an array never changes although its gradient is not zero."""
    return all(
        np.array_equal(take(one)[name], take(other)[name])
        and take(one)[name].any()
        and one.gradients[name].any()
        for one, other in known
    )


def unchanged(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    """Return whether all arrays are the same and not zero."""
    same = one.keys() == other.keys() and all(np.array_equal(one[n], other[n]) for n in one)
    return same and any(array.any() for array in one.values())


def velocity_after(
    updates: Sequence[tuple[Any, Any]], rate: float, momentum: float, form: str
) -> tuple[Diagnosis, ...]:
    """Return that the recorded velocities are those after the update, if they are.

    Then w = w - v holds with the recorded v, and the next v has the next gradient in it.
    """
    inside, outside = (rate, 1.0) if form == "velocity" else (1.0, rate)
    if not updates or not all(all(late(*pair, inside, outside, momentum)) for pair in updates):
        return ()
    sentence = (
        "The recorded velocities are those after the update: w - v leads to the next weights with "
        "the velocity of the same step."
    )
    return (Diagnosis("velocity-recorded-after-the-update", sentence, np.inf, 1.0),)


def late(old: Any, new: Any, inside: float, outside: float, momentum: float) -> Iterator[bool]:
    """Yield for each parameter whether its velocity was recorded after the update."""
    for name, w in old.parameters.items():
        v, next_v = (record.state.get(f"v_{name}") for record in (old, new))
        yield (
            v is not None
            and next_v is not None
            and (
                reproduced(new.parameters[name], exact(w, w.dtype) - exact(v, w.dtype) * outside)
                and reproduced(
                    next_v,
                    exact(v, w.dtype) * momentum + exact(new.gradients[name], w.dtype) * inside,
                )
            )
        )


def reproduced(seen: NDArray[Any], expected: Any) -> bool:
    """Return whether every entry is within its allowance."""
    return bool((ratios(seen, expected) <= 1.0).all())

"""Structural probes: what must hold of any gradient code, before a single value is judged.

Same call twice, other calls in between, rows in another order, soft targets. Made once, on a
small batch; form (names, shapes, dtypes) is read by `compare.guard`. What holds only up to rounding
is a note; what does not is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from compare.checks.comparison import Comparison
from compare.checks.gradients_compared import differences
from compare.checks.row_order import same, why_order_counts
from compare.checks.same_point import SamePoint
from compare.contracts.arrays import Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.records import Implementation
from compare.contracts.result import Finding
from compare.guard.effects import MOVED, another_random_state
from compare.guard.written import where_random
from compare.points.probe import Probe


@dataclass
class Structure:
    """Findings and notes of the structural probes; `soft` says whether soft targets are taken,
    `random` that the code draws random numbers, and where."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    soft: bool = True
    random: str = ""


def examine_structure(
    implementation: Implementation, same_point: SamePoint, probe: Probe, other: Probe, soft: Probe
) -> Structure:
    """Return what the probes of `implementation` found.

    `probe` is the point that is called repeatedly, `other` a different one called in between,
    `soft` one with soft targets.
    """
    found = Structure()
    first = _call(implementation, probe)
    if not _finite(first):  # NaN never equals NaN, so no repetition would tell anything
        return found

    def change(again: tuple[float, Arrays]) -> Comparison | None:
        """Hold two answers at the point against each other, within its allowance."""
        at = probe.parameters, probe.x, probe.targets
        compared = same_point.repeated(*at, again, first, context=probe.context)
        return next((one for one in compared.values() if not one.agrees), None)

    if drawn := _random(implementation, probe, change):
        found.random, finding = drawn
        found.findings.append(finding)
        return found
    for when, between in (("called twice", None), ("called after another batch", other)):
        if between is not None:
            _call(implementation, between)
        again = _call(implementation, probe)
        if changed := change(again):
            found.findings.append(_repeated(changed, when))
        elif any(d.any() for d in differences(again[1], first[1]).values()):
            found.notes.append(f"when {when}, the same point gives other bits, within rounding")
    if changed := change(_call(implementation, _shuffled(probe))):
        found.findings.append(_permuted(changed, _why(implementation, same_point, probe)))
    _soft(found, implementation, same_point, probe, soft)
    return found


Change = Callable[[tuple[float, Arrays]], Comparison | None]


def _random(
    implementation: Implementation, probe: Probe, change: Change
) -> tuple[str, Finding] | None:
    """Return where random numbers are drawn if that changes the answer, and the finding.

    Global generators are put back after each call, so they are started elsewhere once; one of the
    code's own gives other numbers at every call.
    """
    place = where_random(implementation)
    if place is None and not uses_global_state(implementation):
        return None
    answers = []
    for _ in range(2):
        with another_random_state():
            answers.append(_call(implementation, probe))
    changed = change(answers[0])
    if changed is None or (place is None and not same(*answers)):
        return None  # right all the same, or something is kept between calls
    said = "the function is random" + (f" ({place.quoted()})" if place else "")
    worst = changed.worst
    words = (
        f"is {worst.reference:.17g} once and {worst.manual:.17g} at the same point again: {said}"
    )
    return said, _finding(changed, "repeated call", words)


def uses_global_state(implementation: Implementation) -> bool:
    """Return whether a guarded call has moved a global random generator."""
    return any(MOVED in note for note in getattr(implementation, "notes", ()))


def _call(implementation: Implementation, probe: Probe) -> tuple[float, Arrays]:
    loss, gradients, *_ = implementation(probe.parameters, probe.x, probe.targets, **probe.how)
    return float(loss), gradients


def _finite(answer: tuple[float, Arrays]) -> bool:
    loss, gradients = answer
    return bool(np.isfinite(loss) and all(np.isfinite(array).all() for array in gradients.values()))


def _shuffled(probe: Probe) -> Probe:
    """Mean and sum do not know the order of the rows, so neither may the gradient."""
    order = np.roll(np.arange(len(probe.x))[::-1], 3)
    return probe.in_order(order)


def _repeated(changed: Comparison, when: str) -> Finding:
    worst = changed.worst
    return _finding(
        changed,
        "repeated call",
        f"changes when the same point is {when}: {worst.reference:.17g} became "
        f"{worst.manual:.17g}; something is kept or overwritten between calls",
    )


def _permuted(changed: Comparison, why: str) -> Finding:
    worst = changed.worst
    return _finding(
        changed,
        "permuted batch",
        f"depends on the order of the rows{f': {why}' if why else ''}"
        f"{';' if why else ':'} {worst.reference:.17g} became {worst.manual:.17g} "
        "when they were permuted",
    )


def _why(implementation: Implementation, same_point: SamePoint, probe: Probe) -> str:
    """Say why the order of the rows counts, where that can be told."""
    inputs = None
    if same_point.between.plain:
        at = same_point.expect(probe.parameters, probe.x, probe.targets).point
        inputs = at.inputs_of(at.depth)
    try:
        why = why_order_counts(partial(_call, implementation), probe, inputs)
    except UserCodeError:  # of a batch that nobody asked for
        why = ""
    drawn = where_random(implementation)
    if why or drawn is None:
        return why
    return f"the same random numbers are drawn at every call ({drawn.quoted()})"


def _finding(changed: Comparison, stage: str, words: str) -> Finding:
    name = changed.name
    parameter = None if name == "loss" else name.removeprefix("d")
    return Finding.at(changed.worst, "structure", stage, f"{name} {words}", parameter=parameter)


def _soft(
    found: Structure,
    implementation: Implementation,
    same_point: SamePoint,
    probe: Probe,
    soft: Probe,
) -> None:
    """Right on one-hot rows and wrong on soft ones: the code assumes one-hot, which is a note.

    Right on one-hot rows at the point of the soft ones too: what goes wrong there for another
    reason, a unit above 6, is no question of targets.
    """
    for hard in (probe, replace(soft, targets=probe.targets)):
        at = hard.parameters, hard.x, hard.targets
        answer = _call(implementation, hard)
        if not same_point(*at, *answer, context=hard.context).agrees:
            return
    try:
        answer = _call(implementation, soft)
    except UserCodeError as error:
        found.soft = False
        found.notes.append(f"one-hot only: with soft targets it fails ({error})")
        return
    examined = same_point(soft.parameters, soft.x, soft.targets, *answer, context=soft.context)
    # What the call before leaves behind is told elsewhere, and no question of targets.
    if not examined.agrees and _alike(answer, _call(implementation, soft)):
        found.soft = False
        found.notes.append("one-hot only: with soft targets loss or gradient are others")


def _alike(one: tuple[float, Arrays], other: tuple[float, Arrays]) -> bool:
    """Return whether two calls gave the same loss and the same gradients."""
    same = all(np.array_equal(one[1][k], other[1][k], equal_nan=True) for k in one[1])
    return same and bool(np.array_equal(one[0], other[0], equal_nan=True))

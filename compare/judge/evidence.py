"""What is asked beyond the findings, and what kind of disagreement all of it together is.

The first wrong stage, where the manual side shows its intermediates, and the third witness: a
Taylor test of the manual side's own loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from compare.checks.gradients_compared import differences
from compare.checks.referee import Belongs, Taylor, joint_test, kind_of, taylor_test
from compare.checks.stages import first_wrong_stage
from compare.contracts.errors import UserCodeError
from compare.contracts.records import Implementation, depth
from compare.contracts.result import Finding
from compare.judge.ledger import finding_of
from compare.judge.point import FirstSuspect, PointJudge

Answer = TypeVar("Answer")
STAGE_KINDS = {
    "initial weights": "data",
    "initial state": "data",
    "batch order": "data",
    "velocity": "update",
    "buffer": "update",
    "update": "update",
    "learning rate": "update",
    "validation": "reporting",
    "reporting": "reporting",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """The findings, the located stage in its place, the Taylor test, what could not be asked."""

    findings: tuple[Finding, ...]
    taylor: Taylor | None
    unanswered: tuple[str, ...]


def evidence_of(judge: PointJudge, implementation: Implementation, *, referee: bool) -> Evidence:
    """Return the findings of a judge with what the code under test answers about the first one."""
    unanswered: list[str] = []
    nowhere: tuple[Finding, ...] = ()
    located = asked(lambda: localised(judge, implementation), nowhere, unanswered)
    findings = placed(located, tuple(judge.ledger.findings.values()))
    taylor = None
    if findings and referee:
        taylor = asked(lambda: refereed(judge.suspect, implementation), None, unanswered)
    return Evidence(findings, taylor, tuple(unanswered))


def asked(question: Callable[[], Answer], otherwise: Answer, unanswered: list[str]) -> Answer:
    """Ask the code under test once more; it may fail where no run would take it.

    The referee asks in float64 and at other weights. A failure there is a note, and takes nothing
    from what was found.
    """
    try:
        return question()
    except UserCodeError as error:
        unanswered.append(f"it could not be asked further: {error}")
        return otherwise


def localised(judge: PointJudge, implementation: Implementation) -> tuple[Finding, ...]:
    """Name the first wrong stage where the manual side shows its intermediates."""
    suspect = judge.suspect
    if suspect is None:
        return ()
    record = suspect.record
    _, _, *shown = implementation(record.parameters, suspect.x, suspect.targets, **suspect.how)
    if not shown or not shown[0]:
        return ()
    wrong = first_wrong_stage(suspect.examined, shown[0], depth(record.parameters))
    if wrong is None:
        return ()
    parameter = wrong.name[1:] if wrong.name[:2] in ("dw", "db") else None
    found = finding_of("same_point", wrong.name, parameter, wrong, record, "manual", judge.mode)
    return (found,)


def placed(located: tuple[Finding, ...], found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Put the located stage in the place of what its point found: those are its consequences."""
    if not located:
        return found
    explained = [
        finding.check == "same_point"
        and finding.side == "manual"
        and finding.update == located[0].update
        and finding.stage not in STAGE_KINDS
        for finding in found
    ]
    first = explained.index(True) if any(explained) else 0
    kept = [finding for finding, echo in zip(found, explained, strict=True) if not echo]
    return (*kept[:first], *located, *kept[first:])


def refereed(suspect: FirstSuspect | None, implementation: Implementation) -> Taylor | None:
    """Ask the third witness about the first wrong gradient."""
    if suspect is None or suspect.parameter is None:
        return None
    name = suspect.parameter
    gradient = suspect.record.gradients[name].astype(np.float64)
    difference = gradient - suspect.examined.reference_gradients[name]
    if not np.isfinite(difference).all() or not difference.any():
        return None
    point = suspect.record.parameters, suspect.x, suspect.targets
    implementation = partial(implementation, **suspect.how)
    taylor = taylor_test(implementation, *point, name, gradient, difference)
    if suspect.examined.loss.agrees or taylor.belongs is not Belongs.YES:
        return taylor
    gradients = suspect.record.gradients
    away = differences(gradients, suspect.examined.reference_gradients)
    joint = joint_test(implementation, *point, gradients, away)
    return joint if joint.belongs is Belongs.NO else taylor


def contradicted(
    judge: PointJudge, findings: tuple[Finding, ...], taylor: Taylor | None
) -> str | None:
    """Say so if the witnesses contradict each other: equal loss, another gradient, and slope 2.

    The manual gradient then is the derivative of the common loss, and torch's is not.
    """
    suspect = judge.suspect
    if suspect is None or taylor is None or taylor.belongs is not Belongs.YES:
        return None
    if not suspect.examined.loss.agrees or {one.check for one in findings} != {"same_point"}:
        return None
    if any(one.stage in STAGE_KINDS or one.side == "reference" for one in findings):
        return None
    return (
        "undecidable: the three witnesses contradict each other; the losses are equal, the manual "
        f"gradient belongs to its loss, and yet {findings[0].message}"
    )


def kind_of_findings(
    judge: PointJudge, findings: tuple[Finding, ...], taylor: Taylor | None
) -> str | None:
    """Return what kind of disagreement it is, from the first finding and the three witnesses."""
    if not findings:
        return None
    first = findings[0]
    if first.check == "structure":
        return "structure"
    if first.stage in STAGE_KINDS:
        return STAGE_KINDS[first.stage]
    if judge.suspect is None and first.check == "same_point" and first.stage != "loss":
        return "derivative" if first.parameter is not None else "intermediate"
    if first.side == "reference" or judge.suspect is None:
        return "loss" if first.parameter is None else "derivative"
    examined = judge.suspect.examined
    gradients_agree = all(one.agrees for one in examined.gradients.values()) and all(
        one.agrees for one in examined.projections.values()
    )
    belongs = taylor.belongs if taylor is not None else Belongs.UNDECIDED
    return kind_of(examined.loss.agrees, gradients_agree, belongs, common_factor(judge.suspect))


def common_factor(suspect: FirstSuspect) -> float | None:
    """Return the one factor between all manual and reference numbers, or None.

    The factor is read off the loss and must explain every gradient within the allowance.
    """
    examined = suspect.examined
    if examined.reference_loss == 0 or not np.isfinite(suspect.record.loss):
        return None
    factor = float(suspect.record.loss) / examined.reference_loss
    slack = abs(factor) * examined.allowances.forward.loss / abs(examined.reference_loss)
    for name, reference in examined.reference_gradients.items():
        error = np.abs(suspect.record.gradients[name] - factor * reference)
        allowed = abs(factor) * examined.allowances.gradients[name] + slack * np.abs(reference)
        if not (error <= allowed).all():
            return None
    return factor

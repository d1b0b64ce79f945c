"""From the ledger to the verdict: what was found, who is wrong, and the sentences that say it.

The order is the design's: a finding is a disagreement; without one, a reference that is not finite
or a check that never had power leaves the run undecidable; otherwise the two sides agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from compare.checks.referee import Belongs, Taylor, joint_test, kind_of, taylor_test
from compare.checks.same_point import differences
from compare.checks.stages import first_wrong_stage
from compare.checks.weak import UNBOUNDED
from compare.contracts.errors import UserCodeError
from compare.contracts.records import Implementation, depth
from compare.contracts.result import CheckSummary, Diagnosis, Finding, Result, Verdict, Weak
from compare.diagnosis.undeclared import Declaration, undeclared
from compare.judge.ledger import finding_of
from compare.judge.naming import Named, name_mistake, name_update, predicted, showing, widths
from compare.judge.point import PointJudge, Suspect

Answer = TypeVar("Answer")
ANOTHER_FUNCTION = "your gradient is the gradient of your loss; your loss is not the one declared"
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


def conclude(
    judge: PointJudge,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    implementation: Implementation,
    *,
    referee: bool = True,
    named: Named | None = None,
) -> Result:
    """Return the result of examining points: the part that a run and a single check share.

    `referee=False` for recorded numbers, which nobody can ask for the loss at another point.
    `named`: what is known already to explain them, so that nothing is looked for.
    """
    ledger = judge.ledger
    unanswered: list[str] = []
    nowhere: tuple[Finding, ...] = ()
    located = asked(lambda: localised(judge, implementation), nowhere, unanswered)
    findings = placed(located, tuple(ledger.findings.values()))
    taylor = None
    if findings and referee:
        taylor = asked(lambda: refereed(judge.suspect, implementation), None, unanswered)
    against_torch = contradicted(judge, findings, taylor)
    verdict = Verdict.UNDECIDABLE if against_torch else verdict_of(judge)
    kind = None if against_torch else kind_of_findings(judge, findings, taylor)
    accepted = judge.control.accepted if judge.control else ()
    stepped = name_update(judge) if judge.mode and named is None else Named()
    declaration = declaring(judge, kind, implementation) if referee and named is None else None
    if declaration is not None:
        kind = "convention"
    kind = "convention" if kind == "update" and stepped.convention else kind
    named = named or named_of(judge, declaration, implementation)
    result = Result(
        verdict=verdict,
        kind=kind,
        settings=settings,
        environment=environment,
        sentence=against_torch
        or another_function(judge, kind, declaration, taylor)
        or sentence_of(judge, verdict, kind, showing(findings, named.diagnosis)),
        findings=findings,
        weak=tuple(judge.power.weak() + judge.step_power.weak() + control_weak(judge)),
        kinks=tuple(ledger.kinks),
        diagnosis=named.diagnosis + stepped.diagnosis,
        prediction=predicted(judge.experiment, judge.suspect, named.diagnosis),
        checks=(same_point_summary(judge),),
        worst=dict(ledger.worst),
        notes=(
            *(f"the judge accepted {what}" for what in accepted),
            *unanswered,
            *named.facts,
            *stepped.facts,
        ),
        heatmap=heatmap_of(judge.suspect),
        referee=taylor.as_mapping() if taylor is not None else None,
        control_failed=bool(accepted),
    )
    return leading(result).lacking(*not_compared(judge))


def leading(result: Result) -> Result:
    """Return the result with the mistake in front of its sentence, before the numbers.

    Without a name, a consistent pair of another function is called that.
    """
    start = f"disagrees ({result.kind}): "
    if result.verdict is not Verdict.DISAGREES or not result.sentence.startswith(start):
        return result
    titles = "; ".join(one.headline for one in result.diagnosis if one.mistake != NOT_DECLARED)
    if not titles and result.kind == "function":
        titles = ANOTHER_FUNCTION
    if not titles or titles in result.sentence:
        return result
    return replace(result, sentence=f"{start}{titles}: {result.sentence.removeprefix(start)}")


MAY_BE_DECLARED = ("function", "convention", "loss and derivative")
"""Kinds of disagreement that another declaration may turn into agreement."""
IN_THE_CATALOGUE = {"reduction", "l2", "label_smoothing", "activation"}
"""Conventions that are mistakes of the catalogue as well, and are named by it."""


def declaring(
    judge: PointJudge, kind: str | None, implementation: Implementation
) -> Declaration | None:
    """Return the declaration that makes the code under test right, if there is one."""
    if kind not in MAY_BE_DECLARED or judge.suspect is None or not judge.experiment.between.plain:
        return None
    found = undeclared(implementation, judge.experiment, widths(judge.suspect))
    return found if found is not None and found.options else None


def named_of(
    judge: PointJudge, declaration: Declaration | None, implementation: Implementation
) -> Named:
    """Return the named cause: a declaration that was left out is one, and stands alone.

    Nothing that a random function computes is evidence of anything else.
    """
    before = judge.ledger.tallies["same_point"].worst_ratio
    if judge.random:
        sentence = f"{judge.random[0].upper()}{judge.random[1:]}: no call tells what another does."
        return Named((Diagnosis(RANDOM, sentence, before, 0.0, title="a function that is random"),))
    if declaration is None or set(declaration.options) <= IN_THE_CATALOGUE:
        named = name_mistake(judge, implementation)
        if declaration is None or named.diagnosis:
            return named
    before = judge.ledger.tallies["same_point"].worst_ratio
    sentence = f"Loss and gradient are those that `{declaration.words}` declares."
    return Named((Diagnosis(NOT_DECLARED, sentence, before, declaration.ratio),))


RANDOM = "random-function"
NOT_DECLARED = "not-declared"


def another_function(
    judge: PointJudge, kind: str | None, declaration: Declaration | None, taylor: Taylor | None
) -> str | None:
    """Return the sentence about a consistent pair of another function, None for anything else."""
    belongs = taylor is not None and taylor.belongs is Belongs.YES
    if declaration is None and not (kind == "function" and belongs):
        return None
    asked_for = judge.experiment
    what = asked_for.loss if asked_for.loss != "cross_entropy" else "softmax cross-entropy"
    said = (
        f"disagrees ({kind}): your gradient is the gradient of your loss; your loss is not the "
        f"one declared, {what} over {asked_for.activation} units"
    )
    if declaration is None:
        return said
    keywords = ", ".join(f"{name}={value!r}" for name, value in declaration.options.items())
    return f"{said}; it agrees with `{declaration.words}` (in Python {keywords})"


def not_compared(judge: PointJudge) -> tuple[str, ...]:
    """Name what the allowances of a point told from nothing.

    Of a training with its many updates only what no allowance bounds: gradients die away in it, and
    a single point without power changes no verdict.
    """
    handed_in = judge.mode is not None
    return judge.ledger.clauses(None if handed_in else UNBOUNDED)


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


def verdict_of(judge: PointJudge) -> Verdict:
    """Disagreement outranks doubt, and doubt outranks agreement."""
    if judge.ledger.findings:
        return Verdict.DISAGREES
    if judge.ledger.undecided or not judge.power.points or judge.power.powerless():
        return Verdict.UNDECIDABLE
    return Verdict.AGREES


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


def common_factor(suspect: Suspect) -> float | None:
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


def refereed(suspect: Suspect | None, implementation: Implementation) -> Taylor | None:
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


def heatmap_of(suspect: Suspect | None) -> Any:
    """Return the first wrong tensor of both sides for the plot, or None."""
    if suspect is None or suspect.parameter is None:
        return None
    name = suspect.parameter
    return name, suspect.record.gradients[name], suspect.examined.reference_gradients[name]


def control_weak(judge: PointJudge) -> list[Weak]:
    """No gradient changes when it is rolled, so the control could show nothing with it."""
    if judge.control is None or not judge.control.unrollable:
        return []
    return [Weak("same_point", "no gradient is moved beyond its allowance by rolling it")]


def same_point_summary(judge: PointJudge) -> CheckSummary:
    """One line on the same-point checks."""
    same = judge.ledger.tallies["same_point"]
    lost = f" ({same.blind} with something that was not compared)" if same.blind else ""
    sentence = f"{same.made} same-point checks{lost}, worst {same.worst_ratio:.2g} × allowance"
    return CheckSummary("same_point", same.verdict, same.made, same.worst_ratio, sentence)


def sentence_of(
    judge: PointJudge, verdict: Verdict, kind: str | None, findings: tuple[Finding, ...]
) -> str:
    """The verdict in one sentence."""
    kinks = len(judge.ledger.kinks)
    same = judge.ledger.tallies["same_point"]
    where = f"at {same.made - same.blind} of {same.made} points"
    if not same.blind:
        where = "at the one point" if same.made == 1 else f"at all {same.made} points"
    if verdict is Verdict.AGREES:
        up_to = f"agrees up to {kinks} kink{'s' * (kinks != 1)}" if kinks else "agrees"
        return (
            f"{up_to}: {where} rounding explains every difference between the "
            "hand-derived side and torch"
        )
    if verdict is Verdict.UNDECIDABLE:
        why = judge.ledger.undecided or [
            "no point of the run could have shown an error in "
            + ", ".join(f"d{name}" for name in judge.power.powerless() or ["anything"])
        ]
        return f"undecidable: {why[0]}"
    return f"disagrees ({kind}): {findings[0].message}"

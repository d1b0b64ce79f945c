"""From the ledger to the verdict: what was found, who is wrong, and the sentences that say it.

The order is the design's: a finding is a disagreement; without one, a reference that is not finite
or a check that never had power leaves the run undecidable; otherwise the two sides agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from compare.checks.referee import Belongs, Taylor
from compare.checks.weak import UNBOUNDED
from compare.contracts.records import Implementation
from compare.contracts.result import CheckSummary, Diagnosis, Finding, Result, Verdict, Weak
from compare.judge.evidence import contradicted, evidence_of, kind_of_findings
from compare.judge.ledger import bounded
from compare.judge.naming import Named, known_already, name_mistake, predicted, showing, widths
from compare.judge.naming_run import name_update
from compare.judge.point import FirstSuspect, PointJudge
from compare.judge.statistics import statistics_named

if TYPE_CHECKING:
    from compare.diagnosis.undeclared import Declaration

ANOTHER_FUNCTION = "your gradient is the gradient of your loss; your loss is not the one declared"


def conclude(
    judge: PointJudge,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    implementation: Implementation,
    *,
    referee: bool = True,
    named: Named | None = None,
    updates: bool = True,
) -> Result:
    """Return the result of examining points: the part that a run and a single check share.

    `referee=False` for recorded numbers, which nobody can ask for the loss at another point.
    `named`: what is known already to explain them, so that nothing is looked for. `updates=False`:
    nothing is to be named in the updates, which are wrong because the gradients are.
    """
    named = known_already(named)
    evidence = evidence_of(judge, implementation, referee=referee)
    findings, taylor = evidence.findings, evidence.taylor
    against_torch = contradicted(judge, findings, taylor)
    kind = None if against_torch else kind_of_findings(judge, findings, taylor)
    stepped = name_update(judge) if judge.mode and named is None and updates else Named()
    declaration = declaring(judge, kind, implementation) if referee and named is None else None
    if declaration is not None or (kind == "update" and stepped.convention):
        kind = "convention"
    named = named or named_of(judge, declaration, implementation)
    if against_torch and named.diagnosis:  # the textbook is a witness more: it is another function
        against_torch, kind = None, "function"
    verdict = Verdict.UNDECIDABLE if against_torch else verdict_of(judge)
    accepted = judge.control.accepted if judge.control else ()
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
        kinks=tuple(judge.ledger.kinks),
        diagnosis=named.diagnosis + stepped.diagnosis,
        prediction=predicted(judge.experiment, judge.suspect, named.diagnosis),
        checks=(same_point_summary(judge),),
        worst=dict(judge.ledger.worst),
        notes=(*map("the judge accepted {}".format, accepted), *evidence.unanswered, *named.facts,
               *stepped.facts),
        heatmap=heatmap_of(judge.suspect),
        referee=taylor.as_mapping() if taylor is not None else None,
        control_failed=bool(accepted),
    )  # fmt: skip
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
    from compare.diagnosis.undeclared import shows_loss, undeclared

    # The gradient of another loss, without that loss, looks like a wrong derivative.
    without = kind == "derivative" and not shows_loss(implementation)
    if judge.suspect is None or not (kind in MAY_BE_DECLARED or without):
        return None
    found = undeclared(implementation, judge.experiment, widths(judge.suspect))
    if found is None or (not found.of_loss and set(found.options) <= {"loss_factor", "reduction"}):
        return None  # without a loss a factor is a mistake, or the learning rate
    return found


def named_of(
    judge: PointJudge, declaration: Declaration | None, implementation: Implementation
) -> Named:
    """Return the named cause: a declaration that was left out is one, and stands alone.

    Nothing that a random function computes is evidence of anything else.
    """
    before = judge.ledger.tallies["same_point"].worst_ratio
    if judge.random:
        sentence = f"{judge.random[0].upper()}{judge.random[1:]}: no call tells what another does."
        if judge.experiment.hidden and not judge.experiment.dropout:
            sentence += f" {DROPOUT}"
        return Named((Diagnosis(RANDOM, sentence, before, 0.0, title="a function that is random"),))
    if statistics := statistics_named(judge):
        return Named((statistics,))
    if declaration is None or in_the_catalogue(judge, declaration):
        named = name_mistake(judge, implementation)
        if declaration is None or named.diagnosis:
            return named
    what = "Loss and gradient are those" if declaration.of_loss else "The update is that"
    sentence = f"{what} of the network {declaration.with_words}."
    options = tuple(declaration.options.items())
    return Named((Diagnosis(NOT_DECLARED, sentence, before, declaration.ratio, _declares=options),))


def in_the_catalogue(judge: PointJudge, declaration: Declaration) -> bool:
    """Return whether the catalogue has a name for what was not declared.

    Not where another strength was declared, and not where no loss was seen: it would be said of
    the loss as well.
    """
    strengths = {"l2", "label_smoothing"} & set(declaration.options)
    stronger = any(getattr(judge.experiment, name) for name in strengths)
    known = set(declaration.options) <= IN_THE_CATALOGUE
    return known and declaration.of_loss and not stronger


RANDOM = "random-function"
DROPOUT = "Dropout is declared with `--dropout P`: the masks then come in the argument `context`."
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
    pair = "your gradient is the gradient of your loss; your loss is not the one declared"
    if declaration is not None and not declaration.of_loss:
        pair = "your update takes the gradient of another loss or network than the one declared"
    said = f"disagrees ({kind}): {pair}, {what} over {asked_for.activation} units"
    if declaration is None:
        return said
    keywords = ", ".join(f"{name}={value!r}" for name, value in declaration.options.items())
    return f"{said}; it agrees {declaration.with_words} (in Python {keywords})"


def not_compared(judge: PointJudge) -> tuple[str, ...]:
    """Name what the allowances of a point told from nothing.

    Of a training with its many updates only what no allowance bounds: gradients die away in it, and
    a single point without power changes no verdict.
    """
    handed_in = judge.mode is not None
    return judge.ledger.clauses(None if handed_in else UNBOUNDED)


def verdict_of(judge: PointJudge) -> Verdict:
    """Disagreement outranks doubt, and doubt outranks agreement."""
    if judge.ledger.findings:
        return Verdict.DISAGREES
    if judge.ledger.undecided or not judge.power.points or judge.power.powerless():
        return Verdict.UNDECIDABLE
    return Verdict.AGREES


def heatmap_of(suspect: FirstSuspect | None) -> Any:
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
    sentence = f"{same.made} same-point checks{lost}, worst {bounded(same.worst_ratio)} × allowance"
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

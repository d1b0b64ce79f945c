"""From the ledger to the verdict: what was found, who is wrong, and the sentences that say it.

The order is the design's: a finding is a disagreement; without one, a reference that is not finite
or a check that never had power leaves the run undecidable; otherwise the two sides agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from compare.checks.referee import Belongs, Taylor, kind_of, taylor_test
from compare.judge import Judge, Suspect
from compare.result import CheckSummary, Finding, Result, Verdict, Weak
from compare.sides import Manual

STAGE_KINDS = {
    "initial weights": "data",
    "initial state": "data",
    "batch order": "data",
    "velocity": "update",
    "update": "update",
    "validation": "reporting",
    "reporting": "reporting",
}


def conclude(
    judge: Judge,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    manual: Manual,
    interrupted: bool,
) -> Result:
    """Return the result of a run."""
    ledger = judge.ledger
    findings = tuple(ledger.findings.values())
    weak = tuple(judge.power.weak() + momentum_weak(judge) + control_weak(judge))
    verdict = verdict_of(judge, findings)
    taylor = refereed(judge.suspect, manual) if findings else None
    kind = kind_of_run(judge, findings, taylor)
    accepted = judge.control.accepted if judge.control else ()
    checks = summaries(judge)
    return Result(
        verdict=verdict,
        kind=kind,
        settings=settings,
        environment=environment,
        sentence=sentence_of(judge, verdict, kind, findings),
        findings=findings,
        epochs=tuple(judge.rows),
        weak=weak,
        kinks=tuple(ledger.kinks),
        checks=checks,
        worst=dict(ledger.worst),
        notes=tuple(f"the judge accepted {what}" for what in accepted),
        heatmap=heatmap_of(judge.suspect),
        referee=taylor.as_mapping() if taylor is not None else None,
        interrupted=interrupted,
        control_failed=bool(accepted),
    )


def verdict_of(judge: Judge, findings: tuple[Finding, ...]) -> Verdict:
    """Disagreement outranks doubt, and doubt outranks agreement."""
    if findings:
        return Verdict.DISAGREES
    if judge.ledger.undecided or not judge.power.points or judge.power.powerless():
        return Verdict.UNDECIDABLE
    return Verdict.AGREES


def kind_of_run(judge: Judge, findings: tuple[Finding, ...], taylor: Taylor | None) -> str | None:
    """Return what kind of disagreement it is, from the first finding and the three witnesses."""
    if not findings:
        return None
    first = findings[0]
    if first.stage in STAGE_KINDS:
        return STAGE_KINDS[first.stage]
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


def refereed(suspect: Suspect | None, manual: Manual) -> Taylor | None:
    """Ask the third witness about the first wrong gradient."""
    if suspect is None or suspect.parameter is None:
        return None
    name = suspect.parameter
    difference = suspect.record.gradients[name].astype(np.float64)
    difference = difference - suspect.examined.reference_gradients[name]
    if not np.isfinite(difference).all() or not difference.any():
        return None
    return taylor_test(
        manual.loss_and_gradients,
        suspect.record.parameters,
        suspect.x,
        suspect.targets,
        name,
        difference,
    )


def heatmap_of(suspect: Suspect | None) -> Any:
    """Return the first wrong tensor of both sides for the plot, or None."""
    if suspect is None or suspect.parameter is None:
        return None
    name = suspect.parameter
    return name, suspect.record.gradients[name], suspect.examined.reference_gradients[name]


def momentum_weak(judge: Judge) -> list[Weak]:
    """A velocity that is zero everywhere cannot show a wrong momentum."""
    if judge.experiment.momentum == 0 or judge.biggest_velocity > 0:
        return []
    return [Weak("step", "the velocity was zero at every update, so momentum was not tested")]


def control_weak(judge: Judge) -> list[Weak]:
    """No gradient changes when it is rolled, so the control could show nothing with it."""
    if judge.control is None or not judge.control.unrollable:
        return []
    return [Weak("same_point", "no gradient is moved beyond its allowance by rolling it")]


def summaries(judge: Judge) -> tuple[CheckSummary, ...]:
    """One line per check of the run."""
    tallies = judge.ledger.tallies
    same, step, free = tallies["same_point"], tallies["step"], tallies["free_run"]
    return (
        CheckSummary(
            "same_point",
            same.verdict,
            same.made,
            same.worst_ratio,
            f"{same.made} same-point checks, worst {same.worst_ratio:.2g} x allowance",
        ),
        CheckSummary(
            "step",
            step.verdict,
            step.made // 2,
            step.worst_ratio,
            f"{step.made // 2} step checks on each side, worst {step.worst_ratio:.2g} x allowance",
        ),
        CheckSummary(
            "free_run",
            free_verdict(judge),
            free.made,
            worst_band_ratio(judge),
            free_run_sentence(judge),
        ),
    )


def free_verdict(judge: Judge) -> Verdict:
    """The free run is explained by rounding if the induction holds: every premise, every check."""
    tallies = judge.ledger.tallies
    if any(tallies[name].failed for name in ("same_point", "step", "free_run")):
        return Verdict.DISAGREES
    return Verdict.AGREES if tallies["free_run"].made else Verdict.UNDECIDABLE


def worst_band_ratio(judge: Judge) -> float:
    """Largest curve difference in units of its band."""
    return max(
        (
            abs(row.manual.train_loss - row.reference.train_loss) / row.band.train_loss
            for row in judge.rows
            if np.isfinite(row.manual.train_loss - row.reference.train_loss)
        ),
        default=0.0,
    )


def free_run_sentence(judge: Judge) -> str:
    """The sentence on the free run: how far apart, and whether induction explains it."""
    if not judge.rows:
        return "no epoch was completed"
    gaps = [abs(row.manual.train_loss - row.reference.train_loss) for row in judge.rows]
    last = judge.rows[-1].epoch
    apart = (
        f"the training losses differ by at most {max(gaps):.2g} by epoch {last}, "
        f"the weights by {judge.drift.largest:.2g}"
    )
    tallies = judge.ledger.tallies
    if free_verdict(judge) is Verdict.AGREES:
        return (
            f"{apart}; both sides started equal and every one of the "
            f"{tallies['same_point'].made} same-point and {tallies['step'].made // 2} step checks "
            "holds, so by induction the difference is accumulated rounding"
        )
    first = min(
        judge.ledger.findings.values(),
        key=lambda finding: finding.update if finding.update is not None else -1,
        default=None,
    )
    if first is None:
        return f"{apart}; not decided"
    return (
        f"{apart}; not explained by rounding: first at epoch {first.epoch}, "
        f"update {first.update}, parameter {first.parameter or '-'}, stage {first.stage}"
    )


def sentence_of(
    judge: Judge, verdict: Verdict, kind: str | None, findings: tuple[Finding, ...]
) -> str:
    """The verdict in one sentence."""
    kinks = len(judge.ledger.kinks)
    made = judge.ledger.tallies["same_point"].made
    if verdict is Verdict.AGREES:
        up_to = f"agrees up to {kinks} kink{'s' * (kinks != 1)}" if kinks else "agrees"
        return (
            f"{up_to}: at all {made} points rounding explains every difference between the "
            "hand-derived side and torch"
        )
    if verdict is Verdict.UNDECIDABLE:
        why = judge.ledger.undecided or [
            "no point of the run could have shown an error in "
            + ", ".join(f"d{name}" for name in judge.power.powerless() or ["anything"])
        ]
        return f"undecidable: {why[0]}"
    return f"disagrees ({kind}): {findings[0].message}"

"""The end of a run: what a single point cannot tell, the steps, the free run and the curves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from compare.checks.optimiser_replay import OptimiserReplay
from compare.contracts.measured import Worst
from compare.contracts.records import Manual
from compare.contracts.result import CheckSummary, Result, Verdict
from compare.judge.conclusion import conclude, leading, same_point_summary
from compare.judge.ledger import bounded
from compare.judge.naming import UNKNOWN, Named
from compare.judge.naming_run import name_run_mistake
from compare.judge.run import Judge

BUFFER = re.compile(r"[vmsra]_|t$")
NAMED_KINDS = ("update", "data", "reporting")
"""Kinds of mistakes that show in the records of a run, not at a point."""


def conclude_run(
    judge: Judge,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    manual: Manual,
    interrupted: bool,
    named: Named | None = None,
) -> Result:
    """Return the result of a run; `named` if it is known already what explains it."""
    result = conclude(judge, settings, environment, manual.loss_and_gradients, named=named)
    found = Named(result.diagnosis) if result.diagnosis else name_run_mistake(judge, result.kind)
    mistakes = found.diagnosis
    notes = tuple(note for note in result.notes if note != UNKNOWN or not mistakes)
    unknown = judge.suspect is None and result.kind in NAMED_KINDS and not mistakes
    said = (found.facts or (UNKNOWN,)) if unknown else ()
    if found.convention:
        start = f"disagrees ({result.kind})"
        sentence = result.sentence.replace(start, "disagrees (convention)", 1)
        result = replace(result, kind="convention", sentence=sentence)
    concluded = replace(
        result,
        worst=shown_of(result.worst, own_state(judge, manual)),
        diagnosis=mistakes,
        notes=(*notes, *said, *of_run(judge, manual)),
        epochs=tuple(judge.rows),
        checks=summaries(judge),
        interrupted=interrupted,
    )
    return leading(concluded)


def own_state(judge: Judge, manual: Manual) -> bool:
    """Whether the manual side's buffers are not in its records, so that only the other's were."""
    replay = judge.steps["manual"]
    kept = isinstance(replay, OptimiserReplay) and not replay.compared
    return kept or not manual.shows_state


def shown_of(worst: Mapping[str, Worst], own: bool) -> dict[str, Worst]:
    """Return what was compared of both sides: no buffers where the manual side shows none."""
    return {name: one for name, one in worst.items() if not own or not BUFFER.match(name)}


def of_run(judge: Judge, manual: Manual) -> Iterator[str]:
    """Yield what else there is to say of a run."""
    yield from state_note(judge, manual)
    yield from filter(None, (clipping_note(judge),))
    yield from ends_note(judge)


def state_note(judge: Judge, manual: Manual) -> tuple[str, ...]:
    """Say how a step was seen that keeps its state in its own way."""
    replay = judge.steps["manual"]
    if not isinstance(replay, OptimiserReplay) or not own_state(judge, manual):
        return ()
    names = ("w1",)
    keys = ", ".join(replay.step.keys(dict.fromkeys(names)))
    return (
        "step keeps its state in its own way: compared is what it does to the parameters in every "
        f"update (documented: {keys}, ...)",
    )


def clipping_note(judge: Judge) -> str:
    """Say in which form the manual side clips, if not in torch's."""
    replay = judge.steps["manual"]
    return replay.step.clipping.note() if isinstance(replay, OptimiserReplay) else ""


def ends_note(judge: Judge) -> Iterator[str]:
    """Yield where early stopping ended the sides; each by its own losses, as it must."""
    patience = judge.experiment.patience
    for epochs in {tuple(judge.stopped.get(side) for side in ("manual", "reference"))}:
        if epochs[0] is not None and epochs[0] == epochs[1]:
            best = int(np.argmin(judge.losses["manual"]))
            yield (
                f"both sides stopped early at epoch {epochs[0]}: the validation loss was smallest "
                f"at epoch {best}, more than {patience} epochs before"
            )
        elif epochs != (None, None):
            yield apart(judge, *epochs)


def apart(judge: Judge, manual: int | None, reference: int | None) -> str:
    """Say why early stopping ended the sides apart: rounding told their smallest losses apart."""
    pairs = zip(judge.losses["manual"], judge.losses["reference"], strict=False)
    gap = max(abs(one - other) for one, other in pairs)
    said = {
        "manual": "did not" if manual is None else f"stopped early at epoch {manual}",
        "reference": "did not" if reference is None else f"stopped early at epoch {reference}",
    }
    return (
        f"the manual side {said['manual']}, the reference {said['reference']}, each as its own "
        f"validation losses say; they differ by up to {gap:.2g}, which decides where two epochs "
        "are that close. What came later was not compared"
    )


def summaries(judge: Judge) -> tuple[CheckSummary, ...]:
    """One line per check of the run."""
    tallies = judge.ledger.tallies
    step, free = tallies["step"], tallies["free_run"]
    return (
        same_point_summary(judge),
        CheckSummary(
            "step",
            step.verdict,
            step.made // 2,
            step.worst_ratio,
            f"{step.made // 2} step checks on each side, worst {bounded(step.worst_ratio)} × "
            "allowance",
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
    """The free run is explained by rounding if every start and every check holds, by induction."""
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
        also = " and what the two forms of clipping differ by" if clipping_note(judge) else ""
        return (
            f"{apart}; both sides started equal and every one of the "
            f"{tallies['same_point'].made} same-point and {tallies['step'].made // 2} step checks "
            f"holds, so by induction the difference is accumulated rounding{also}"
        )
    placed = [one for one in judge.ledger.findings.values() if one.update is not None]
    first = min(placed, key=lambda finding: finding.update or 0, default=None)
    if first is None:
        return f"{apart}; not decided"
    return (
        f"{apart}; not explained by rounding: first at epoch {first.epoch}, "
        f"update {first.update}, parameter {first.parameter or '-'}, stage {first.stage}"
    )

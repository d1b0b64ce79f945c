"""The verdict on logged curves: they agree, they are these others, or nobody can tell.

Curves of another start are not wrong. So a curve that no known mistake explains is called wrong
only where the file itself shows it: it starts as the declared training does, or it contradicts
itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compare.contracts.digits import two_values
from compare.contracts.limits import shown
from compare.contracts.result import (
    CheckSummary,
    Diagnosis,
    Finding,
    Result,
    Verdict,
    Weak,
)
from compare.data.logged import names_a_set
from compare.diagnosis.curves import diagnose_curves
from compare.examine.curves.alone import doubled, no_whole_rows
from compare.examine.curves.held import LoggedCurves
from compare.judge.conclusion import leading
from compare.mistakes.catalogue import named

CHECK = "curves"
BLIND = "the digits that were logged cannot tell one epoch from the next"
OTHER_START = (
    "these curves do not start where the declared training does, and no known mistake makes them "
    "of it: other initial weights, other data or other settings"
)
HOW_TO_START = (
    "`manual-mlp --epochs 0 --record START`, with your settings, writes the initial weights to "
    "START/step_00000.npz: a program that begins with them can be compared"
)


def judged(held: LoggedCurves, run: Result) -> Result:
    """Return the result about the logged curves; `run` is that of the declared training."""
    worst = {name: held.worst(name) for name in held.seen}
    wrong = [name for name, entry in worst.items() if not entry.ratio <= 1]
    found = diagnosed(held, wrong) if wrong else ()
    findings = tuple(finding_of(held, name) for name in wrong)
    blind = [name for name in held.seen if not tells_epochs(held, name)]
    kind = kind_of(held, wrong, found)
    verdict, sentence = concluded(held, wrong, kind, found, findings, blind)
    made = sum(int(there.sum()) for there in held.there.values())
    largest = max((entry.ratio for entry in worst.values()), default=0.0)
    named_so = ", ".join(name.replace("_", " ") for name in held.seen)
    summary = CheckSummary(CHECK, verdict, made, largest, f"{made} points of {named_so}")
    result = Result(
        verdict=verdict,
        kind=kind if verdict is Verdict.DISAGREES else None,
        settings=run.settings,
        environment=run.environment,
        sentence=sentence,
        findings=findings if verdict is Verdict.DISAGREES else (),
        weak=tuple(Weak(CHECK, BLIND, parameter=name) for name in blind),
        diagnosis=found,
        checks=(summary,),
        worst=worst,
        notes=tuple(notes(held, verdict, run)),
    )
    return leading(result).lacking(*missing(held, verdict, blind))


def missing(held: LoggedCurves, verdict: Verdict, blind: list[str]) -> Iterator[str]:
    """Say which columns were handed in and not compared, each in a clause."""
    titles = held.logged.columns
    for name in held.logged.curves:
        if name not in held.seen:
            yield f"{titles[name]} (the data has no such set)"
        elif not held.there[name].any():
            yield f"{titles[name]} (the column has no number)"
        elif verdict is Verdict.AGREES and name in blind and not known_still(held, name):
            yield f"{titles[name]} ({BLIND})"
    for title in filter(names_a_set, held.logged.ignored):
        yield f"{shown(title)} (no curve that is known here: name it as a loss or accuracy)"


def diagnosed(held: LoggedCurves, wrong: list[str]) -> tuple[Diagnosis, ...]:
    """Name the mistake that turns the right curves into these; or what the file shows alone."""
    found = diagnose_curves(held.seen, held.right, held.widest, held.there)
    return found or tuple(one for name in wrong for one in doubled(held, name))


def finding_of(held: LoggedCurves, name: str) -> Finding:
    """Return where a curve first is another one."""
    at = int(np.argmax(held.ratios(name) > 1))
    seen, right = float(held.seen[name][at]), float(held.right[name][at])
    said, due = two_values(seen, right, 6)
    message = f"{name.replace('_', ' ')} is {said} at epoch {at}, where {due} is due"
    return Finding(
        CHECK, "reporting", message,
        epoch=at, parameter=name, manual=seen, reference=right, ratio=float(held.ratios(name)[at]),
    )  # fmt: skip


def tells_epochs(held: LoggedCurves, name: str) -> bool:
    """Whether a curve one epoch early or late would be seen somewhere."""
    right, allowed, there = held.right[name], held.allowance[name], held.there[name]
    moved = np.abs(np.diff(right)) > allowed[1:] + allowed[:-1]
    return bool((moved & (there[1:] | there[:-1])).any())


def known_still(held: LoggedCurves, name: str) -> bool:
    """Whether the right curve stands still and the digits can tell its value from 0.

    Such a column was compared, though it looks the same one epoch early or late.
    """
    there = held.there[name]
    right, allowed = held.right[name][there], held.allowance[name][there]
    return bool(np.ptp(held.right[name]) == 0 and (allowed < np.abs(right)).all())


def kind_of(held: LoggedCurves, wrong: list[str], found: tuple[Diagnosis, ...]) -> str | None:
    """Return what sort of disagreement it is, None where there is none that could be called so."""
    if not wrong:
        return None
    if found:
        conventions = all(named(one.mistake).convention for one in found)
        return "convention" if conventions else "reporting"
    if any(not np.isfinite(held.worst(name).ratio) for name in wrong):
        return "non-finite"
    if any(no_whole_rows(held, name) for name in wrong):
        return "reporting"
    started = [held.ratios(name)[0] <= 1 for name in held.seen if held.there[name][0]]
    return "training" if started and all(started) else None


def concluded(
    held: LoggedCurves,
    wrong: list[str],
    kind: str | None,
    found: tuple[Diagnosis, ...],
    findings: tuple[Finding, ...],
    blind: list[str],
) -> tuple[Verdict, str]:
    """Return the verdict and its sentence."""
    if wrong and kind is None:
        return Verdict.UNDECIDABLE, f"undecidable: {OTHER_START} ({findings[0].message})"
    if wrong:
        first = min(findings, key=lambda finding: finding.epoch or 0).message
        alone = next(filter(None, (no_whole_rows(held, name) for name in wrong)), first)
        said = alone if kind == "reporting" and not found else first
        return Verdict.DISAGREES, f"disagrees ({kind}): {said}"
    if len(blind) == len(held.seen):
        return Verdict.UNDECIDABLE, f"undecidable: {BLIND}"
    count = len(held.logged.epochs)
    return Verdict.AGREES, (
        f"agrees: at all {count} epochs logged the curves are those of the declared training, to "
        "the last digit that was written"
    )


def notes(held: LoggedCurves, verdict: Verdict, run: Result) -> Iterator[str]:
    """Say what else is to be known of the file."""
    if verdict is Verdict.UNDECIDABLE and held.seen and len(held.logged.epochs) > 1:
        yield HOW_TO_START
    if held.logged.ignored:
        yield f"columns that are no curves: {', '.join(held.logged.ignored)}"
    yield from filter(None, (no_whole_rows(held, name) for name in held.seen))
    yield from run.notes

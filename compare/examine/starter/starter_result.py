"""A starter report as a Result, so that terminal, report.json, page and exit code come with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from compare.contracts.result import CheckSummary, Diagnosis, Finding, Result, Verdict
from compare.diagnosis.gradients import GUARDS
from compare.examine.environment import environment
from compare.examine.starter.alone import ALONE
from compare.examine.starter.cut_check import ANOTHER
from compare.examine.starter.drawn import remarks
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.own import OWN
from compare.examine.starter.own_lines import lines_concerned
from compare.examine.starter.source import Source
from compare.examine.starter.starter import StarterReport
from compare.examine.starter.tensors import quoted, rows
from compare.examine.starter.update_sites import LOOSE


def starter_result(report: StarterReport) -> Result:
    """Return the Result of a file: one check per function, one finding per disagreement.

    The kind is that of the first disagreement, convention only if all of them are conventions.
    Functions that could not be called leave the file undecidable, unless another one disagrees.
    """
    functions = report.functions
    verdict = verdict_of(functions, report.updates.right)
    wrong = [one for one in functions if one.verdict is Verdict.DISAGREES]
    return Result(
        verdict=verdict,
        kind=kind_of(wrong),
        settings={
            "mode": "starter",
            "data": report.source.path.name,
            "functions": [one.name for one in functions],
            "reduction": report.reduction,
            "dtype": "float64",
        },
        environment=environment(),
        sentence=sentence_of(verdict, functions, report.updates.right, classes_of(report.source)),
        findings=tuple(finding_of(one, report.source) for one in wrong),
        diagnosis=tuple(diagnoses(wrong)),
        checks=tuple(summary_of(one, report.source) for one in functions),
        worst=dict(row for one in functions for row in rows(one, report.source)),
        notes=report.notes,
        not_compared=tuple(
            f"{one.name}: {one.sentence}" for one in functions if one.verdict is Verdict.UNDECIDABLE
        ),
    )


def verdict_of(functions: Sequence[FunctionVerdict], right_updates: int = 0) -> Verdict:
    """Disagreement outranks doubt, and doubt outranks agreement."""
    verdicts = {one.verdict for one in functions} or ({Verdict.AGREES} if right_updates else set())
    for verdict in (Verdict.DISAGREES, Verdict.UNDECIDABLE):
        if verdict in verdicts or not verdicts:
            return verdict if verdicts else Verdict.UNDECIDABLE
    return Verdict.AGREES


def kind_of(wrong: Sequence[FunctionVerdict]) -> str | None:
    """Return the kind of the first disagreement that is more than a convention."""
    kinds = [one for one in wrong if one.kind != "convention"]
    if not wrong:
        return None
    if not kinds:
        return "convention"
    first = kinds[0]
    if first.role == "step":
        return "update"
    if first.kind in ("shape", "side effect"):
        return "structure"
    return (
        "loss"
        if first.role in ("average_ce", "loss")
        else "derivative"
        if "grad" in first.role
        else "value"
    )


def classes_of(source: Source) -> frozenset[str]:
    """Return the names of the classes of a file."""
    every = source.definitions.items()
    return frozenset(name for name, one in every if isinstance(one.node, ast.ClassDef))


def sentence_of(
    verdict: Verdict,
    functions: Sequence[FunctionVerdict],
    right_updates: int = 0,
    classes: Set[str] = frozenset(),
) -> str:
    """Return the verdict on the file in one sentence; what was not compared is named in it."""
    if not functions and right_updates:
        return f"agrees: {counted(right_updates, 'update')} right, nothing else to compare"
    if not functions:
        return "undecidable: no function could be bound, so nothing was compared"
    compared = [one for one in functions if one.verdict is not Verdict.UNDECIDABLE]
    total = listed(totals(functions, right_updates, classes))
    open_ = ", ".join(one.name for one in functions if one.verdict is Verdict.UNDECIDABLE)
    if verdict is Verdict.AGREES:
        sides = listed([*totals(functions, 0, classes), *witnesses(functions)])
        right = f"; {counted(right_updates, 'update')} right" if right_updates else ""
        return f"agrees: rounding explains every difference between {sides}{right}"
    if verdict is Verdict.UNDECIDABLE:
        agree = "agree" if len(compared) > 1 else "agrees"
        agreeing = f"; {', '.join(one.name for one in compared)} {agree}" if compared else ""
        return f"undecidable: {open_} could not be compared, of {total}{agreeing}"
    wrong = [one for one in functions if one.verdict is verdict]
    named = ", ".join(one.name for one in wrong)
    lacking = f"; not compared: {open_}" if open_ else ""
    return f"disagrees: {named}, of {total}: {reason_of(wrong)}{lacking}"


def witnesses(functions: Sequence[FunctionVerdict]) -> list[str]:
    """Return what functions were held against: torch, or the slopes of a loss or of a forward pass
    of their own."""
    own, alone = ([any(said in words for words in one.conventions) for one in functions]
                  for said in (OWN, ALONE))  # fmt: skip
    beside = [one or other for one, other in zip(own, alone, strict=True)]
    return [*([] if beside and all(beside) else ["torch"]),
            *(["the slopes of its own loss"] if any(own) else []),
            *(["the slopes of its own forward pass"] if any(alone) else [])]  # fmt: skip


def totals(
    functions: Sequence[FunctionVerdict], right_updates: int, classes: Set[str]
) -> list[str]:
    """Return how many functions, classes, training loops and updates there are, each in words."""
    updates = sum(one.role == "step" for one in functions)
    loops = sum(one.name.startswith(LOOSE) or ANOTHER in one.name for one in functions)
    made = sum(one.role != "step" and is_of_classes(one.name, classes) for one in functions)
    counts = {
        "function": len(functions) - updates - loops - made,
        "class": made,
        LOOSE: loops,
        "update": updates + right_updates,
    }
    return [counted(count, noun) for noun, count in counts.items() if count]


def is_of_classes(name: str, classes: Set[str]) -> bool:
    """Return whether a verdict is on a class, or on several that make one network."""
    return all(one in classes for one in name.split(", "))


def listed(parts: Sequence[str]) -> str:
    """Return an enumeration: a, b and c."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def counted(count: int, noun: str) -> str:
    """Return a number of things."""
    return f"{count} {noun}{('es' if noun == 'class' else 's') * (count > 1)}"


def reason_of(wrong: Sequence[FunctionVerdict]) -> str:
    """Return what is wrong in the first of several functions: the mistake's title, or the facts.

    A guard in a loss and a softmax that overflows come last: they are habits of many, and hide the
    mistake that matters.
    """
    first = min(wrong, key=only_a_habit)
    titles = dict.fromkeys(named.headline for named in first.diagnosis)
    said = first.sentence if first.kind == "convention" else "; ".join(titles) or first.sentence
    return f"{first.name}: {said}" if len(wrong) > 1 else said


def only_a_habit(one: FunctionVerdict) -> bool:
    """Whether nothing but a guard in the logarithm, or its overflow, is wrong with a function."""
    guarded = bool(one.diagnosis) and all(found.mistake in GUARDS for found in one.diagnosis)
    return guarded or one.kind == "overflow"


def summary_of(one: FunctionVerdict, source: Source) -> CheckSummary:
    """Return the verdict line of one function."""
    where = f"{one.place}: " if one.place else ""
    said = "; ".join(words.removesuffix(".") for words in (one.sentence, *remarks(one, source)))
    made = 0 if one.worst is None else 1
    ratio = 0.0 if one.worst is None else one.worst.ratio
    return CheckSummary(one.name, one.verdict, made, ratio, f"{where}{said}")


def finding_of(one: FunctionVerdict, source: Source) -> Finding:
    """Return a disagreement as a finding, with the lines it comes from; its stage is what the
    function is in the assignment."""
    entry = quoted(one)
    shown = entry or (one.worst if one.kind in ("value", "overflow") else None)
    said = f"{one.place}: {one.sentence}" if one.place else one.sentence
    near = [place.line_quoted() for place in lines_concerned(source, one)]
    lines = [line for line in near if line not in said]
    return Finding(
        check="structure" if one.kind in ("shape", "side effect") else "same_point",
        stage=f"d{entry.parameter}" if entry and entry.parameter else one.role,
        message=f"{said}; look at {listed(lines)}" if lines else said,
        parameter=one.name,
        index=shown.index if shown else None,
        manual=shown.manual if shown else None,
        reference=shown.reference if shown else None,
        ratio=shown.ratio if shown else None,
    )


def diagnoses(wrong: Sequence[FunctionVerdict]) -> Iterator[Diagnosis]:
    """Yield the named mistakes, function by function; equal explanations are in `also`."""
    for one in wrong:
        for named in one.diagnosis:
            yield replace(named, sentence=f"{one.name}: {named.sentence}")

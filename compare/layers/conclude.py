"""From judged points to a `Result`: the verdict, its sentence, the findings and what is weak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compare.contracts.digits import two_values
from compare.contracts.measured import Worst
from compare.contracts.result import CheckSummary, Finding, Verdict, Weak
from compare.layers.judged import Judged, State
from compare.layers.points import Point
from compare.layers.power import powerless, undecided, unruled, weak_tensors, without_power
from compare.report.words import count, listing, times_allowance, where


def verdict_of(points: Sequence[Judged], structure: Sequence[Finding]) -> Verdict:
    """Disagreement outranks doubt; a doubtful point beside decided ones is only weak.

    Except where what is doubtful differs: that would have been a disagreement.
    """
    states = {one.state for one in points}
    if State.DISAGREES in states or structure:
        return Verdict.DISAGREES
    if states == {State.UNDECIDED} or suspicious(points) or without_power(points):
        return Verdict.UNDECIDABLE
    return Verdict.AGREES


def suspicious(points: Sequence[Judged]) -> list[Judged]:
    """Return the points that differ where an operation without a rule forbids to say so."""
    return [
        one
        for one in points
        if one.state is State.UNDECIDED and one.wrong and one.surveyed.analysed.unruled
    ]


def kind_of(points: Sequence[Judged], structure: Sequence[Finding], verdict: Verdict) -> str | None:
    """Return what sort of difference it is: which pass is wrong, or what is odd in a right one."""
    wrong = [one for one in points if one.state is State.DISAGREES]
    if verdict is Verdict.AGREES:
        states = {one.state for one in points}
        return (
            "digits" if State.DIGITS in states else "clipped" if State.CLIPPED in states else None
        )
    if not wrong:
        return "structure" if structure else None
    outputs = wrong[0].surveyed.outputs
    forward = any(name in outputs for one in wrong for name in one.wrong)
    backward = any(name not in outputs for one in wrong for name in one.wrong)
    if forward:
        return "forward and derivative" if backward else "forward"
    return "derivative"


def left_out(judged: Sequence[Judged], points: Sequence[Point]) -> list[str]:
    """Say which formats and scales were not judged, for want of time or of finite numbers."""
    done = [one.point.note.removesuffix(", positive") for one in judged]
    left = [point.note for point in points if point.note not in done and not point.special]
    if not left or all(one.state is State.UNDECIDED for one in judged):
        return []
    return [f"not judged, for want of time or of finite numbers: {listing(left)}"]


def cut_off(names: Sequence[str]) -> str:
    """Say that the reference does not depend on inputs that the manual side differentiates."""
    they = "its gradient is" if len(names) == 1 else "their gradients are"
    return (
        f"no output of the reference depends on {listing([f'`{name}`' for name in names])}, so "
        f"{they} 0 there: is something detached, or turned into numbers, on the way?"
    )


def findings_of(points: Sequence[Judged]) -> list[Finding]:
    """Return one finding per wrong tensor, from the point where it shows first."""
    found: dict[str, Finding] = {}
    for number, one in enumerate(points):
        if one.state is State.DISAGREES:
            for name in one.wrong:
                found.setdefault(name, finding(one, name, number))
    return list(found.values())


def finding(one: Judged, name: str, number: int) -> Finding:
    """Say where a tensor is wrong, and both values there."""
    at = one.point.note
    parameter = None if name in one.surveyed.outputs else name[1:]
    if name in one.missing:
        message = (
            f"{name} is missing: the manual side returned no gradient of {name[1:]} "
            "(wrt= names the inputs that have one)"
        )
        return Finding("same_point", name, message, parameter=name[1:], update=number)
    if name in one.misshapen:
        manual, due = one.misshapen[name]
        message = f"{name} has shape {manual}; {due} is due"
        return Finding("same_point", name, message, parameter=parameter, update=number)
    worst = one.compared[name].worst
    place = f"{name}{where(worst.index)}"
    mine, right = two_values(worst.manual, worst.reference)
    message = f"{place} is {mine}; the reference has {right} ({times_allowance(worst.ratio)}; {at})"
    return Finding.at(worst, "same_point", name, message, parameter=parameter, update=number)


def worst_of(points: Sequence[Judged]) -> dict[str, Worst]:
    """Return the worst entry of every tensor; of an excused point only if there is no other."""
    excused = (State.KINKS, State.CLIPPED, State.DIGITS, State.UNDECIDED)
    found: dict[str, Worst] = {}
    for last in (False, True):
        for one in points:
            if (one.state in excused) is not last:
                continue
            for name, compared in one.compared.items():
                old = found.get(name)
                if old is None or (not last and not compared.worst.ratio <= old.ratio):
                    found[name] = compared.worst
    order = points[0].surveyed.analysed.reference if points else ()
    return {name: found[name] for name in order if name in found}


def sentence_of(
    points: Sequence[Judged], structure: Sequence[Finding], verdict: Verdict, named: Sequence[str]
) -> str:
    """Return the verdict in one sentence; a mistake that is proved leads it."""
    if verdict is Verdict.UNDECIDABLE:
        return f"undecidable: {doubt(points)}"
    if verdict is Verdict.DISAGREES:
        findings = findings_of(points) or list(structure)
        lead = f"{named[0]}; " if named else ""
        return f"disagrees: {lead}{findings[0].message}"
    return listing_of_agreement(points)


def doubt(points: Sequence[Judged]) -> str:
    """Say why there is no verdict."""
    for one in (*suspicious(points), *points):
        if one.why is not None:
            differs = one.wrong and one.surveyed.analysed.unruled
            return f"{one.why}, and {one.wrong[0]} differs" if differs else one.why
    return "no tensor could have shown an error of the promised size at any point"


def listing_of_agreement(points: Sequence[Judged]) -> str:
    """Say what agrees, and how far it was from not doing so."""
    decided = [one for one in points if one.state is not State.UNDECIDED]
    told = odd_sentences(decided)
    if told:
        return told[0]
    worst = worst_of(points)
    name = max(worst, key=lambda each: worst[each].ratio)
    names = ", ".join(worst)
    at = count(len(decided), "point")
    said = f"agrees: {names} at {at}, worst {times_allowance(worst[name].ratio)} ({name})"
    there = points[0].surveyed.analysed.reference
    sizes = {n: size for n, size in powerless(decided).items() if there[n].any()}
    below = listing(f"{size:.2g} in {n}" for n, size in sizes.items() if np.isfinite(size))
    blind = listing(n for n, size in sizes.items() if np.isinf(size))
    missed = f"; a scale error below {below} could have been missed" if below else ""
    return said + missed + (f"; no scale error in {blind} could have been seen" if blind else "")


def odd_sentences(points: Sequence[Judged]) -> list[str]:
    """Return what the points show that agree in their own way, the most important first."""
    order = (State.DIGITS, State.CLIPPED, State.KINKS)
    return [oddity(one) for state in order for one in points if one.state is state]


def oddities(points: Sequence[Judged], sentence: str) -> list[str]:
    """Return what such points show besides what the sentence says."""
    return [
        f"{one.point.note}: {text}"
        for one in points
        if one.state in (State.DIGITS, State.CLIPPED, State.KINKS)
        and (text := oddity(one)) != sentence
    ]


def oddity(one: Judged) -> str:
    """Say what a point shows that agrees in its own way."""
    if one.state is State.KINKS:
        first = one.kinks[0] if one.kinks else None
        place = "" if first is None else (
            f": {first.operation}{where(first.index)}, {first.margin:.2g} from the tie, "
            f"slope {first.slope:g} of the other branch"
        )  # fmt: skip
        return f"agrees up to {count(len(one.kinks), 'kink')}{place}"
    if one.state is State.CLIPPED:
        names = ", ".join(one.wrong)
        largest = max(one.compared[name].worst.error for name in one.wrong)
        return (
            f"agrees but for a clipped tail: in {names} entries differ by up to {largest:.1g}, far "
            "below a last digit of the largest ones; something is clipped"
        )
    name = max(one.lost, key=lambda each: one.lost[each])
    worst = one.compared[name].worst
    digits = min(max(one.lost[name], 0.1), 99.0)
    beyond = one.surveyed.analysed.overflowing
    range_left = f" (numbers of {', '.join(beyond)} exceed its range)" if beyond else ""
    manual, right = two_values(worst.manual, worst.reference)
    return (
        f"right, but loses {digits:.1f} digits in {one.point.format}{range_left}: "
        f"{name}{where(worst.index)} "
        f"is {manual}, due is {right} ({times_allowance(worst.ratio)}); "
        "one precision up the same code agrees"
    )


def summary(points: Sequence[Judged], verdict: Verdict) -> CheckSummary:
    """Return how the check of the layer went."""
    worst = worst_of(points)
    largest = max((w.ratio for w in worst.values()), default=0.0)
    compared = sum(len(one.compared) for one in points)
    sentence = listing([
        f"{count(compared, 'tensor')} at {count(len(points), 'point')}",
        f"worst {times_allowance(largest)}" if worst else "",
    ])  # fmt: skip
    return CheckSummary("layer", verdict, compared, largest, sentence)


def weak_of(points: Sequence[Judged]) -> tuple[Weak, ...]:
    """Return everything that proves little."""
    return (*weak_tensors(points), *undecided(points), *unruled(points))


def heatmap_of(points: Sequence[Judged]) -> tuple[str, Any, Any] | None:
    """Return the first wrong tensor of both sides, if it can be drawn."""
    for one in points:
        for name in one.wrong if one.state is State.DISAGREES else ():
            if name in one.compared and np.ndim(one.manual[name]):
                right = one.surveyed.analysed.reference[name]
                return name, np.asarray(one.manual[name], dtype=np.float64), right
    return None


def settings_of(points: Sequence[Judged], reference: str, seed: int) -> Mapping[str, Any]:
    """Return what was asked, for the report."""
    return {
        "mode": "layer",
        "reference": reference,
        "inputs": {name: list(np.shape(a)) for name, a in points[0].point.inputs.items()},
        "dtype": ", ".join(dict.fromkeys(one.point.format for one in points)),
        "points": [one.point.note for one in points],
        "seed": seed,
    }

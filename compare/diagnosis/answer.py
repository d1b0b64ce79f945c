"""From explanations to what the user reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compare.diagnosis.explanation import Explanation, Part
from compare.diagnosis.match import Case, telling
from compare.diagnosis.separate import separating
from compare.result import Diagnosis
from compare.textbook import Point


def answer(found: Sequence[Explanation], cases: Sequence[Case]) -> tuple[Diagnosis, ...]:
    """Return one Diagnosis per explanation, best first; each names the others as `also`."""
    if not found:
        return ()
    case = telling(cases)[0]
    names = [explanation.name for explanation in found]
    return tuple(
        Diagnosis(
            mistake=explanation.name,
            sentence=sentence(explanation, case.point) + rivalry(explanation, found, case.point),
            ratio_before=max(case.worst(frozenset()) for case in cases),
            ratio_after=case.worst(explanation.overrides),
            also=tuple(name for name in names if name != explanation.name),
            constant=next((p.constant for p in explanation.parts if p.fitted), None),
        )
        for explanation in found
    )


def rivalry(explanation: Explanation, found: Sequence[Explanation], point: Point) -> str:
    """Return what would tell the explanation from the best other one, if there is another."""
    others = [other for other in found if other is not explanation]
    if not others:
        return ""
    what = separating(explanation, others[0], point)
    return f" ({others[0].name} gives the same numbers here; {what}.)"


def sentence(explanation: Explanation, point: Point) -> str:
    """Return the sentences of the mistakes, with their numbers filled in."""
    said = [part_sentence(part, point) for part in explanation.parts]
    return said[0] if len(said) == 1 else "Two mistakes together. " + " ".join(said)


def part_sentence(part: Part, point: Point) -> str:
    """Return the sentence of one mistake, with the layer if it is made in one only."""
    filled = part.mistake.sentence.format(constant=part.constant, **letters(point))
    return filled if part.layer is None else f"{filled} (In layer {part.layer} only.)"


def letters(point: Point) -> dict[str, Any]:
    """Return N, F, H (the last hidden layer's) and K of a point."""
    rows, classes = point.targets.shape
    hidden = point.parameters[f"w{point.depth}"].shape[0]
    return {"N": rows, "F": point.x.shape[1], "H": hidden, "K": classes}

"""From explanations to what the user reads."""

from __future__ import annotations

from collections.abc import Sequence

from compare.contracts.result import Diagnosis, Slip
from compare.diagnosis.explanation import NOTHING, Explanation
from compare.diagnosis.match import Case, telling
from compare.diagnosis.places import places
from compare.diagnosis.search import Finding, adapted, showing
from compare.diagnosis.separate import separating


def answer(found: Sequence[Finding], cases: Sequence[Case]) -> tuple[Diagnosis, ...]:
    """Return one Diagnosis for each finding, with the other explanations as `also`."""
    return tuple(diagnosis(finding, cases) for finding in found)


def diagnosis(finding: Finding, cases: Sequence[Case]) -> Diagnosis:
    """Return the best explanation of a finding in words, with what it explains."""
    best, *others = finding.explanations
    seen = showing(finding.tensors, cases) if finding.tensors else cases
    told = telling(seen)
    said = sentence(best, told) + where(finding.tensors) + rivalry(best, others, told)
    return Diagnosis(
        mistake=best.name,
        sentence=said,
        ratio_before=max(one.worst(NOTHING) for one in seen),
        ratio_after=max(remaining(best, one) for one in seen),
        also=tuple(other.name for other in others),
        constant=next((part.constant for part in best.parts if part.fitted), None),
        _slips=tuple(Slip(part.mistake.name, part.constant, part.layer) for part in best.parts),
        _tensors=finding.tensors,
    )


def remaining(explanation: Explanation, case: Case) -> float:
    """Return the worst ratio with the mistake made, in the row of this batch if it is of a row."""
    return case.worst((adapted(explanation, case) or explanation).overrides)


def where(tensors: Sequence[str]) -> str:
    """Return in words that a slip shows in some tensors only."""
    return f" (In {' and '.join(tensors)} alone.)" if tensors else ""


def rivalry(best: Explanation, others: Sequence[Explanation], cases: Sequence[Case]) -> str:
    """Return what would tell the best explanation from the second, if there is one."""
    if not others:
        return ""
    return f" ({others[0].name} gives the same numbers here; {separating(best, others[0], cases)}.)"


def sentence(explanation: Explanation, cases: Sequence[Case]) -> str:
    """Return the sentences of the mistakes, with their constants filled in."""
    said = [part_sentence(explanation, index, cases) for index in range(len(explanation.parts))]
    return said[0] if len(said) == 1 else "Two mistakes together. " + " ".join(said)


def part_sentence(explanation: Explanation, index: int, cases: Sequence[Case]) -> str:
    """Return the sentence of one mistake, with the layer if it is made in one only."""
    part = explanation.parts[index]
    constant: object = part.constant
    if part.mistake.numbering is not None:
        constant = part.mistake.numbering.words(places(explanation, index, cases))
    filled = part.mistake.sentence.format(constant=constant)
    return filled if part.layer is None else f"{filled} (In layer {part.layer} only.)"

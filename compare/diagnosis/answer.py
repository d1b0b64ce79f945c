"""From explanations to what the user reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.contracts.result import Diagnosis, Slip
from compare.diagnosis.accept import adapted
from compare.diagnosis.domains import Explained, Habit
from compare.diagnosis.explanation import NOTHING, Explanation
from compare.diagnosis.match import Case, telling
from compare.diagnosis.places import places
from compare.diagnosis.search import Finding, showing
from compare.diagnosis.separate import separating

UNLIKE = "something else differs as well: the code may not be made for that."
LISTED = 3
"""So many tensors are listed by name; more are the gradient."""


@dataclass(frozen=True)
class Answer:
    """What the user reads of a search: the mistakes, the habits and the plain facts."""

    diagnosis: tuple[Diagnosis, ...] = ()
    habits: tuple[Diagnosis, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> tuple[str, ...]:
        """Return what is said besides the mistakes."""
        return (*(habit.sentence for habit in self.habits), *self.notes)


def answer(found: Explained) -> Answer:
    """Return the findings in words, one Diagnosis each, with the other explanations as `also`."""
    with np.errstate(all="ignore"):
        return Answer(
            tuple(diagnosis(finding) for finding in found.findings),
            tuple(map(habitual, filter(known, found.habits))),
            tuple(f"At {habit.domain} {UNLIKE}" for habit in found.habits if not known(habit)),
        )


def known(habit: Habit) -> bool:
    """Return whether a habit has a name."""
    return habit.explanation is not None


def habitual(habit: Habit) -> Diagnosis:
    """Return a habit in words: where it shows, and what it is."""
    assert habit.explanation is not None
    told = diagnosis(Finding((habit.explanation,), habit.cases))
    return replace(told, sentence=f"At {habit.domain} besides: {told.sentence}")


def diagnosis(finding: Finding) -> Diagnosis:
    """Return the best explanation of a finding in words, with what it explains."""
    best, *others = finding.explanations
    seen = showing(finding.tensors, finding.cases) if finding.tensors else finding.cases
    told = telling(seen)
    said = placed(sentence(best, told), finding.tensors) + rivalry(best, others, told)
    return Diagnosis(
        mistake=best.name,
        sentence=said,
        ratio_before=max(one.worst(NOTHING) for one in seen),
        ratio_after=max(remaining(best, one) for one in seen),
        also=tuple(other.name for other in others),
        constant=next((part.constant for part in best.parts if part.fitted), None),
        title=title_of(best, told) + short_where(finding.tensors),
        _slips=tuple(Slip(part.mistake.name, part.constant, part.layer) for part in best.parts),
        _tensors=finding.tensors,
    )


def title_of(explanation: Explanation, cases: Sequence[Case]) -> str:
    """Return the mistakes in one line."""
    *first, last = (
        part.mistake.title.format(constant=constant_of(explanation, index, cases))
        for index, part in enumerate(explanation.parts)
    )
    return f"{', '.join(first)} and {last}" if first else last


def short_where(tensors: Sequence[str]) -> str:
    """Return in one or two words where a slip shows, nothing if it is everywhere."""
    if not tensors:
        return ""
    place = tensors if len(tensors) <= LISTED else ("the gradient",)
    return f" in {' and '.join(place)}"


def remaining(explanation: Explanation, case: Case) -> float:
    """Return the worst ratio with the mistake made, in the row of this batch if it is of a row."""
    return case.worst((adapted(explanation, case) or explanation).overrides)


EVERY = "Every gradient is "


def placed(said: str, tensors: Sequence[str]) -> str:
    """Return a sentence with where the slip shows, as its subject where that is every gradient."""
    if said.startswith(EVERY) and 0 < len(tensors) <= LISTED:
        verb = "is" if len(tensors) == 1 else "are"
        return f"{' and '.join(tensors)} {verb} {said.removeprefix(EVERY)}"
    return said + where(tensors)


def where(tensors: Sequence[str]) -> str:
    """Return in words that a slip shows in some tensors only."""
    if tensors and tensors[0] == "loss":
        return " (In the loss alone.)"
    if len(tensors) > LISTED:
        return " (In the gradient alone.)"
    return f" (In {' and '.join(tensors)} alone.)" if tensors else ""


def rivalry(best: Explanation, others: Sequence[Explanation], cases: Sequence[Case]) -> str:
    """Return what would tell the best explanation from the second, if there is one."""
    if not others:
        return ""
    return f" ({others[0].name} gives the same numbers here; {separating(best, others[0], cases)}.)"


def sentence(explanation: Explanation, cases: Sequence[Case]) -> str:
    """Return the sentences of the mistakes, with their constants filled in."""
    said = [part_sentence(explanation, index, cases) for index in range(len(explanation.parts))]
    together = {2: "Two mistakes together. ", 3: "Three mistakes together. "}
    return together.get(len(said), "") + " ".join(said)


def part_sentence(explanation: Explanation, index: int, cases: Sequence[Case]) -> str:
    """Return the sentence of one mistake, with the layer if it is made in one only."""
    part = explanation.parts[index]
    constant = constant_of(explanation, index, cases)
    filled = part.mistake.sentence.format(constant=constant)
    return filled if part.layer is None else f"{filled} (In layer {part.layer} only.)"


def constant_of(explanation: Explanation, index: int, cases: Sequence[Case]) -> object:
    """Return what fills the words of one mistake: its constant, or the place that it means."""
    part = explanation.parts[index]
    if part.mistake.numbering is None:
        return part.constant
    return part.mistake.numbering.words(places(explanation, index, cases))

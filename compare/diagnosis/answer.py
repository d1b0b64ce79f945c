"""From explanations to what the user reads.

A guard in the logarithm is a habit. Beside a mistake it is a note, or comes after the mistake where
it is large enough to be one itself; it is no half of the mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.contracts.result import Diagnosis, MadeMistake
from compare.diagnosis.accept import adapted
from compare.diagnosis.domains import Explained, Habit
from compare.diagnosis.explanation import NOTHING, Explanation, Part
from compare.diagnosis.joint_words import joint_words
from compare.diagnosis.match import Case, telling
from compare.diagnosis.places import places
from compare.diagnosis.search import Finding, showing
from compare.diagnosis.separate import separating

UNLIKE = "something else differs as well: the code may not be made for that."
HABITUAL = 1e-6
"""A guard up to this size is a note beside a mistake; a larger one is a mistake itself."""
READ_AT, MUCH, NEAR_ONE = 2.0**40, 1e3, 1e-6
"""The rate at which code that returns new weights is called, to read its gradient off them."""
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
        made = [diagnosis(finding, kept) for finding, kept in mistakes(found.findings)]
        guards = [diagnosis(finding, kept) for finding, kept in guards_of(found.findings)]
        beside = bool(made) or unexplained(found)
        small = [one for one in guards if beside and (one.constant or 0.0) <= HABITUAL]
        return Answer(
            (*made, *(one for one in guards if one not in small)),
            (
                *(replace(one, sentence=f"Besides: {one.sentence}") for one in small),
                *map(habitual, filter(known, found.habits)),
            ),
            (
                *(f"At {habit.domain} {UNLIKE}" for habit in found.habits if not known(habit)),
                *untried(found),
            ),
        )


def untried(found: Explained) -> list[str]:
    """Return what of the pairs of mistakes was not tried, where something is left unexplained."""
    left_out = dict.fromkeys(one for case in found.base for one in case.untried)
    if not left_out or not unexplained(found):
        return []
    return [f"Not all was looked for: {', and '.join(left_out)}."]


def unexplained(found: Explained) -> bool:
    """Return whether something of the base is wrong that no finding is about."""
    told = {name for one in found.findings for name in one.tensors}
    whole = any(not one.tensors for one in found.findings)
    wrong = {name for case in found.base for name, is_wrong in case.wrong.items() if is_wrong}
    return not whole and bool(wrong - told)


Kept = Callable[[Part], bool]
"""Which parts of its explanations a finding is told by."""


def is_guard(part: Part) -> bool:
    """Return whether a part is a guard."""
    return part.mistake.guard


def is_mistake(part: Part) -> bool:
    """Return whether a part is more than a guard."""
    return not part.mistake.guard


def mistakes(findings: Sequence[Finding]) -> list[tuple[Finding, Kept]]:
    """Return the findings with more than a guard in them, told by that."""
    return [(one, is_mistake) for one in findings if any(map(is_mistake, parts_of(one)))]


def guards_of(findings: Sequence[Finding]) -> list[tuple[Finding, Kept]]:
    """Return the findings with a guard in them, told by that; the same guard once."""
    unique: dict[str, Finding] = {}
    for finding in findings:
        for part in filter(is_guard, parts_of(finding)):
            unique.setdefault(f"{part.mistake.name} {part.constant}", finding)
    return [(finding, is_guard) for finding in unique.values()]


def parts_of(finding: Finding) -> tuple[Part, ...]:
    """Return the parts of its best explanation."""
    return finding.explanations[0].parts


def known(habit: Habit) -> bool:
    """Return whether a habit has a name."""
    return habit.explanation is not None


def habitual(habit: Habit) -> Diagnosis:
    """Return a habit in words: where it shows, and what it is."""
    assert habit.explanation is not None
    told = diagnosis(Finding((habit.explanation,), habit.cases))
    return replace(told, sentence=f"At {habit.domain} besides: {told.sentence}")


def every(part: Part) -> bool:
    """Return that a finding is told by all parts."""
    return True


def diagnosis(finding: Finding, kept: Kept = every) -> Diagnosis:
    """Return the best explanation of a finding in words, with what it explains.

    The words are about the parts that are `kept`, the ratios about the whole explanation.
    """
    whole, *rest = finding.explanations
    best = only(whole, kept)
    others = [other for other in rest if only(other, kept).name not in ("", best.name)]
    seen = showing(finding.tensors, finding.cases) if finding.tensors else finding.cases
    told = telling(seen)
    said = placed(sentence(whole, kept, told), finding.tensors) + rivalry(whole, others, kept, told)
    return Diagnosis(
        mistake=best.name,
        sentence=said,
        ratio_before=max(one.worst(NOTHING) for one in seen),
        ratio_after=max(remaining(whole, one) for one in seen),
        also=tuple(dict.fromkeys(only(other, kept).name for other in others)),
        constant=next((part.constant for part in best.parts if part.fitted), None),
        title=title_of(whole, kept, told) + short_where(finding.tensors),
        _slips=tuple(
            MadeMistake(part.mistake.name, part.constant, part.layer) for part in best.parts
        ),
        _tensors=finding.tensors,
    )


def only(explanation: Explanation, kept: Kept) -> Explanation:
    """Return an explanation with only those parts."""
    return Explanation(tuple(filter(kept, explanation.parts)))


def indices(explanation: Explanation, kept: Kept) -> list[int]:
    """Return where in an explanation the parts stand that it is told by."""
    return [index for index, part in enumerate(explanation.parts) if kept(part)]


def title_of(explanation: Explanation, kept: Kept, cases: Sequence[Case]) -> str:
    """Return the mistakes in one line, each with its layer if it is made in one only."""
    joint = joint_words(only(explanation, kept).parts)
    if joint is not None:
        return joint[0]
    *first, last = (part_title(explanation, index, cases) for index in indices(explanation, kept))
    return f"{', '.join(first)} and {last}" if first else last


def part_title(explanation: Explanation, index: int, cases: Sequence[Case]) -> str:
    """Return the title of one mistake, with the layer if it is made in one only."""
    part = explanation.parts[index]
    title = part.mistake.title.format(constant=constant_of(explanation, index, cases))
    return title if part.layer is None else f"{title} in layer {part.layer} only"


def short_where(tensors: Sequence[str]) -> str:
    """Return in one or two words where a slip shows, nothing if it is everywhere."""
    if not tensors:
        return ""
    place = tensors if len(tensors) <= LISTED else ("the gradient",)
    return f" in {' and '.join(place)}"


def remaining(explanation: Explanation, case: Case) -> float:
    """Return the worst ratio with the mistake made, in the row of this batch if it is of a row."""
    return case.worst((adapted(explanation, case) or explanation).overrides)


EVERY = re.compile(r"Every (weight |bias )?gradient is ")


def placed(said: str, tensors: Sequence[str]) -> str:
    """Return a sentence with where the slip shows, as its subject where that is every gradient."""
    if EVERY.match(said) and 0 < len(tensors) <= LISTED:
        if len(tensors) == 1:
            return EVERY.sub(f"{tensors[0]} is ", said, count=1)
        said = EVERY.sub(f"{' and '.join(tensors)} are ", said, count=1)
        return said.replace("as it should be", "as they should be", 1)
    return said + where(tensors)


def where(tensors: Sequence[str]) -> str:
    """Return in words that a slip shows in some tensors only."""
    if tensors and tensors[0] == "loss":
        return " (In the loss alone.)"
    if len(tensors) > LISTED:
        return " (In the gradient alone.)"
    return f" (In {' and '.join(tensors)} alone.)" if tensors else ""


def rivalry(
    best: Explanation, others: Sequence[Explanation], kept: Kept, cases: Sequence[Case]
) -> str:
    """Return what would tell the best explanation from the second, if there is one."""
    if not others:
        return ""
    second, apart = only(others[0], kept).name, separating(best, others[0], cases)
    return f" ({second} gives the same numbers here; {apart}.)"


def sentence(explanation: Explanation, kept: Kept, cases: Sequence[Case]) -> str:
    """Return the sentences of the mistakes, with their constants filled in."""
    joint = joint_words(only(explanation, kept).parts)
    if joint is not None:
        return joint[1]
    said = [part_sentence(explanation, index, cases) for index in indices(explanation, kept)]
    together = {2: "Two mistakes together. ", 3: "Three mistakes together. "}
    return together.get(len(said), "") + " ".join(said)


def part_sentence(explanation: Explanation, index: int, cases: Sequence[Case]) -> str:
    """Return the sentence of one mistake, with the layer if it is made in one only."""
    part = explanation.parts[index]
    constant = constant_of(explanation, index, cases)
    filled = part.mistake.sentence.format(constant=in_rates(constant))
    return filled if part.layer is None else f"{filled} (In layer {part.layer} only.)"


class InRates(float):
    """A number of learning rates, which says so when it is put into words."""

    def __format__(self, form: str) -> str:
        return (
            "the learning rate" if abs(self - 1) < NEAR_ONE else f"{float(self):{form}} × the rate"
        )


def in_rates(constant: object) -> object:
    """Return what fills a sentence: no number that is made of the rate at which code is read."""
    share = constant / READ_AT if isinstance(constant, float) else 0.0
    return InRates(share) if 1 / MUCH < abs(share) < MUCH else constant


def constant_of(explanation: Explanation, index: int, cases: Sequence[Case]) -> object:
    """Return what fills the words of one mistake: its constant, or the place that it means."""
    part = explanation.parts[index]
    if part.mistake.numbering is None:
        return part.constant
    return part.mistake.numbering.words(places(explanation, index, cases))

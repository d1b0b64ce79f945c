"""From what a function did when it was called one way to the words that are said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import numpy as np

from compare.checks.comparison import Comparison
from compare.contracts.arrays import Array
from compare.contracts.digits import two_values
from compare.contracts.errors import UserCodeError
from compare.contracts.measured import Worst
from compare.contracts.result import Diagnosis, Finding, Result, Verdict
from compare.examine.starter.numbering import LABELS, are_numbers
from compare.examine.starter.readings import H, K, N, Reading, Weight
from compare.guard.blame import Place
from compare.guard.contract import kind
from compare.guard.deadline import TimedOut
from compare.judge.ledger import ENDLESS

SHAPES = {
    (): "it is collapsed to one number",
    (K,): "it is collapsed over the batch",
    (1, K): "it is collapsed over the batch",
    (N,): "there is one value for each sample",
    (K, N): "it is transposed",
    (H, N): "it is transposed",
}
"""What a wrong shape looks like."""
Slip = tuple[str, str, str]
"""A mistake: its name, a sentence and its title."""


@dataclass(frozen=True, slots=True)
class FunctionVerdict:
    """What is said of one function: `sentence` without its name, in full.

    `conventions` are differences from the assignment that change nothing if the callers keep to
    them. `kind` is convention, value, shape, overflow or side effect where it disagrees.
    `arguments` is what is passed to it, in order, and `scores` what is passed for scores.
    `lacking`: it is undecided though right, for something of it that was not compared.
    """

    name: str
    role: str
    place: Place | None
    verdict: Verdict
    sentence: str
    kind: str | None = None
    conventions: tuple[str, ...] = ()
    layout: str = ""
    reduction: str = ""
    arguments: tuple[str, ...] = ()
    scores: str = ""
    worst: Worst | None = None
    diagnosis: tuple[Diagnosis, ...] = ()
    lacking: bool = False
    numbers: str = ""
    """Which class numbers it is handed, if any: from 0 or from 1."""
    tensors: Mapping[str, Worst] = field(default_factory=dict)
    """The worst entry of the loss and of every gradient, where it was compared as a network."""
    first: Finding | None = None
    """The first disagreement of that comparison."""

    def wrong(self, kind: str, sentence: str, worst: Worst | None = None) -> FunctionVerdict:
        """Return the verdict turned into a disagreement."""
        kept = self.tensors if worst is self.worst else {}
        return replace(
            self, verdict=Verdict.DISAGREES, kind=kind, sentence=sentence, worst=worst, tensors=kept
        )

    def compared_as(self, result: Result) -> FunctionVerdict:
        """Return the verdict with what the comparison as a network found of every gradient."""
        worst = max(result.worst.values(), key=lambda one: one.ratio, default=None)
        told = {name: one for name, one in result.worst.items() if " " not in name or one is worst}
        return replace(self, worst=worst, tensors=told, first=next(iter(result.findings), None))

    def slip(self, mistake: str, sentence: str, title: str) -> FunctionVerdict:
        """Return the verdict with a mistake that was told by what the code did, not by numbers."""
        known = Diagnosis(mistake, f"{sentence}.", inf, 0.0, title=title)
        return replace(self.wrong("value", sentence), diagnosis=(known,))

    def undecided(self, sentence: str) -> FunctionVerdict:
        """Return the verdict of what could not be compared, in whole or in part."""
        lacking = self.lacking or self.verdict is Verdict.AGREES
        return replace(self, verdict=Verdict.UNDECIDABLE, sentence=sentence, lacking=lacking)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a function did when it was called one way: raised, or returned something."""

    reading: Reading
    value: Any = None
    observed: Array | None = None
    compared: Comparison | None = None
    error: UserCodeError | None = None

    @property
    def agrees(self) -> bool:
        """True if what came back is right, read this way."""
        return self.compared is not None and self.compared.agrees

    @property
    def timed_out(self) -> bool:
        """True if it did not come back."""
        return self.error is not None and isinstance(self.error.__cause__, TimedOut)


def judged(name: str, role: str, place: Place | None, trial: Trial) -> FunctionVerdict:
    """Put a trial into words."""
    reading = trial.reading
    about = FunctionVerdict(
        name, role, place, Verdict.UNDECIDABLE, "",
        arguments=tuple(reading.arguments), scores=reading.scores,
    )  # fmt: skip
    if trial.error is not None:
        return replace(about, sentence=f"could not be called: {trial.error}")
    if trial.compared is None:
        due = f"a value of shape {reading.due.answer.shape} is due"
        hint = SHAPES.get(np.shape(trial.observed)) if trial.observed is not None else None
        returned = kind(trial.value)
        return about.wrong("shape", f"returns {returned}; {due}" + (f": {hint}" if hint else ""))
    return agreed(about, trial) if trial.agrees else wrong_value(about, trial)


def agreed(about: FunctionVerdict, trial: Trial) -> FunctionVerdict:
    """Say in which convention the values are right; some conventions are disagreements."""
    assert trial.compared is not None
    reading, worst = trial.reading, trial.compared.worst
    harmless = [d.words for d in reading.differences if d.weight is Weight.INTERFACE]
    about = replace(
        about, verdict=Verdict.AGREES, sentence="agrees", conventions=tuple(harmless),
        layout=reading.layout, reduction=reading.reduction, worst=worst,
        numbers=LABELS if any(map(are_numbers, reading.arguments.values())) else "",
    )  # fmt: skip
    serious = [d for d in reading.differences if d.weight is not Weight.INTERFACE]
    if not serious:
        return about
    slip = any(d.weight is Weight.SLIP for d in serious)
    sentence = "; ".join(d.words for d in serious)
    return about.wrong("value" if slip else "convention", sentence)


def wrong_value(about: FunctionVerdict, trial: Trial) -> FunctionVerdict:
    """Say where a value is wrong, both values, and the mistake if it has a name.

    A wrong loss of the right size still tells whether it is a mean: a sum is N times as large.
    """
    assert trial.compared is not None and trial.observed is not None
    worst = trial.compared.worst
    where = str(list(worst.index)) if worst.index else ""
    sentence = f"value{where} {is_where(worst)}"
    near = worst.manual * worst.reference > 0 and 1 / 3 < worst.manual / worst.reference < 3
    reduction = trial.reading.reduction if about.role == "average_ce" and near else ""
    return replace(about.wrong("value", sentence, worst), reduction=reduction)


def is_where(worst: Worst) -> str:
    """Return what a number is and what is right, in digits that tell them apart, and how far off
    it is."""
    seen, right = two_values(worst.manual, worst.reference, 10)
    return f"is {seen}, where {right} is right{apart(worst)}"


def apart(worst: Worst) -> str:
    """Return how far a number is off, unless its allowance is that of a 0, next to nothing."""
    return f" ({worst.ratio:.3g} × allowance)" if worst.ratio <= ENDLESS else ""

"""The calls of a gradient function: what was meant, what came back, and what can be said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.checks.comparison import Comparison
from compare.contracts.result import Verdict
from compare.examine.starter.expected import DELTAS, LOSS
from compare.examine.starter.function_check import SIZES_WRITTEN_IN
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_functions import GradientFunction
from compare.examine.starter.meanings import Meaning
from compare.examine.starter.readings import ASSIGNMENT, UNEQUAL, Sizes
from compare.examine.starter.returned import Part

EITHER = (*DELTAS, LOSS)
"""What a function may leave unaveraged, beside gradients of weights that are averaged."""
NOTHING = 1e-12
"""Far below every gradient at the points of this program, and above the rounding of p - p."""
ADVICE = "--write-adapter FILE writes a file in which you say so"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what was meant, and what came back or why nothing did."""

    meaning: Meaning
    sizes: Sizes = UNEQUAL
    parts: tuple[Part, ...] = ()
    problem: str = ""
    raised: bool = False
    hung: bool = False


def said(how: GradientFunction, call: Call) -> Iterator[str]:
    """How the function was meant, in words."""
    if call.parts or call.problem:
        yield how.in_words()
    if words := call.meaning.layout.words():
        yield words
    if call.sizes is ASSIGNMENT and call.parts:
        yield SIZES_WRITTEN_IN


def misshapen(calls: Sequence[Call]) -> list[Call]:
    """The calls that returned something of which a wrong shape can be said, the likeliest first."""
    return [call for call in calls if call.problem and not call.raised]


def of_weights(call: Call) -> bool:
    """True if a gradient of weights or biases is among what came back."""
    return any(name not in EITHER for names, _ in call.parts for name in names)


def of_loss(call: Call) -> bool:
    """True if a loss alone came back."""
    return [names for names, _ in call.parts] == [(LOSS,)]


def is_finite(call: Call) -> bool:
    """True if no number that came back is NaN or infinite."""
    return all(np.isfinite(array).all() for _, array in call.parts)


def vanishes(call: Call) -> bool:
    """True if nothing but zeros came back, as where p stands for the targets in p - y."""
    return all(np.abs(array).max(initial=0.0) < NOTHING for _, array in call.parts)


def distinct(calls: Sequence[Call]) -> Iterator[Call]:
    """The calls with different numbers, the first of each."""
    seen: set[bytes] = set()
    for call in calls:
        key = b"".join(np.ascontiguousarray(array).tobytes() for _, array in call.parts)
        if key not in seen:
            seen.add(key)
            yield call


def not_compared(
    how: GradientFunction, calls: Sequence[Call], doubtful: Sequence[str]
) -> FunctionVerdict:
    """Say that nothing could be compared, and what to do about it."""
    about = FunctionVerdict(how.name, "gradient", None, Verdict.UNDECIDABLE, "")
    listed = f"{how.name}({', '.join(how.parameters)})"
    if not calls:  # two of its arguments can only be the same
        return replace(about, sentence=f"{listed} was not compared: its arguments were not told"
                       f" apart; {ADVICE}")  # fmt: skip
    if not doubtful and not calls[0].parts:
        likeliest = calls[0].problem
        words = "could not be called: " if calls[0].raised else ""
        return replace(about, sentence=f"{words}{likeliest}", conventions=(how.in_words(),))
    if not doubtful:
        why = "what it returns is none of the gradients it could mean"
        return replace(about, sentence=f"{listed} was not compared: {why}; {ADVICE}")
    why = f"what {', '.join(doubtful)} stands for is not certain, and nothing it may stand for"
    if all(call.raised for call in calls):
        why += f" can be passed: {calls[0].problem}"
    else:
        why += " makes it agree or reproduces a known mistake"
    return replace(about, sentence=f"{listed} was not compared: {why}; {ADVICE}")


def worst_of(compared: Sequence[Comparison]) -> Comparison:
    """Return the comparison with the largest ratio."""
    return max(compared, key=lambda one: one.worst.ratio)

"""A forward pass with its softmax inside, against the network's own values at one point.

What it returns is told by comparing: z1, h1, logits and p, in the layout in which they agree. One
of them that differs beside others that agree is wrong; where none agrees, nothing was compared.
Classes alone are right where they are those of the largest p, at several points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from compare.checks.comparison import Comparison, compare_entries
from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.expected import Expected
from compare.examine.starter.function_verdict import FunctionVerdict, is_where
from compare.examine.starter.gradient_check import GradientCheck
from compare.examine.starter.gradient_functions import GradientFunction, meanings_of
from compare.examine.starter.meanings import LAYOUTS, Layout, Meaning
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.returned import parts_of
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard
from compare.textbook import Pass

STAGES = ("z1", "h1", "logits", "p")
"""What a forward pass may return."""
HANDED = frozenset({"x", "w1", "b1", "w2", "b2"})
"""What it may be given."""
CALLS = 100
"""How often it is called in search of what its arguments mean."""
CLASSES = "classes"
POINTS = 4
NOT_COMPARED = (
    "the softmax inside it was not compared: put it into a function `softmax(z)`, and run the same "
    "command again"
)


@dataclass(frozen=True)
class Answer:
    """What one call returned: the stages that agree, and the worst comparison of one that does
    not, though it has the form of probabilities."""

    layout: Layout
    right: frozenset[str]
    wrong: Comparison | None
    meaning: Meaning | None = None


@dataclass(frozen=True)
class ForwardCheck:
    """Checks forward passes of one file at the point `due`."""

    guard: Guard
    due: Expected
    layouts: Sequence[Layout] = LAYOUTS
    others: Sequence[Expected] = ()
    """Further points, at which classes are asked for: of a few rows they may be right by chance."""

    def __call__(self, function: Callable[..., Any], how: GradientFunction) -> FunctionVerdict:
        """Return the verdict on one function."""
        about = FunctionVerdict(how.name, "forward", None, Verdict.UNDECIDABLE, NOT_COMPARED)
        call = OnCopies(function, self.guard)
        answers = list(self.answers(call, how))
        best = max(answers, key=lambda one: (one.wrong is None, len(one.right)), default=None)
        if best is not None and best.wrong is None and "p" in best.right:
            words = best.layout.words()
            return FunctionVerdict(
                how.name, "forward", None, Verdict.AGREES, "agrees",
                conventions=(words,) if words else (), layout=best.layout.samples,
            )  # fmt: skip
        for one in answers:
            if CLASSES in one.right and all(
                self.gives_classes(call, one, at) for at in self.others
            ):
                return FunctionVerdict(
                    how.name, "forward", None, Verdict.AGREES, "agrees",
                    conventions=("it returns the class of the largest p",),
                )  # fmt: skip
        known = [one for one in answers if one.wrong is not None and one.right & {"z1", "logits"}]
        if not known:
            return about
        worst = known[0].wrong
        assert worst is not None
        entry = worst.worst
        return about.wrong(
            "value",
            f"the probabilities it returns are wrong: p{list(entry.index)} {is_where(entry)}",
            entry,
        )

    def answers(self, call: OnCopies, how: GradientFunction) -> Iterator[Answer]:
        """Call it with what its arguments may mean, up to the first meaning with all right."""
        for meaning in islice(meanings_of(how, self.layouts, HANDED), CALLS):
            try:
                value = call(meaning.arguments(self.due.quantities))
            except UserCodeError:
                continue
            answer = replace(self.held(matrices(value), meaning.layout), meaning=meaning)
            classes = {CLASSES} if is_classes(value, self.due) else set()
            yield replace(answer, right=answer.right | classes)
            if answer.wrong is None and "p" in answer.right:
                return

    def gives_classes(self, call: OnCopies, one: Answer, at: Expected) -> bool:
        """Whether it returns the classes of the largest p at another point, too."""
        assert one.meaning is not None
        try:
            return is_classes(call(one.meaning.arguments(at.quantities)), at)
        except UserCodeError:
            return False

    def held(self, arrays: Sequence[Array], layout: Layout) -> Answer:
        """Hold everything returned against the stages of its shape."""
        right: set[str] = set()
        wrong = None
        laid = [array.T if layout.samples == "columns" else array for array in arrays]
        for array in laid:
            fitting = [self.compare(name, array) for name in STAGES if self.fits(name, array)]
            agreeing = [one.name for one in fitting if one.agrees]
            right.update(agreeing)
            if fitting and not agreeing and fitting[-1].name == "p":
                wrong = fitting[-1]
        return Answer(layout, frozenset(right), wrong)

    def fits(self, name: str, array: Array) -> bool:
        """Whether an array has the shape of a stage."""
        return array.shape == self.due.quantities[name].shape

    def compare(self, name: str, array: Array) -> Comparison:
        """Hold an array against a stage."""
        allowance = np.asarray(Pass(self.due.point).named(name).allowance)
        return compare_entries(name, array, self.due.quantities[name], allowance)


def forward_checks(guard: Guard, slope: GradientCheck) -> Iterator[ForwardCheck]:
    """Yield the checks in every network that a file may mean, the likeliest first."""
    for activation in slope.activations:
        alone = replace(slope, activations=(activation,))
        due, *others = (
            replace(alone, seed=slope.seed + more).due(UNEQUAL, slope.reduction)
            for more in range(POINTS)
        )
        yield ForwardCheck(guard, due, slope.layouts, others)


def is_classes(value: Any, due: Expected) -> bool:
    """Whether what was returned is the class of the largest p of each row."""
    parts = [
        one for one in parts_of(value) if isinstance(one, np.ndarray) and one.dtype.kind in "iu"
    ]
    p = due.quantities["p"]
    return len(parts) == 1 and np.array_equal(parts[0].ravel(), p.argmax(axis=1))


def matrices(value: Any) -> list[Array]:
    """Return the matrices of what was returned, also of a cache in a dictionary or tuple."""
    arrays = [part for part in parts_of(value) if isinstance(part, np.ndarray)]
    return [array for array in arrays if array.ndim == 2 and array.dtype.kind == "f"]

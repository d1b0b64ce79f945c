"""One gradient function against torch: called with every meaning its arguments may have.

The meaning with which it agrees is its author's. Where there is none, a known mistake that
reproduces its numbers tells the meaning as well; and where the names leave no doubt they decide.
A function none of this can be said of was not compared, which accuses nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

from compare.checks.comparison import Comparison
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Diagnosis, Verdict
from compare.diagnosis.gradients import diagnose_gradients, one_mistake_explains
from compare.diagnosis.observation import Observation
from compare.examine.starter.binding import LAYERS
from compare.examine.starter.entropy_readings import AVERAGES, SUMS
from compare.examine.starter.expected import DELTAS, LOSS, Expected, expected
from compare.examine.starter.function_check import SIZES_WRITTEN_IN
from compare.examine.starter.function_verdict import FunctionVerdict, apart
from compare.examine.starter.gradient_functions import GradientFunction, meanings_of
from compare.examine.starter.loss_check import loss_named
from compare.examine.starter.meanings import LAYOUTS, Layout, Meaning, in_doubt
from compare.examine.starter.readings import ASSIGNMENT, UNEQUAL, Sizes
from compare.examine.starter.returned import Part, named_parts
from compare.guard.copies import OnCopies
from compare.guard.deadline import TimedOut
from compare.guard.guard import Guard
from manual_mlp import Penalty

EITHER = (*DELTAS, LOSS)
"""What a function may leave unaveraged, beside gradients of weights that are averaged."""
CALLS = 1000
"""How often one function is called in search of its meaning."""
EXPLAINED = 3
"""Of how many meanings that fit in shape a known mistake is looked for."""

NO_PENALTY = Penalty()
SHOWN_NOWHERE = "nothing in the file computes them: declare them with --activation"
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


@dataclass(frozen=True)
class GradientCheck:
    """Checks gradient functions of one file; `layouts` are tried in their order."""

    guard: Guard
    reduction: str = "mean"
    seed: int = 0
    layouts: Sequence[Layout] = LAYOUTS
    activations: Sequence[str] = ("relu",)
    """Those of the hidden units that the file may mean, the declared one first."""
    prepare: Callable[[Expected], object] = field(default=lambda due: None)
    """Called before a function is called at another point: puts arrays into the file's module."""
    pairs: bool = True
    """Whether two mistakes at once are looked for, which takes seconds."""
    penalty: Penalty = NO_PENALTY
    """What the loss has beside that of the network."""
    shows: Callable[[str], bool] = field(default=lambda activation: False)
    """Whether the file itself computes hidden units of an activation."""

    def __call__(self, function: Callable[..., Any], how: GradientFunction) -> FunctionVerdict:
        """Return the verdict on one function: of hidden units as declared, or of those with
        which it is right."""
        found = self.of_declared(function, how)
        if found.verdict is Verdict.AGREES or found.role == LOSS:
            return found
        for activation in self.activations[1:]:
            called = replace(self, activations=(activation,)).meaning(function, how)
            if called is None:
                continue
            other, meant = called
            if other.verdict is not Verdict.AGREES:
                continue
            if meant.of_data or self.shows(activation):
                words = f"your hidden units are {activation}"
                return replace(other, conventions=(words, *other.conventions))
            if not self.shows(self.activations[0]):
                return other.undecided(f"right with {activation} units; {SHOWN_NOWHERE}")
        return found

    def meaning(
        self, function: Callable[..., Any], how: GradientFunction
    ) -> tuple[FunctionVerdict, Meaning] | None:
        """The verdict if some meaning of the arguments agrees, and this meaning."""
        quiet = OnCopies(function, Guard(timeout=self.guard.timeout))
        for meaning in islice(meanings_of(how, self.layouts), CALLS // 10):
            call = self.attempt(quiet, how, meaning, UNEQUAL.of_layers(how.layers))
            if call.hung or (call.parts and self.agrees(call)):
                return self.verdict(function, how, call), meaning
        return None

    def of_declared(self, function: Callable[..., Any], how: GradientFunction) -> FunctionVerdict:
        """The verdict on one function, of hidden units as declared."""
        quiet = OnCopies(function, Guard(timeout=self.guard.timeout))
        calls: list[Call] = []
        own = UNEQUAL.of_layers(how.layers)
        others = [(ASSIGNMENT, CALLS // 20)] if how.layers == LAYERS else []
        for sizes, most in ((own, CALLS), *others):
            for meaning in islice(meanings_of(how, self.layouts), most):
                calls.append(self.attempt(quiet, how, meaning, sizes))
                if calls[-1].hung or (calls[-1].parts and self.agrees(calls[-1])):
                    return self.verdict(function, how, calls[-1])
            if not all(call.raised for call in calls):
                break
        return self.without_agreement(function, how, calls)

    def attempt(
        self, call: OnCopies, how: GradientFunction, meaning: Meaning, sizes: Sizes
    ) -> Call:
        """Call the function once."""
        due = self.due(sizes, self.reduction)
        self.prepare(due)
        try:
            value = call(meaning.arguments(due.quantities))
        except UserCodeError as error:
            hung = isinstance(error.__cause__, TimedOut)
            return Call(meaning, sizes, problem=str(error), raised=True, hung=hung)
        parts = named_parts(value, how.returns, due.gradients, meaning.layout)
        if isinstance(parts, str):
            return Call(meaning, sizes, problem=parts)
        return Call(meaning, sizes, tuple(parts))

    def due(self, sizes: Sizes, reduction: str) -> Expected:
        """What is handed over and due, worked out once."""
        return remembered(sizes, reduction, self.seed, self.activations[0], self.penalty)

    def compared(self, call: Call, reduction: str) -> list[Comparison]:
        """Hold every part against torch's gradient; a row for each sample may be unaveraged."""
        due = self.due(call.sizes, reduction)
        summed = self.due(call.sizes, "sum")
        found = []
        for names, array in call.parts:
            tried = [due.compare(name, array) for name in names]
            tried += [summed.compare(name, array) for name in names if name in EITHER]
            found.append(min(tried, key=lambda one: (not one.agrees, one.worst.ratio)))
        return found

    def agrees(self, call: Call) -> bool:
        """True if all parts are right, under either reduction."""
        return any(
            all(one.agrees for one in self.compared(call, reduction))
            for reduction in ("mean", "sum")
        )

    def without_agreement(
        self, function: Callable[..., Any], how: GradientFunction, calls: Sequence[Call]
    ) -> FunctionVerdict:
        """The verdict where no meaning agrees: a mistake, a clear name, or nothing compared."""
        fitting = list(islice(distinct(self.most_right(calls)), EXPLAINED))
        doubtful = [
            one for one in how.parameters if in_doubt(one, how.layers) and not how.bundles.get(one)
        ]
        # The search for two mistakes at once takes seconds: only where the meaning is clear.
        weights = [call for call in fitting if not of_loss(call)]
        one = [call for call in weights if one_mistake_explains(self.observation(how, call))]
        if fitting and of_loss(fitting[0]):
            named = self.loss_named(function, fitting[0])
            if named or not doubtful:
                return self.verdict(function, how, fitting[0], named)
        for call in one or ([] if doubtful or not self.pairs else fitting[:1]):
            if named := diagnose_gradients(self.observation(how, call)):
                return self.verdict(function, how, call, named)
        clear = not doubtful and any(of_weights(one) or of_loss(one) for one in fitting[:1])
        if fitting and (clear or self.rights(fitting[0])):
            return self.verdict(function, how, fitting[0])
        wrong = misshapen(calls) if how.returns is not None else None
        if not fitting and wrong and not doubtful:
            return self.verdict(function, how, wrong, self.shape_named(function, how, wrong))
        return not_compared(how, calls, doubtful)

    def shape_named(
        self, function: Callable[..., Any], how: GradientFunction, call: Call
    ) -> tuple[Diagnosis, ...]:
        """The mistake that gives a gradient its wrong shape, and all gradients their numbers."""
        due = self.due(call.sizes, self.reduction)
        self.prepare(due)
        value = OnCopies(function, Guard(timeout=self.guard.timeout))(
            call.meaning.arguments(due.quantities)
        )
        parts = named_parts(value, how.returns, due.gradients, call.meaning.layout, kept=True)
        if isinstance(parts, str):
            return ()
        seen = self.observation(how, replace(call, parts=tuple(parts)))
        return diagnose_gradients(seen) if one_mistake_explains(seen) else ()

    def loss_named(self, function: Callable[..., Any], call: Call) -> tuple[Diagnosis, ...]:
        """The mistake in a loss, with the meaning of its arguments."""
        return loss_named(
            function, call.meaning.arguments, activation=self.activations[0],
            reduction=self.reduction, seed=self.seed, timeout=self.guard.timeout,
        )  # fmt: skip

    def most_right(self, calls: Sequence[Call]) -> list[Call]:
        """The calls that returned gradients: most right ones first, else the likeliest.

        The logarithm of logits is NaN: where a meaning gives numbers, such a one was not meant.
        """
        answered = [call for call in calls if call.parts]
        kept = [call for call in answered if is_finite(call)] or answered
        return sorted(kept, key=lambda one: -self.rights(one))

    def rights(self, call: Call) -> int:
        """How many parts are right."""
        return max(
            sum(one.agrees for one in self.compared(call, reduction))
            for reduction in ("mean", "sum")
        )

    def observation(self, how: GradientFunction, call: Call) -> Observation:
        """What came back, as it was seen of a network."""
        seen = {names[0]: array for names, array in call.parts}
        point = self.due(call.sizes, self.reduction).point
        return Observation(point, seen, f"one call of {how.name}")

    def verdict(
        self,
        function: Callable[..., Any],
        how: GradientFunction,
        call: Call,
        named: tuple[Diagnosis, ...] = (),
    ) -> FunctionVerdict:
        """Say what one call shows; it is made once more, for what it does besides returning."""
        how = how.meant(call.meaning, tuple(names[0] for names, _ in call.parts))
        about = FunctionVerdict(
            how.name, LOSS if of_loss(call) else "gradient", None, Verdict.UNDECIDABLE, "",
            conventions=tuple(said(how, call)),
            layout=call.meaning.layout.samples if call.parts else "",
        )  # fmt: skip
        if call.raised:
            return replace(about, sentence=f"could not be called: {call.problem}")
        if call.problem:
            return replace(about.wrong("shape", call.problem), diagnosis=named)
        self.attempt(OnCopies(function, self.guard), how, call.meaning, call.sizes)
        return self.judged(about, call, named)

    def judged(
        self, about: FunctionVerdict, call: Call, named: tuple[Diagnosis, ...]
    ) -> FunctionVerdict:
        """Hold the gradients against both reductions, the declared one first."""
        other = "sum" if self.reduction == "mean" else "mean"
        declared = self.compared(call, self.reduction)
        wrong = worst_of(declared)
        if wrong.agrees:
            return replace(
                about, verdict=Verdict.AGREES, sentence="agrees", reduction=self.reduction,
                worst=wrong.worst,
            )  # fmt: skip
        if all(one.agrees for one in self.compared(call, other)):
            sentence = SUMS if other == "sum" else AVERAGES
            return replace(about.wrong("convention", sentence, wrong.worst), reduction=other)
        right = [one.name for one in declared if one.agrees]
        sentence = (
            f"{wrong.name}{list(wrong.worst.index) or ''} is {wrong.worst.manual:.10g}, where"
            f" {wrong.worst.reference:.10g} is right{apart(wrong.worst)}"
        ) + (f"; {', '.join(right)} right" if right else "")
        return replace(about.wrong("value", sentence, wrong.worst), diagnosis=named)


@cache
def remembered(
    sizes: Sizes, reduction: str, seed: int, activation: str, penalty: Penalty
) -> Expected:
    """`expected`, worked out once for all functions of a file."""
    if penalty.nothing:
        return expected(sizes, reduction, seed, activation)
    return remembered(sizes, reduction, seed, activation, NO_PENALTY).with_penalty(penalty)


def said(how: GradientFunction, call: Call) -> Iterator[str]:
    """How the function was meant, in words."""
    if call.parts or call.problem:
        yield how.in_words()
    if words := call.meaning.layout.words():
        yield words
    if call.sizes is ASSIGNMENT and call.parts:
        yield SIZES_WRITTEN_IN


def misshapen(calls: Sequence[Call]) -> Call | None:
    """The likeliest call that returned something of which a wrong shape can be said."""
    return next((call for call in calls if call.problem and not call.raised), None)


def of_weights(call: Call) -> bool:
    """True if a gradient of weights or biases is among what came back."""
    return any(name not in EITHER for names, _ in call.parts for name in names)


def of_loss(call: Call) -> bool:
    """True if a loss alone came back."""
    return [names for names, _ in call.parts] == [(LOSS,)]


def is_finite(call: Call) -> bool:
    """True if no number that came back is NaN or infinite."""
    return all(np.isfinite(array).all() for _, array in call.parts)


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

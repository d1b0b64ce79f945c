"""One gradient function against torch: called with every meaning its arguments may have.

The meaning with which it agrees is its author's. Where there is none, a known mistake that
reproduces its numbers tells the meaning as well; and where the names leave no doubt they decide.
A function none of this can be said of was not compared, which accuses nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

from compare.checks.comparison import Comparison
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Diagnosis, Verdict
from compare.diagnosis.gradients import diagnose_gradients, diagnose_single
from compare.diagnosis.observation import Observation
from compare.examine.starter.binding import LAYERS, certain
from compare.examine.starter.entropy_readings import AVERAGES, SUMS
from compare.examine.starter.expected import LOSS, Expected, expected
from compare.examine.starter.function_verdict import FunctionVerdict, is_where
from compare.examine.starter.gradient_calls import (
    EITHER,
    Call,
    distinct,
    is_finite,
    misshapen,
    not_compared,
    of_loss,
    of_weights,
    said,
    vanishes,
    worst_of,
)
from compare.examine.starter.gradient_functions import GradientFunction, meanings_of
from compare.examine.starter.loss_check import loss_named
from compare.examine.starter.meanings import DATA, LAYOUTS, Layout, Meaning, in_doubt
from compare.examine.starter.numbering import numbers_in
from compare.examine.starter.readings import ASSIGNMENT, UNEQUAL, Sizes
from compare.examine.starter.returned import Part, named_parts
from compare.examine.starter.weight_layout import Said, against, refuted
from compare.guard.copies import OnCopies
from compare.guard.deadline import TimedOut
from compare.guard.guard import Guard
from manual_mlp import Penalty

CALLS = 1000
"""How often one function is called in search of its meaning."""
EXPLAINED = 3
"""Of how many meanings that fit in shape a known mistake is looked for."""
MISSHAPEN = 40
"""How many meanings that give a gradient a wrong shape are asked how much else is right."""

NO_PENALTY = Penalty()
SHOWN_NOWHERE = "nothing in the file computes them: declare them with --activation"


@dataclass(frozen=True)
class GradientCheck:
    """Checks gradient functions of one file; `layouts` are tried in their order."""

    guard: Guard
    reduction: str = "mean"
    seed: int = 0
    layouts: Sequence[Layout] = LAYOUTS
    activations: Sequence[str] = ("relu",)
    """Those of the hidden units that the file may mean, the likeliest first."""
    declared: str = "relu"
    prepare: Callable[[Expected], object] = field(default=lambda due: None)
    """Called before a function is called at another point: puts arrays into the file's module."""
    pairs: bool = True
    """Whether two mistakes at once are looked for, which takes seconds."""
    penalty: Penalty = NO_PENALTY
    """What the loss has beside that of the network."""
    shows: Callable[[str], bool] = field(default=lambda activation: False)
    """Whether the file itself computes hidden units of an activation."""
    lies: Said | None = None
    """How weights lie by the file's own forward pass, and the line that says so."""

    def __call__(self, function: Callable[..., Any], how: GradientFunction) -> FunctionVerdict:
        """Return the verdict on one function: of hidden units as declared, or of those with
        which it is right."""
        declared = replace(self, activations=(self.declared,))
        calls = declared.calls(function, how)
        found = declared.of_calls(function, how, calls) if declared.is_last(calls) else None
        if found is not None and found.verdict is Verdict.AGREES:
            return found
        for activation in self.others:
            called = replace(self, activations=(activation,)).meaning(function, how)
            if called is None:
                continue
            other, meant = called
            if other.verdict is Verdict.UNDECIDABLE:
                continue
            if meant.of_data or self.shows(activation):
                words = f"your hidden units are {activation}"
                return replace(other, conventions=(words, *other.conventions))
            if not self.shows(self.declared):
                return other.undecided(f"right with {activation} units; {SHOWN_NOWHERE}")
        # The search for mistakes takes seconds: only now that no other network is right.
        found = found or declared.of_calls(function, how, calls)
        if found.diagnosis or found.role == LOSS:
            return found
        return self.named_in_another(function, how) or found

    @property
    def others(self) -> list[str]:
        """The activations that were not declared."""
        return [one for one in self.activations if one != self.declared]

    def named_in_another(
        self, function: Callable[..., Any], how: GradientFunction
    ) -> FunctionVerdict | None:
        """The verdict in a network of other hidden units that the file may mean and in which a
        known mistake gives its numbers; None where there is none, or what is handed over would
        give them."""
        if not all(certain(one, how.layers) in DATA or how.bundles[one] for one in how.parameters):
            return None
        for activation in self.others:
            other = replace(self, activations=(activation,), pairs=False).of_declared(function, how)
            simple = [one for one in other.diagnosis if "activation-is" not in one.mistake]
            if simple and other.verdict is Verdict.DISAGREES:
                words = f"your hidden units are {activation}"
                return replace(other, conventions=(words, *other.conventions))
        return None

    def meaning(
        self, function: Callable[..., Any], how: GradientFunction
    ) -> tuple[FunctionVerdict, Meaning] | None:
        """The verdict if some meaning of the arguments agrees, and this meaning."""
        quiet = OnCopies(function, self.quiet)
        for meaning in islice(meanings_of(how, self.layouts), CALLS // 10):
            call = self.attempt(quiet, how, meaning, UNEQUAL.of_layers(how.layers))
            if call.hung or (call.parts and self.agrees(call)):
                return self.verdict(function, how, call), meaning
        return None

    def of_declared(self, function: Callable[..., Any], how: GradientFunction) -> FunctionVerdict:
        """The verdict on one function, of hidden units as declared."""
        return self.of_calls(function, how, self.calls(function, how))

    def calls(self, function: Callable[..., Any], how: GradientFunction) -> list[Call]:
        """Call the function with every meaning, up to the first that agrees or hangs."""
        quiet = OnCopies(function, self.quiet)
        calls: list[Call] = []
        own = UNEQUAL.of_layers(how.layers)
        others = [(ASSIGNMENT, CALLS // 20)] if how.layers == LAYERS else []
        for sizes, most in ((own, CALLS), *others):
            for meaning in islice(meanings_of(how, self.layouts), most):
                calls.append(self.attempt(quiet, how, meaning, sizes))
                if self.is_last(calls):
                    return calls
            if not all(call.raised for call in calls):
                break
        return calls

    def is_last(self, calls: Sequence[Call]) -> bool:
        """Whether the last call agrees, or hangs."""
        last = calls[-1] if calls else None
        return last is not None and (last.hung or bool(last.parts and self.agrees(last)))

    def of_calls(
        self, function: Callable[..., Any], how: GradientFunction, calls: Sequence[Call]
    ) -> FunctionVerdict:
        """The verdict that some calls show."""
        if self.is_last(calls):
            return self.verdict(function, how, calls[-1])
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
        if fitting and of_loss(fitting[0]):
            another = fitting[0].meaning.of_data and not self.shows(self.activations[0])
            named = () if another else self.loss_named(function, fitting[0])
            if named or not doubtful:
                return self.verdict(function, how, fitting[0], named)
        for call in weights:
            if named := diagnose_single(self.observation(how, call)):
                return self.verdict(function, how, call, named)
        for call in [] if doubtful or not self.pairs else fitting[:1]:
            if named := diagnose_gradients(self.observation(how, call)):
                return self.verdict(function, how, call, named)
        clear = not doubtful and any(of_weights(one) or of_loss(one) for one in fitting[:1])
        if fitting and (clear or self.rights(fitting[0])):
            return self.verdict(function, how, fitting[0])
        wrong = [] if fitting or how.returns is None else misshapen(calls)
        for call in self.most_right_in_shape(function, how, wrong[:MISSHAPEN])[:EXPLAINED]:
            if named := diagnose_single(self.observation(how, call)):
                return self.verdict(function, how, replace(call, parts=()), named)
        if wrong and not doubtful:
            return self.verdict(function, how, wrong[0])
        return not_compared(how, calls, doubtful)

    def most_right_in_shape(
        self, function: Callable[..., Any], how: GradientFunction, calls: Sequence[Call]
    ) -> list[Call]:
        """The calls that gave a gradient a wrong shape that tells a mistake, with its numbers.

        Those come first of which most others are right.
        """
        shaped = [one for call in calls if (one := self.as_shaped(function, how, call)).parts]
        return sorted(shaped, key=lambda one: -self.rights(self.in_shape(one)))

    def as_shaped(self, function: Callable[..., Any], how: GradientFunction, call: Call) -> Call:
        """A call with the gradients as a mistake shapes them; with none where no mistake does."""
        due = self.due(call.sizes, self.reduction)
        self.prepare(due)
        value = OnCopies(function, self.quiet)(call.meaning.arguments(due.quantities))
        parts = named_parts(value, how.returns, due.gradients, call.meaning.layout, kept=True)
        return call if isinstance(parts, str) else replace(call, parts=tuple(parts))

    def in_shape(self, call: Call) -> Call:
        """A call with those of its gradients alone that have the shape that is due."""
        due = self.due(call.sizes, self.reduction).gradients
        fitting = [(names, one) for names, one in call.parts if one.shape == due[names[0]].shape]
        return replace(call, parts=tuple(fitting))

    def loss_named(self, function: Callable[..., Any], call: Call) -> tuple[Diagnosis, ...]:
        """The mistake in a loss, with the meaning of its arguments."""
        return loss_named(
            function, call.meaning.arguments, activation=self.activations[0],
            reduction=self.reduction, seed=self.seed, timeout=self.guard.timeout,
        )  # fmt: skip

    def most_right(self, calls: Sequence[Call]) -> list[Call]:
        """The calls that returned gradients: most right ones first, else the likeliest.

        The logarithm of logits is NaN, and p - p is 0: where a meaning gives numbers, such a one
        was not meant.
        """
        answered = [call for call in calls if call.parts]
        kept = [call for call in answered if is_finite(call) and not vanishes(call)] or answered
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
            numbers=numbers_in(call.meaning.bound.values()),
        )  # fmt: skip
        if call.raised:
            return replace(about, sentence=f"could not be called: {call.problem}")
        if call.problem:
            return replace(about.wrong("shape", call.problem), diagnosis=named)
        self.attempt(OnCopies(function, self.guard), how, call.meaning, call.sizes)
        verdict = self.judged(about, call, named)
        if self.lies is None or verdict.verdict is not Verdict.AGREES:
            return verdict
        if not against(self.lies, call.meaning, how.layers):
            return verdict
        return refuted(verdict, self.lies, self.not_transposed(function, how, call))

    def not_transposed(
        self, function: Callable[..., Any], how: GradientFunction, call: Call
    ) -> tuple[Diagnosis, ...]:
        """The known mistake that gives what a function returns of weights that lie as the file has
        them, where a layer is square and nothing raises."""
        layout = replace(call.meaning.layout, transposed=not call.meaning.layout.transposed)
        square = replace(call.sizes, H=call.sizes.K)
        meant = replace(call.meaning, layout=layout)
        again = self.attempt(OnCopies(function, self.quiet), how, meant, square)
        if layout.transposed:  # what is square was taken as it came
            again = replace(again, parts=tuple(map(square_turned, again.parts)))
        seen = self.observation(how, again)
        return diagnose_single(seen) if again.parts else ()

    @property
    def quiet(self) -> Guard:
        """A guard whose notes nobody reads."""
        return Guard(timeout=self.guard.timeout)

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
        sentence = f"{wrong.name}{list(wrong.worst.index) or ''} {is_where(wrong.worst)}"
        sentence += f"; {', '.join(right)} right" if right else ""
        return replace(about.wrong("value", sentence, wrong.worst), diagnosis=named)


def square_turned(part: Part) -> Part:
    """A square gradient laid as ours is, where the code has weights (fan_out, fan_in)."""
    names, array = part
    square = array.ndim == 2 and array.shape[0] == array.shape[1]
    return (names, np.ascontiguousarray(array.T)) if square else part


@cache
def remembered(
    sizes: Sizes, reduction: str, seed: int, activation: str, penalty: Penalty
) -> Expected:
    """`expected`, worked out once for all functions of a file."""
    if penalty.nothing:
        return expected(sizes, reduction, seed, activation)
    return remembered(sizes, reduction, seed, activation, NO_PENALTY).with_penalty(penalty)

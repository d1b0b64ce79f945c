"""The searches over a tape: changed forward passes, other values, slips of the backward pass.

Each yields the changes that give the manual numbers, until its evaluations are spent.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from compare.layers.analysed import as_tensors
from compare.layers.judged import Judged
from compare.layers.names.backward import COMPARISONS, Slip, results_of, single_result, slips
from compare.layers.names.changes import changes
from compare.layers.names.forms import factor_named, squared
from compare.layers.names.forward import changed_program, rerun_program
from compare.layers.names.friendly import Names
from compare.layers.names.kinds import Change
from compare.layers.names.match import Match
from compare.layers.names.reach import Reach
from compare.layers.names.single import WRONG_SIGN
from compare.layers.names.tape import Step, Tape, record
from compare.layers.names.trial import Budget, Found, between, share, tried
from compare.layers.names.values import (
    NOT_UNDONE,
    made_forward,
    others,
    pairs_exchanged,
    readings,
    turned,
)
from compare.layers.names.words import sentence
from compare.layers.program import Program, Tensors, as_written

BOTH = ("omitted", "correction", "scaled", "axes", "function", "parts", "sibling parts", "operand",
        "split", "lengths", "joined", "permuted", "triangle", "factors")  # fmt: skip
"""Changes of a value: a backward pass that computes it anew may have them for itself."""
PLAIN = (1.0, 2.0, 0.5)
POWERS = {-1: "is missing", 1: "stands once too often", -2: "is missing",
          2: "stands once too often"}  # fmt: skip
PRECISE = 1e-10
"""One rounding of a format that tells a short number from its neighbours."""
IMPOSSIBLE = (RuntimeError, IndexError, ValueError, TypeError)
"""What a change raises that no program can have, of shapes that do not fit."""


@dataclass
class Case:
    """The reference written down at one point, with the numbers it is held against."""

    program: Program
    match: Match
    inputs: Tensors
    dy: Tensors | None
    elsewhere: list[Callable[[], Case]] = field(default_factory=list)

    @classmethod
    def at(cls, program: Program, judged: Judged, match: Match) -> Case:
        """Return the case of one judged point."""
        dy = None if judged.point.dy is None else as_tensors(judged.point.dy)
        return cls(program, match, as_tensors(judged.point.inputs), dy)

    @cached_property
    def tape(self) -> Tape:
        """The reference, written down; as torch computes it where ours has other numbers."""
        try:
            tape = record(self.program, self.inputs, self.dy, written_out=True)
            if all(self.match.near(name, tape.values[number].detach(), self.match.right[name])
                   for name, number in tape.results.items()):  # fmt: skip
                return tape
        except IMPOSSIBLE:
            pass
        return record(self.program, self.inputs, self.dy, written_out=False)

    @cached_property
    def names(self) -> Names:
        """The words for its values."""
        return Names(self.tape)

    @cached_property
    def reach(self) -> Reach:
        """What its values and their derivatives can change."""
        return Reach(self.tape, self.match)

    @cached_property
    def others(self) -> list[Case]:
        """The same program at other shapes, where it takes the same steps."""
        cases = [make() for make in self.elsewhere]
        return [case for case in cases if same_steps(case.tape, self.tape)]

    def budget(self) -> Budget:
        """Return what one search may spend."""
        return Budget(len(self.tape.steps), sum(value.numel() for value in self.tape.values))

    def changed(self, change: Change, nearly: bool = False) -> Tensors | None:
        """Return what a changed forward pass gives; None if no program can have the change.

        Or if what it returns is not what the manual side does, where that is wrong; unless `nearly`
        will do.
        """
        worth = None if nearly else self.may_return
        try:
            with as_written():
                return changed_program(self.program, self.tape, change, self.inputs, self.dy, worth)
        except IMPOSSIBLE:
            return None

    def may_return(self, outputs: Mapping[str, Tensor]) -> bool:
        """Return whether the wrong outputs are these, up to a factor."""
        match = self.match
        return all(
            match.near(name, match.manual[name], y.detach())
            or match.coefficient(name, y.detach()) is not None
            for name, y in outputs.items()
            if name in match.wrong and y.shape == match.right[name].shape
        )

    def may_explain(self, change: Change) -> bool:
        """Return whether a change reaches all that is wrong."""
        steps = (self.tape.steps[at] for at in (change.at, *change.also))
        outs = [out for step in steps for out in step.outs if out >= 0]
        if change.kind in BOTH:
            return self.reach.by_both(outs)
        return self.reach.by_derivative(outs)

    def replaced(self, numbers: Mapping[int, tuple[int, float]]) -> Tensors | None:
        """Return what the program gives with other numbers, each at a place of a step.

        A number keeps its sign.
        """

        def other(at: int, step: Step, args: Any, kwargs: Any) -> Any:
            if at not in numbers:
                return None
            place, value = numbers[at]
            value = value if args[place] >= 0 else -value
            return step.func(*(value if n == place else a for n, a in enumerate(args)), **kwargs)

        try:
            with as_written():
                return rerun_program(self.program, self.tape, other, self.inputs, self.dy)
        except IMPOSSIBLE:
            return None

    def form(self, c: float, there: Callable[[Case], float | None]) -> str | None:
        """Return what a factor is; `there` measures it at other shapes, where that is asked."""
        doubt = 1e-9 + 1e3 * self.match.unit
        others = [(there(other), other.match.shapes) for other in self.others]
        for at, said in self.scalars.items():
            for power, what in POWERS.items():
                measured = [
                    (c, self),
                    *((its, o) for (its, _), o in zip(others, self.others, strict=True)),
                ]
                if all(its is not None and abs(its / scalar_at(o, at) ** power - 1) < doubt
                       for its, o in measured):  # fmt: skip
                    said = said if abs(power) == 1 else squared(scalar_at(self, at), said)
                    return f"off by {said}, which {what}"
        named = factor_named(c, self.match.shapes, doubt, others)
        short = float(f"{c:.3g}")
        plain = self.match.unit < PRECISE and all(
            its is not None and abs(its - short) < 1e-9 * abs(short)
            for its in (c, *(its for its, _ in others))
        )
        return named or (f"multiplied by {short:g}" if plain else None)

    @cached_property
    def scalars(self) -> dict[int, str]:
        """The numbers that forward steps multiply by, in words: scales of attention."""
        steps = enumerate(self.tape.steps[: self.tape.boundary])
        said = {at: text for at, step in steps if (text := self.names.scalar(step)) is not None}
        return {at: text for at, text in said.items() if abs(scalar_at(self, at)) not in PLAIN}


def scalar_at(case: Case, at: int) -> float:
    """Return what a step multiplies by."""
    step = case.tape.steps[at]
    return float(step.args[1]) if step.name == "mul" else 1 / float(step.args[1])


def same_steps(one: Tape, other: Tape) -> bool:
    """Return whether two tapes have the same operations."""
    return [step.func for step in one.steps] == [step.func for step in other.steps]


def in_forward(case: Case) -> Iterator[Found]:
    """Yield the changed forward passes whose derivatives are the manual numbers."""
    budget, match = case.budget(), case.match
    for change in changes(case.tape, case.names):
        if not case.may_explain(change):
            continue
        if not budget.spend():
            return
        results = case.changed(change)
        if results is None or not match.fits(results) or match.changes_nothing(results):
            continue
        found = [explained(case, change, results)]
        if change.linear and found[0] is None:
            found = [scaled_path(case, change, results)]
        for one in found:
            if one is not None:
                if one.rank == 0:
                    budget.found()
                yield one


def explained(case: Case, change: Change, results: Tensors) -> Found | None:
    """Return what a change explains: everything, with factors besides, or in one pass alone."""
    match = case.match

    def text() -> str:
        return sentence(case.tape, case.names, change)

    found = tried(match, change.kind, text, results)
    if found is not None:
        return found
    if change.kind in BOTH:
        mixed = backward_only(case.tape, match, results)
        found = tried(match, change.kind, lambda: f"in the backward pass alone {text()}", mixed)
        if found is None:
            other = match.right | {n: results[n] for n in results if mixed[n] is match.right[n]}
            found = tried(match, change.kind, lambda: f"in the forward pass alone {text()}", other)
        if found is not None:
            return found
    factors = left_over(case, change, results)
    if not factors:
        return None
    beside = "".join(f", and {factor}" for factor in factors)
    return Found(change.kind, text() + beside, results, 1 + len(factors))


def backward_only(tape: Tape, match: Match, results: Tensors) -> Tensors:
    """Return the right outputs beside the gradients of a changed program."""
    made = made_forward(tape)
    return results | {n: match.right[n] for n, number in tape.results.items() if number in made}


def left_over(case: Case, change: Change, results: Tensors) -> list[str] | None:
    """Return the factors that single tensors still need; None if something else is left."""
    match, factors = case.match, []
    for name in match.right:
        if match.near(name, match.manual[name], results[name]):
            continue
        if match.coefficient(name, results[name]) is None:
            return None
        there = ((o.match.coefficient(name, changed[name]), o.match.shapes)
                 for o in case.others if (changed := o.changed(change)) is not None)  # fmt: skip
        found = match.factor(name, results[name], there)
        if found is None or found[1] is None:
            return None
        factors.append(f"{name} is {found[1]}")
    return factors if len(factors) < len(match.right) - 1 else None


def scaled_path(case: Case, change: Change, cut: Tensors) -> Found | None:
    """Return the path that is not cut but multiplied: gradients are linear in what flows."""
    c = share(case.match, cut, case.match.right)
    if c is None or abs(c) < 1e-6 or abs(c - 1) < 1e-9:
        return None
    found = tried(case.match, "factor", "", between(cut, case.match.right, c))
    if found is None:
        return None

    def there(other: Case) -> float | None:
        results = other.changed(change)
        return None if results is None else share(other.match, results, other.match.right)

    text = case.form(c, there)
    step = case.tape.steps[change.at]
    plain = text is None or text == f"multiplied by {c:.3g}"
    scalar = case.names.scalar(step) if plain and change.kind == "cut" else None
    if scalar is not None:
        number = float(step.args[1])
        taken = c * number if step.name == "mul" else number / c
        if abs(taken - float(f"{taken:.4g}")) < 1e-9 * abs(taken) and case.match.unit < PRECISE:
            said = f"{scalar} is taken to be {taken:.4g} in the backward pass"
            said = f"{found.sentence}{said}{case.names.place(step)}"
            return Found("value", said, found.results, found.rank)
    if text is None:
        return None
    through = step.args[change.argument] if change.kind == "edge" else None
    part = change.other if change.kind == "part" and isinstance(change.other, int) else 0
    noun = (
        case.names.noun(step.outs[part]) if through is None else case.names.detail(through.number)
    )
    inside = "" if through is None else f" in {case.names.noun(step.outs[0])}"
    said = f"what flows back through {noun}{inside} is {text}{case.names.place(step)}"
    if text == WRONG_SIGN and any(case.names.angle(ref.number) == "sin" for ref in step.refs()):
        said = f"in the backward pass {NOT_UNDONE}: {said}"
    return Found("factor", found.sentence + said, found.results, found.rank)


def in_values(case: Case) -> Iterator[Found]:
    """Yield the other numbers of the forward pass that give the manual numbers."""
    budget = case.budget()
    with torch.no_grad(), as_written():
        for other in others(case.tape, case.names):
            if not case.reach.by_value([other.number]):
                continue
            if not budget.spend():
                return
            try:
                for results, said in readings(case.tape, other):
                    found = tried(case.match, "value", said, results)
                    if found is not None:
                        yield found
                        break
            except IMPOSSIBLE:
                continue
        for results, said in itertools.chain(
            pairs_exchanged(case.tape, case.names), turned(case.tape, case.names, case.reach)
        ):
            found = tried(case.match, "value", said, results) if budget.spend() else None
            if found is not None:
                yield found


def in_backward(case: Case) -> Iterator[Found]:
    """Yield the slips of the backward pass that give the manual numbers."""
    budget, match = case.budget(), case.match
    with torch.no_grad(), as_written():
        for slip in slips(case.tape, case.names, case.reach):
            if not budget.spend():
                return
            results = slipped(case, slip)
            if results is None or not match.fits(results):
                continue
            compares = case.tape.steps[slip.at].name in COMPARISONS
            kind = "comparison" if compares else "backward"
            found = tried(match, kind, slip.sentence, results)
            if found is None and slip.removed is not None:
                found = in_place(case, slip, results)
            if found is not None:
                if found.rank == 0:
                    budget.found()
                yield found


def slipped(case: Case, slip: Slip) -> Tensors | None:
    """Return the numbers of a slip."""
    try:
        return results_of(case.tape, slip)
    except IMPOSSIBLE:
        return None


def in_place(case: Case, slip: Slip, results: Mapping[str, Tensor]) -> Found | None:
    """Return the constant that stands where a slip has removed a factor."""
    zero = slipped(case, Slip(slip.at, tuple(0 * out for out in slip.outs), slip.sentence))
    c = None if zero is None else share(case.match, zero, results)
    if zero is None or c is None or abs(c) < 1e-9:
        return None
    found = tried(case.match, "backward", "", between(zero, results, c))
    text = None if found is None else case.form(c, lambda other: in_place_there(other, case, slip))
    if found is None or text is None:
        return None
    said = f"{slip.sentence}, and what is left is {text}"
    said = said if not found.rank else said.removeprefix("in the backward pass ")
    return Found("factor", found.sentence + said, found.results, 1 + found.rank)


def in_place_there(other: Case, case: Case, slip: Slip) -> float | None:
    """Return the constant at other shapes, where the same slip is made."""
    index = [one.sentence for one in single_result(case.tape, case.names, slip.at)].index(
        slip.sentence
    )
    its = next(itertools.islice(single_result(other.tape, other.names, slip.at), index, None), None)
    results = None if its is None else slipped(other, its)
    if its is None or results is None:
        return None
    zero = slipped(other, Slip(its.at, tuple(0 * out for out in its.outs), ""))
    return None if zero is None else share(other.match, zero, results)

"""The reference written down at one point, and the numbers that a changed one is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Tensor

from compare.layers.analysed import as_tensors
from compare.layers.judged import Judged
from compare.layers.names.change import Change
from compare.layers.names.forms import MOST_DOUBT, factor_named, squared
from compare.layers.names.forward import changed_program, rerun_program
from compare.layers.names.friendly import Names
from compare.layers.names.match import Match
from compare.layers.names.reach import Reach
from compare.layers.names.tape import Step, Tape, record
from compare.layers.names.trial import Budget
from compare.layers.program import Program, Tensors, as_written

BOTH = ("omitted", "unbounded", "correction", "scaled", "axes", "function", "parts",
        "sibling parts", "operand", "split", "lengths", "joined", "permuted", "triangle",
        "factors")  # fmt: skip
"""Changes of a value: a backward pass that computes it anew may have them for itself."""
PLAIN = (1.0, 2.0, 0.5)
POWERS = {-1: "is missing", 1: "stands once too often", -2: "is missing",
          2: "stands once too often"}  # fmt: skip
OFF_BY = "off by "
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
        doubt = min(1e-9 + 1e3 * self.match.unit, MOST_DOUBT)
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
                    return f"{OFF_BY}{said}, which {what}"
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

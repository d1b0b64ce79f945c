"""What a changed step can change at all: its descendants, and the gradients of its ancestors.

A mistake that explains the numbers reaches every wrong tensor, but for those that are a multiple of
the right ones, which may have a mistake of their own. All other changes need not be run.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from compare.layers.names.match import Match
from compare.layers.names.tape import Tape


class Reach:
    """Sets of results as bits of a number, one set for each value of the tape."""

    def __init__(self, tape: Tape, match: Match) -> None:
        self.tape = tape
        self.bits = {name: 1 << place for place, name in enumerate(tape.results)}
        self.outputs = sum(self.bits[name] for name in match.outputs)
        self.due = sum(
            self.bits[name] for name in match.wrong
            if match.coefficient(name, match.right[name]) is None
        )  # fmt: skip

    @cached_property
    def below(self) -> list[int]:
        """By value: the results that are computed from it, in both passes."""
        found = [0] * len(self.tape.values)
        for name, number in self.tape.results.items():
            found[number] |= self.bits[name]
        for step in reversed(self.tape.steps):
            made = 0
            for out in step.outs:
                made |= found[out] if out >= 0 else 0
            for ref in step.refs():
                found[ref.number] |= made
        return found

    @cached_property
    def above(self) -> list[int]:
        """By value of the forward pass: the gradients of the inputs that it is computed from."""
        found = [0] * len(self.tape.values)
        for name, number in self.tape.inputs.items():
            found[number] |= self.bits.get(f"d{name}", 0)
        for step in self.tape.steps[: self.tape.boundary]:
            given = 0
            for ref in step.refs():
                given |= found[ref.number]
            for out in step.outs:
                if out >= 0:
                    found[out] |= given
        return found

    def by_value(self, numbers: Iterable[int]) -> bool:
        """Return whether other values at these places may change all that is wrong."""
        return self.covers(self.below, numbers)

    def by_second_pass(self, numbers: Iterable[int]) -> bool:
        """Return whether other values may that the backward pass alone is given."""
        return not self.outputs & self.due and self.by_value(numbers)

    def by_derivative(self, numbers: Iterable[int]) -> bool:
        """Return whether other derivatives of these values may."""
        return self.covers(self.above, numbers)

    def by_both(self, numbers: Iterable[int]) -> bool:
        """Return whether other values with other derivatives may."""
        numbers = list(numbers)
        found = 0
        for number in numbers:
            found |= self.below[number] | self.above[number]
        return found & self.due == self.due

    def covers(self, sets: list[int], numbers: Iterable[int]) -> bool:
        """Return whether the sets of some values contain all that is wrong."""
        found = 0
        for number in numbers:
            found |= sets[number]
        return found & self.due == self.due

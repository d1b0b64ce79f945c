"""Off by one in time: the backward pass of a loop reads what the next step has, or the one before.

Or another sequence at the same step: queries in the place of keys.

Values that a loop makes one after another, and the slices of an input along an axis, are sequences.
Where the backward pass reads one in the same way at several steps, all its readings are moved on by
one; at the end it reads what was there before the loop, the same entry again, or the other end.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from compare.layers.names.changes import Loops
from compare.layers.names.friendly import Names
from compare.layers.names.reach import Reach
from compare.layers.names.recognised import COPIES
from compare.layers.names.repeats import IMPOSSIBLE
from compare.layers.names.tape import Ref, Step, Tape, rerun_changing, resolved
from compare.layers.names.values import with_gradients
from compare.layers.program import Tensors

FEWEST = 3
"""Steps from which on a loop is one."""
ENDS = ("before", "same", "around")


@dataclass(frozen=True)
class Reading:
    """An operand of a backward step: entry `position` of a sequence, seen through `views`."""

    at: int
    place: int
    position: int
    views: tuple[Step, ...]


@dataclass
class Sequence:
    """Values in the order of time, with what was there before the first, if that is read."""

    values: list[Tensor]
    number: int
    noun: str
    readings: dict[Any, list[Reading]] = field(default_factory=dict)
    before: Tensor | None = None

    def moved(self, position: int, by: int, end: str) -> Tensor:
        """Return the entry that is read in the place of another one."""
        there = position + by
        if 0 <= there < len(self.values):
            return self.values[there]
        if end == "before" and there < 0:
            return torch.zeros_like(self.values[0]) if self.before is None else self.before
        if end == "around":
            return self.values[there % len(self.values)]
        here = min(max(position, 0), len(self.values) - 1)
        return self.values[here] if position >= 0 or self.before is None else self.before


def shifted(tape: Tape, names: Names, reach: Reach) -> Iterator[tuple[Tensors, str]]:
    """Yield the gradients where one kind of reading is off by one in time."""
    for sequence in sequences(tape, names):
        for readings in sequence.readings.values():
            if len({r.position for r in readings}) < FEWEST - 1:
                continue
            if not reach.by_value(tape.steps[r.at].outs[0] for r in readings):
                continue
            result = names.noun(tape.steps[readings[0].at].outs[0], 1)
            for by, which in ((1, "the next step"), (-1, "the step before")):
                said = (
                    f"in the backward pass {result} reads {sequence.noun} of {which}: "
                    "it is off by one in time"
                )
                for end in ENDS:
                    try:
                        yield with_gradients(tape, run(tape, sequence, readings, by, end)), said
                    except IMPOSSIBLE:
                        continue


def exchanged(tape: Tape, names: Names, reach: Reach) -> Iterator[tuple[Tensors, str]]:
    """Yield the gradients where one kind of reading is of another sequence, at the same steps."""
    found = sequences(tape, names)
    for sequence, other in itertools.permutations(found, 2):
        if not alike(sequence, other):
            continue
        for readings in sequence.readings.values():
            inside = [r for r in readings if r.position >= 0]
            outs = [tape.steps[r.at].outs[0] for r in inside]
            if len({r.position for r in inside}) < FEWEST - 1 or not reach.by_value(outs):
                continue
            taken, due = names.apart(other.number, sequence.number)
            result = names.noun(outs[0], 1)
            said = f"in the backward pass {result} reads {taken} in place of {due}, at every step"
            try:
                yield with_gradients(tape, run(tape, other, inside, 0, "same")), said
            except IMPOSSIBLE:
                continue


def alike(one: Sequence, other: Sequence) -> bool:
    """Return whether two sequences go together step by step, and are not the same."""
    return (
        len(one.values) == len(other.values)
        and one.values[0].shape == other.values[0].shape
        and not all(torch.equal(a, b) for a, b in zip(one.values, other.values, strict=True))
    )


def run(
    tape: Tape, sequence: Sequence, readings: list[Reading], by: int, end: str
) -> dict[int, Any]:
    """Run the backward pass with these readings moved, or of this sequence."""
    new: dict[int, dict[int, Tensor]] = {}
    for one in readings:
        taken = sequence.moved(one.position, by, end)
        for view in one.views:
            taken = view.func(taken, *view.args[1:], **view.kwargs)
        new.setdefault(one.at, {})[one.place] = taken

    def way(at: int) -> Any:
        step, places = tape.steps[at], new[at]

        def done(value: Any) -> Any:
            args = [places.get(n, resolved(a, value)) for n, a in enumerate(step.args)]
            return step.func(*args, **resolved(step.kwargs, value))

        return done

    return rerun_changing(tape, {at: way(at) for at in new})


def sequences(tape: Tape, names: Names) -> list[Sequence]:
    """Return the sequences of the forward pass with how the backward pass reads them."""
    found = [*made_by_loops(tape, names), *slices(tape, names)]
    where = {number: (sequence, position) for numbers, sequence in found
             for number, position in numbers.items()}  # fmt: skip
    outside: dict[Any, list[tuple[Reading, int]]] = {}
    for at in range(tape.boundary, len(tape.steps)):
        step = tape.steps[at]
        if len(step.outs) != 1 or step.several or step.func.is_view or step.name in COPIES:
            continue
        for place, argument in enumerate(step.args):
            if not isinstance(argument, Ref):
                continue
            root, views = looked_through(names, argument.number, where)
            turned = tuple(view.name for view in views if view.name not in COPIES)
            key = step.func, turned, tuple(tape.values[argument.number].shape)
            if root in where:
                sequence, position = where[root]
                reading = Reading(at, place, position, views)
                sequence.readings.setdefault(key, []).append(reading)
            elif names.maker.get(root, -1) < tape.boundary:
                reading = Reading(at, place, -1, views)
                outside.setdefault(key, []).append((reading, root))
    for _, sequence in found:
        first_entries(tape, sequence, outside)
    return [sequence for _, sequence in found]


def first_entries(
    tape: Tape, sequence: Sequence, outside: dict[Any, list[tuple[Reading, int]]]
) -> None:
    """Take in what is read as the entries are, once, and is none: what was there before.

    What is read at several steps is a parameter.
    """
    shape = sequence.values[0].shape
    for key, readings in sequence.readings.items():
        places = {r.place for r in readings}
        often = Counter(root for _, root in outside.get(key, []))
        others = [
            (reading, root)
            for reading, root in outside.get(key, [])
            if reading.place in places and often[root] == 1 and tape.values[root].shape == shape
        ]
        if len(others) == 1:
            sequence.before = tape.values[others[0][1]]
            readings.append(others[0][0])


def looked_through(
    names: Names, number: int, where: dict[int, Any]
) -> tuple[int, tuple[Step, ...]]:  # fmt: skip
    """Return what a value is a view of, back to an entry of a sequence, and the views."""
    views: list[Step] = []
    while number not in where:
        step = names.step_of(number)
        if step is None or step.several or not step.refs():
            break
        if not step.func.is_view and step.name not in COPIES:
            break
        views.insert(0, step)
        number = step.refs()[0].number
    return number, tuple(views)


def made_by_loops(tape: Tape, names: Names) -> Iterator[tuple[dict[int, int], Sequence]]:
    """Yield what the steps of the loops make, one after another."""
    loops = Loops(tape, names)
    for first, group in loops.group.items():
        outs = [tape.steps[at].outs[0] for at in group]
        one = tape.steps[first]
        if first != group[0] or len(group) < FEWEST or one.func.is_view or one.several:
            continue
        if min(outs) < 0 or not tape.values[outs[0]].is_floating_point():
            continue
        values = [tape.values[number].detach() for number in outs]
        numbers = {number: position for position, number in enumerate(outs)}
        yield numbers, Sequence(values, outs[-1], names.noun(outs[-1], 1))


def slices(tape: Tape, names: Names) -> Iterator[tuple[dict[int, int], Sequence]]:
    """Yield the slices of a value along an axis, of which several are taken."""
    taken: dict[tuple[int, int], dict[int, int]] = {}
    for step in tape.steps[: tape.boundary]:
        if step.name not in ("select", "unbind") or not isinstance(step.args[0], Ref):
            continue
        of = step.args[0].number
        axis = int(step.args[1] if len(step.args) > 1 else 0) % tape.values[of].dim()
        numbers = taken.setdefault((of, axis), {})
        if step.name == "unbind":
            numbers.update({number: position for position, number in enumerate(step.outs)})
        else:
            numbers[step.outs[0]] = int(step.args[2]) % tape.values[of].shape[axis]
    for (of, axis), numbers in taken.items():
        if len(set(numbers.values())) >= FEWEST and tape.values[of].is_floating_point():
            entries = list(torch.unbind(tape.values[of].detach(), axis))
            yield numbers, Sequence(entries, of, names.noun(of, 1))

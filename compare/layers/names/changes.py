"""Every change of the forward pass that is tried, the simplest kinds first.

Paths are cut, slopes left out, the parts of a value exchanged, operands turned or taken from
elsewhere; and where the reference has a loop, at all of its steps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from compare.layers.names.arrangements import arrangements
from compare.layers.names.change import BUT_FIRST, BUT_LAST, Change
from compare.layers.names.forward import ancestors
from compare.layers.names.friendly import Names, is_epsilon
from compare.layers.names.kinds import FUNCTIONS, SLOPES, TURNS
from compare.layers.names.moments import other_correction
from compare.layers.names.tape import Ref, Step, Tape, same_shapes
from compare.layers.rules import QUIET, aten

MOST_OTHERS = 40
MOST_PARTS = 8
"""Parts of a value that are different things, as gates are; more of them are a sequence."""
PARTS = frozenset("slice select narrow".split())


def changes(tape: Tape, names: Names) -> Iterator[Change]:
    """Yield every change of the forward pass, the simplest kinds first."""
    steps = [
        (number, step)
        for number, step in enumerate(tape.steps[: tape.boundary])
        if any(tape.values[ref.number].is_floating_point() for ref in step.refs())
        and all(out >= 0 for out in step.outs)
        and step.func.overloadpacket not in QUIET
    ]
    loops = Loops(tape, names)
    late: list[Change] = []
    for kind in (exchanges, paths, omissions, bare):
        for number, step in steps:
            for change in kind(tape, number, step):
                if not loops.repeats(change):
                    yield change
                else:
                    yield from loops.of(change)
                    late.append(change)
    for number, step in steps:
        for change in skips(tape, names, number, step):
            yield from loops.of(change) if loops.repeats(change) else ()
            yield change
    for number, step in steps:
        corrected = other_correction(tape, names, step)
        if corrected is not None:
            yield Change(number, "correction", other=corrected[1], factor=corrected[0])
        for change in special(tape, names, number, step):
            if loops.repeats(change):
                yield from itertools.islice(loops.of(change), 1)
                late.append(change)
            else:
                yield change
    for number, step in steps:
        yield from arrangements(tape, number, step)
    yield from late
    for number, step in steps:
        yield from exchanged(tape, number, step)


def paths(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield the paths through a step, cut: all of it, one result, one argument."""
    yield Change(number, "cut", first_ref(step), linear=True)
    for part in range(len(step.outs)) if step.several else []:
        yield Change(number, "part", first_ref(step), part, linear=True)
    places = direct(tape, step)
    for place in places if len(places) > 1 else []:
        yield Change(number, "edge", place, linear=True)


def omissions(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield a step without its derivative, and without itself."""
    shape = tape.values[step.outs[0]].shape
    if step.name in ("clamp", "hardtanh") and len(step.args) == 3 and None not in step.args:
        yield Change(number, "unbounded", 1)
        yield Change(number, "unbounded", 2)
    if step.name == "add" and is_epsilon(step.args[1]):
        return  # has its own words among the values
    for place in direct(tape, step):
        fits = value_of(tape, step, place).shape == shape or step.name in TURNS
        if fits and not step.several:
            if not adds(step, place):
                yield Change(number, "through", place)
            yield Change(number, "omitted", place)


def adds(step: Step, place: int) -> bool:
    """Return whether a step adds something to an argument, whose derivative 1 nobody leaves out.

    What flows to that argument alone is a cut path of the other one.
    """
    return not step.kwargs and (step.name == "add" or (step.name == "sub" and place == 0))


def skips(tape: Tape, names: Names, number: int, step: Step) -> Iterator[Change]:
    """Yield a rotation that passes its gradient on unchanged to what was rotated."""
    if step.several or step.func.is_view or not tape.values[step.outs[0]].dim():
        return
    if names.is_rotation(step.outs[0]):
        for place in range(len(ancestors(tape, step))):
            yield Change(number, "skip", axes=(place,))


def bare(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield a product one of whose factors is missing in the gradient of the other."""
    if step.name == "mul" and len(step.refs()) == 2 and step.args[0] != step.args[1]:
        for place in (0, 1):
            if value_of(tape, step, place).shape == tape.values[step.outs[0]].shape:
                yield Change(number, "bare", place)


def exchanges(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield two parts of a value that get each other's gradient: the gates of a cell."""
    if step.several:
        for one, other in pairs_of(len(step.outs)):
            shapes = {tape.values[step.outs[part]].shape for part in (one, other)}
            if len(shapes) == 1 and tape.values[step.outs[one]].is_floating_point():
                yield Change(number, "exchanged", axes=(one, other))
                yield Change(number, "parts", axes=(one, other))
    elif step.func.is_view and step.name in PARTS:
        yield from siblings(tape, number, step)


def siblings(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield the exchange of a slice with a later one of the same value and shape."""
    shape = tape.values[step.outs[0]].shape
    family = [
        at for at in range(tape.boundary)
        if (other := tape.steps[at]).func is step.func and other.args[0] == step.args[0]
        and (other.args != step.args or at == number)
        and tape.values[other.outs[0]].shape == shape
    ]  # fmt: skip
    for first, second in pairs_of(len(family)):
        if family[first] == number:
            at = family[second]
            yield Change(number, "sibling", other=tape.steps[at], also=(at,))
            yield Change(number, "sibling parts", other=tape.steps[at], also=(at,))


def pairs_of(count: int) -> Iterator[tuple[int, int]]:
    """Yield every pair of parts; of many, the steps of a sequence, the first and the last ones."""
    pairs = [*itertools.combinations(range(count), 2)]
    last = count - 1
    yield from pairs if count <= MOST_PARTS else [(0, 1), (last - 1, last), (0, last)]


class Loops:
    """Finds the steps that a loop of the reference makes again and again.

    A line that a loop runs n times makes most of its steps n times; one that it makes 2 n times
    stands there twice.
    """

    def __init__(self, tape: Tape, names: Names) -> None:
        groups: dict[Any, list[int]] = {}
        self.keys: dict[int, Any] = {}
        for number, step in enumerate(tape.steps[: tape.boundary]):
            given = [ref.number for ref in step.refs() if names.is_given(ref.number)]
            known = tuple(names.noun(value) for value in given)
            shapes = tuple(tuple(tape.values[ref.number].shape) for ref in step.refs())
            key = (step.line, step.func, known, shapes)
            groups.setdefault(key, []).append(number)
            self.keys[number] = key
        self.groups = groups
        counts: dict[Any, list[int]] = {}
        for (line, *_), group in groups.items():
            counts.setdefault(line, []).append(len(group))
        self.group: dict[int, list[int]] = {}
        for (line, *_), group in groups.items():
            often = [n for n in counts[line] if n > 1]
            rounds = max(sorted(set(often)), key=often.count) if often else 1
            times = len(group) // rounds if len(group) % rounds == 0 else 1
            for at, number in enumerate(group):
                self.group[number] = group[at % times :: times]

    def repeats(self, change: Change) -> bool:
        """Return whether the step of a change is one of several."""
        return len(self.group[change.at]) > 1 and not change.kind.startswith("sibling")

    def of(self, change: Change) -> Iterator[Change]:
        """Yield a change made at every step of its loop, or at all but the first or the last."""
        group = self.group[change.at]
        if change.at != group[0]:
            return
        others = ((BUT_FIRST, group[1:]), (BUT_LAST, group[:-1]))
        whole = BUT_FIRST if self.begins_apart(group[0]) else ""
        for said, taken in ((whole, group), *(() if whole else others)):
            if len(taken) > 1:
                twice = taken is group and in_a_row(group)
                where = "" if twice else f", at every step {said}".rstrip()
                yield replace(change, at=taken[0], also=tuple(taken[1:]), steps=where)

    def begins_apart(self, first: int) -> bool:
        """Return whether one more round came before, which reads an input for the state."""
        key = self.keys[first]
        return any(
            (other[0], other[1], other[3]) == (key[0], key[1], key[3])
            and len(group) == 1 and group[0] < first
            and len(other[2]) > len(key[2]) and set(key[2]) <= set(other[2])
            for other, group in self.groups.items()
        )  # fmt: skip


def in_a_row(numbers: Sequence[int]) -> bool:
    """Return whether steps follow each other at once, as of a function that does the same twice."""
    return list(numbers) == list(range(numbers[0], numbers[-1] + 1))


def special(tape: Tape, names: Names, number: int, step: Step) -> Iterator[Change]:
    """Yield turned and flipped operands, other slopes, other axes."""
    yield from over_other_axes(tape, number, step)
    if step.name in ("mul", "div") and len(step.refs()) == 1:
        for n in sorted(names.sizes):
            for said, factor in ((f"√{n}", math.sqrt(n)), (f"{n}", float(n))):
                yield Change(number, "scaled", other=f"multiplied by {said}", factor=factor)
                yield Change(number, "scaled", other=f"divided by {said}", factor=1 / factor)
    for place in direct(tape, step):
        value = value_of(tape, step, place)
        if step.name in ("mm", "bmm") and value.shape[-1] == value.shape[-2]:
            yield Change(number, "elsewhere", place, "transposed")
        if step.func.overloadpacket is aten.convolution and place == 1:
            yield Change(number, "elsewhere", place, "flipped")
            if value.dim() > 3 and value.shape[-1] == value.shape[-2]:
                yield Change(number, "elsewhere", place, "transposed")
    out = tape.values[step.outs[0]]
    if step.several or step.func.is_view or not out.is_floating_point():
        return
    places = direct(tape, step)
    if names.is_softmax(step):
        for kind in ("softmax", "row sum", "diagonal", "unweighted", "unscaled"):
            yield Change(number, kind)
    logits = names.logits_of(step)
    if logits is not None:
        yield Change(number, "log row sum", other=logits)
    for function in FUNCTIONS if step.name == "erf" else ():
        yield Change(number, "function", other=function)
    if step.name == "mul" and len(places) == 2 and step.args[0] != step.args[1]:
        if value_of(tape, step, 0).shape == value_of(tape, step, 1).shape:
            yield Change(number, "swapped")
    for slope in SLOPES:
        if bool((SLOPES[slope](out) == 1).all()):
            continue  # that is the slope left out
        yield Change(number, "times", first_ref(step), slope)
        if step.name in ("add", "clamp_min") and is_epsilon(step.args[1]):
            continue  # a derivative of 1, which nobody writes
        shape = tape.values[step.outs[0]].shape
        if len(places) == 1 and value_of(tape, step, places[0]).shape == shape:
            yield Change(number, "slope", places[0], slope)
            yield Change(number, "slope at", places[0], slope)


def over_other_axes(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield means, variances and sums that keep their axes, over every other choice of axes."""
    if step.name not in ("mean", "var_mean", "sum", "var") or not isinstance(step.args[0], Ref):
        return
    x, out = value_of(tape, step, 0), tape.values[step.outs[0]]
    if len(step.args) < 2 or not isinstance(step.args[1], list) or out.dim() != x.dim():
        return
    due = sorted(axis % x.dim() for axis in step.args[1])
    for count in range(1, x.dim() + 1):
        for axes in itertools.combinations(range(x.dim()), count):
            if list(axes) != due:
                yield Change(number, "axes", axes=axes)


def exchanged(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield other values of the same shape in the place of an operand, in the backward pass."""
    places = direct(tape, step)
    if step.several or step.func.is_view or step.name in ("add", "sub"):
        return
    if (
        len(places) == 1
        and value_of(tape, step, places[0]).shape != tape.values[step.outs[0]].shape
    ):
        return  # a sum, say: its derivative does not depend on where it is taken
    for place in places:
        own = step.args[place].number
        others = same_shapes(tape, value_of(tape, step, place).shape, number + (len(places) == 1))
        for other in [o for o in others if o != own][:MOST_OTHERS]:
            yield Change(number, "elsewhere", place, other)


def direct(tape: Tape, step: Step) -> list[int]:
    """Return the places of floating tensors among a step's arguments."""
    return [
        place
        for place, argument in enumerate(step.args)
        if isinstance(argument, Ref) and tape.values[argument.number].is_floating_point()
    ]


def first_ref(step: Step) -> int:
    """Return the place of the first tensor among the arguments."""
    return next((n for n, a in enumerate(step.args) if isinstance(a, Ref)), 0)


def value_of(tape: Tape, step: Step, place: int) -> Tensor:
    """Return the value of an argument."""
    value: Tensor = tape.values[step.args[place].number]
    return value

"""Another number in the forward pass, with the backward pass as derived: ε, a mask, n - 1.

One forward step gives another value, and every step that reads it runs again, backward ones too.
Three things can come of it: both passes use the value, the forward pass alone, or the backward pass
alone, as where it computes anew what the forward pass had.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from compare.layers.names.changes import Loops
from compare.layers.names.friendly import Names, is_epsilon
from compare.layers.names.indices import is_index
from compare.layers.names.kinds import FUNCTIONS
from compare.layers.names.moments import other_correction
from compare.layers.names.reach import Reach
from compare.layers.names.recognised import COPIES
from compare.layers.names.tape import Ref, Step, Tape, rerun, resolved
from compare.layers.program import Tensors

NOT_UNDONE = "the rotation is made once more in place of undone"
FEWEST = 3
"""Rounds of a loop from which on its values are not changed one by one."""
EPSILONS = (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12)


@dataclass(frozen=True)
class Other:
    """A forward step's other value, with what it is, in a clause and its opposite."""

    at: int
    number: int
    value: Tensor
    clause: str


def others(tape: Tape, names: Names) -> Iterator[Other]:
    """Yield the other values that forward steps are given by mistake."""
    for at, step in enumerate(tape.steps[: tape.boundary]):
        if not step.outs or step.outs[0] < 0 or not tape.values[step.outs[0]].is_floating_point():
            continue
        for value, clause in of_step(tape, names, step):
            if value.shape == tape.values[step.outs[0]].shape:
                yield Other(at, step.outs[0], value, f"{clause}{names.place(step)}")


def of_step(tape: Tape, names: Names, step: Step) -> Iterator[tuple[Tensor, str]]:
    """Yield the other values of one step."""
    out = tape.values[step.outs[0]]
    corrected = other_correction(tape, names, step)
    if corrected is not None:
        yield out * corrected[0], corrected[1]
    if step.name == "add" and is_epsilon(step.args[1]):
        yield from epsilons(tape, names, step)
    elif step.name in ("sqrt", "rsqrt"):
        yield from epsilon_outside(tape, names, step)
    elif step.name in ("masked_fill", "where"):
        yield from masks(tape, names, step)
    elif step.name in ("index_add", "scatter_add", "index_put", "_index_put_impl"):
        yield from overwritten_sums(tape, step)
    elif step.name == "erf":
        z = tape.values[step.args[0].number]
        for said, function in FUNCTIONS.items():
            yield function(z), f"{said} is taken for erf(x/√2)"
    elif step.name in ("cumsum", "cumprod"):
        yield from running(tape, names, step)
    yield from squares(tape, names, step)


def squares(tape: Tape, names: Names, step: Step) -> Iterator[tuple[Tensor, str]]:
    """A square, or a number times one: without the second factor, or its absolute value."""
    places = [a for a in step.args if isinstance(a, Ref)]
    if step.name not in ("mul", "pow") or (step.name == "pow" and step.args[1] != 2):
        return
    x, of = tape.values[places[0].number], tape.values[places[-1].number]
    ratio = x.flatten() / of.flatten() if x.shape == of.shape else torch.zeros(0)
    if ratio.numel() > 1 and torch.allclose(ratio, ratio[:1], rtol=1e-12, atol=0.0):
        noun = names.noun(places[-1].number, 1)
        yield x.abs(), f"|{noun}| stands in place of its square"
        yield x, f"{noun} stands in place of its square"


def epsilons(tape: Tape, names: Names, step: Step) -> Iterator[tuple[Tensor, str]]:
    """The small number under a root: left out, or another one."""
    x, due = tape.values[step.args[0].number], float(step.args[1])
    noun = names.noun(step.args[0].number)
    made = names.step_of(step.args[0].number)
    if made is not None and made.name == "sqrt":
        under = torch.sqrt(tape.values[made.args[0].number] + due)
        yield under, f"{due:g} is added under the root, and not to it"
    yield x, f"{due:g} is not added to {noun}"
    for taken in EPSILONS:
        if taken != due:
            yield x + taken, f"{taken:g} is added to {noun} in place of {due:g}"


def epsilon_outside(tape: Tape, names: Names, step: Step) -> Iterator[tuple[Tensor, str]]:
    """The small number added to the root in place of under it."""
    made = names.step_of(step.args[0].number)
    if made is None or made.name != "add" or not is_epsilon(made.args[1]):
        return
    x, epsilon = tape.values[made.args[0].number], float(made.args[1])
    root = torch.sqrt(x) + epsilon
    noun = names.noun(made.args[0].number)
    said = f"{epsilon:g} is added to the root of {noun}, and not under it"
    yield (1 / root if step.name == "rsqrt" else root), said


def overwritten_sums(tape: Tape, step: Step) -> Iterator[tuple[Tensor, str]]:
    """Sums by index, where the last of several overwrites the others."""
    args = resolved(step.args, tape.values.__getitem__)
    said = "terms of repeated indices are overwritten in place of added"
    if step.name == "index_add":
        x, axis, index, source = args[:4]
        base = x.index_select(axis, index)
        yield x.index_copy(axis, index, base + source), said
        yield x.index_copy(axis, index, source), f"{said}, to what was there as well"
    elif step.name == "scatter_add":
        x, axis, index, source = args[:4]
        yield x.scatter(axis, index, x.gather(axis, index) + source), said
        yield x.scatter(axis, index, source), f"{said}, to what was there as well"
    elif len(args) > 3 and args[3]:
        yield torch.index_put(args[0], args[1], args[2], accumulate=False), said


def running(tape: Tape, names: Names, step: Step) -> Iterator[tuple[Tensor, str]]:
    """A running sum or product the other way round, or without the entry itself."""
    x, axis = tape.values[step.args[0].number], step.args[1]
    noun = names.noun(step.outs[0])
    function = torch.cumsum if step.name == "cumsum" else torch.cumprod
    yield function(x.flip(axis), axis).flip(axis), f"{noun} goes in the wrong direction"
    if step.name == "cumsum":
        yield function(x, axis) - x, f"{noun} leaves out the entry itself"


def turned(tape: Tape, names: Names, reach: Reach) -> Iterator[tuple[Tensors, str]]:
    """Yield the gradients with a value turned, flipped or of the wrong sign in the second pass."""
    read = {ref.number for step in tape.steps[tape.boundary :] for ref in step.refs()}
    made = made_forward(tape)
    given = [n for n in tape.inputs.values() if tape.values[n].is_floating_point()]
    for numbers in of_loops(tape, names, [*given, *sorted(n for n in read & made)]):
        number, value = numbers[0], tape.values[numbers[0]]
        if not reach.by_second_pass(numbers):
            continue
        if not value.is_floating_point() or not value.dim() or value.numel() < 2:
            continue
        step = names.step_of(number)
        if step is not None and (step.func.is_view or step.name in COPIES):
            continue
        noun = names.noun(number)
        if names.angle(number) == "sin":
            noun = f"{NOT_UNDONE}: {noun}"
        for ways in zip(*(turns(tape.values[n], noun) for n in numbers), strict=True):
            other, said = ways[0]
            if torch.equal(other, value):
                continue
            said += ", at every step" if len(numbers) > 1 else ""
            new = {n: way[0] for n, way in zip(numbers, ways, strict=True)}
            yield backward_with(tape, new), f"in the backward pass {said}"
            if len(numbers) == 1 and (number in read or number in tape.inputs.values()):
                first = names.maker.get(number, -1)
                changed = rerun(tape, first + 1, {number: other}, first)
                yield with_gradients(tape, changed), f"in the backward pass {said}"


def of_loops(tape: Tape, names: Names, numbers: list[int]) -> Iterator[list[int]]:
    """Yield values one by one, and those that a loop makes, one in every round, together."""
    loops, among, seen = Loops(tape, names), set(numbers), set[int]()
    for number in numbers:
        if number in seen:
            continue
        group = loops.group.get(names.maker.get(number, -1), [])
        made = [tape.steps[at].outs[0] for at in group]
        together = len(made) >= FEWEST and number in made and among.issuperset(made)
        seen.update(made if together else [number])
        yield made if together else [number]


def pairs_exchanged(tape: Tape, names: Names) -> Iterator[tuple[Tensors, str]]:
    """Yield the gradients where the backward pass has two inputs exchanged."""
    given = [n for n in tape.inputs.values() if tape.values[n].is_floating_point()]
    for one, other in itertools.combinations(given, 2):
        a, b = tape.values[one], tape.values[other]
        if a.shape == b.shape and not torch.equal(a, b):
            said = f"{names.noun(one)} and {names.noun(other)} are exchanged"
            yield backward_with(tape, {one: b, other: a}), f"in the backward pass {said}"
            yield from everywhere(tape, (one, other), said)
    whole = [n for n in tape.inputs.values() if is_index(tape.values[n])]
    for one, other in itertools.combinations(whole, 2):
        a, b = tape.values[one], tape.values[other]
        if a.shape == b.shape and not torch.equal(a, b):
            said = f"in the backward pass {names.noun(one)} and {names.noun(other)} are exchanged"
            yield backward_with(tape, {one: b, other: a}), said


def everywhere(tape: Tape, pair: tuple[int, int], said: str) -> Iterator[tuple[Tensors, str]]:
    """Yield what comes of two inputs exchanged in both passes, and in the first alone."""
    one, other = pair
    try:
        new = rerun(tape, 0, {one: tape.values[other], other: tape.values[one]}, -1)
    except (RuntimeError, IndexError):
        return
    due = {name: tape.values[number].detach() for name, number in tape.results.items()}
    results = {n: new.get(at, tape.values[at]).detach() for n, at in tape.results.items()}
    swapped = [f"d{name}" for name, at in tape.inputs.items() if at in pair]
    if all(name in results for name in swapped):
        a, b = swapped
        results[a], results[b] = results[b], results[a]
    yield results, said
    made = made_forward(tape)
    forward = {n: results[n] for n, at in tape.results.items() if at in made}
    yield due | forward, f"in the forward pass alone {said}"


def turns(value: Tensor, noun: str) -> Iterator[tuple[Tensor, str]]:
    """Yield a value with the other sign, with axes exchanged, with the order of one reversed."""
    yield -value, f"{noun} has the wrong sign"
    for one, other in itertools.combinations(range(value.dim()), 2):
        if value.shape[one] == value.shape[other]:
            said = f"axes {one} and {other} of {noun} are exchanged"
            said = f"{noun} is transposed" if value.dim() == 2 else said
            yield value.transpose(one, other), said
    for axis in range(value.dim()):
        yield value.flip(axis), f"{noun} is reversed along axis {axis}"


def without_dy(tape: Tape, names: Names) -> Iterator[tuple[Tensors, str]]:
    """Yield the gradients where the loss of every sample counts once: dy is 1, not what it is."""
    for name, number in tape.inputs.items():
        dy = tape.values[number]
        if name.startswith("dy of ") and dy.is_floating_point():
            said = f"{names.noun(number)} is left out: 1 stands in its place"
            ones = {number: torch.ones_like(dy)}
            yield backward_with(tape, ones), f"in the backward pass {said}"


def backward_with(tape: Tape, new: dict[int, Tensor]) -> Tensors:
    """Return the right outputs, and the gradients where the backward pass has other values."""
    changed = dict(new)
    for step in tape.steps[: tape.boundary]:
        copies = step.func.is_view or step.name in COPIES
        if copies and not step.several and step.refs() and step.refs()[0].number in changed:
            args = resolved(step.args, lambda at: changed.get(at, tape.values[at]))
            changed[step.outs[0]] = step.func(*args, **step.kwargs)
    return with_gradients(tape, rerun(tape, tape.boundary, dict(changed), -1))


def with_gradients(tape: Tape, after: dict[int, Tensor]) -> Tensors:
    """Return the right outputs beside the gradients of changed values."""
    forward = made_forward(tape)
    return {name: (tape.values[at] if at in forward else after.get(at, tape.values[at])).detach()
            for name, at in tape.results.items()}  # fmt: skip


def masks(tape: Tape, names: Names, step: Step) -> Iterator[tuple[Tensor, str]]:
    """A mask: left out, or with 0 in the place of what is excluded."""
    out = tape.values[step.outs[0]]
    branches = [step.args[0]] if step.name == "masked_fill" else list(step.args[1:])
    kept = [a for a in branches if isinstance(a, Ref) and not names.is_constant(a.number)]
    if len(kept) == 1:
        yield tape.values[kept[0].number].expand_as(out), "the mask is left out"
    excluded = ~torch.isfinite(out) | (out <= -1e4)
    if bool(excluded.any()):
        yield torch.where(excluded, 0.0, out), "what the mask excludes is set to 0 in place of -∞"


def readings(tape: Tape, other: Other) -> Iterator[tuple[Tensors, str]]:
    """Yield what comes of another value: in both passes, in one, in the other."""
    changed = rerun(tape, other.at + 1, {other.number: other.value}, other.at)
    due = {name: tape.values[number].detach() for name, number in tape.results.items()}
    new = {name: changed.get(number, tape.values[number]).detach()
           for name, number in tape.results.items()}  # fmt: skip
    forward = [name for name, number in tape.results.items() if number in made_forward(tape)]
    yield new, other.clause
    yield new | {name: due[name] for name in forward}, f"in the backward pass {other.clause}"
    yield due | {name: new[name] for name in forward}, f"in the forward pass alone {other.clause}"


def made_forward(tape: Tape) -> set[int]:
    """Return the values that the forward pass made."""
    return {out for step in tape.steps[: tape.boundary] for out in step.outs}

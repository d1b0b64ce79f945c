"""Wrong derivatives: the forward pass with one step changed, and differentiated again.

A path cut or multiplied, a slope left out, put in twice or taken from another function, an operand
exchanged, turned or flipped, an operation left out of both passes. What the changed program gives
must be the manual side's numbers, all of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compare.layers.names.friendly import MASKS, Names
from compare.layers.names.moments import other_correction
from compare.layers.names.tape import Ref, Step, Tape, run_forward, same_shapes
from compare.layers.program import Program, Tensors
from compare.layers.rules import aten

SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "1 - y²": lambda y: 1 - y * y,
    "1 - y": lambda y: 1 - y,
    "y (1 - y)": lambda y: y * (1 - y),
    "y": lambda y: y,
    "y > 0": lambda y: (y > 0).to(y.dtype),
    "1/y": lambda y: 1 / y,
}
"""What people multiply a gradient by once too often, or in place of the right slope."""
MOST_OTHERS = 40


@dataclass(frozen=True)
class Change:
    """One changed step: `kind`, of the argument at `argument`, with `other` (a value or a word)."""

    at: int
    kind: str
    argument: int = 0
    other: int | str | None = None
    linear: bool = False
    axes: tuple[int, ...] = ()
    factor: float = 1.0

    def __call__(self, values: dict[int, Any], step: Step, args: Any, kwargs: Any) -> Any:
        """Return what the changed step computes."""
        given = args[self.argument] if isinstance(args[self.argument], Tensor) else None
        run: Callable[..., Any] = step.func
        if self.kind == "edge":
            return run(*replaced(args, self.argument, args[self.argument].detach()), **kwargs)
        if self.kind == "cut":
            return detached(run(*args, **kwargs))
        if self.kind == "part":
            outs = run(*args, **kwargs)
            return tuple(o.detach() if n == self.other else o for n, o in enumerate(outs))
        if self.kind in ("correction", "scaled"):
            return rescaled(run(*args, **kwargs), self.factor)
        if self.kind == "axes":
            return run(args[0], list(self.axes), *args[2:], **kwargs)
        assert given is not None
        if self.kind == "omitted":
            return given
        if self.kind == "diagonal":
            return diagonal(args[0], args[1])
        if self.kind == "swapped":
            a, b = (argument.detach() for argument in args[:2])
            return (a * b) + a * (args[0] - a) + b * (args[1] - b)
        if self.kind == "through":
            return run(*args, **kwargs).detach() + (given - given.detach())
        if self.kind == "times":
            out = run(*args, **kwargs)
            slope = SLOPES[str(self.other)](out.detach())
            return out.detach() + slope * (out - out.detach())
        if self.kind == "slope":
            out = run(*args, **kwargs).detach()
            return out + SLOPES[str(self.other)](out) * (given - given.detach())
        if self.kind == "slope at":
            out = run(*args, **kwargs).detach()
            return out + SLOPES[str(self.other)](given.detach()) * (given - given.detach())
        return self.elsewhere(values, run, args, kwargs)

    def elsewhere(self, values: dict[int, Any], run: Any, args: Any, kwargs: Any) -> Any:
        """Differentiate with another value in the place of one argument."""
        given = args[self.argument].detach()
        if self.other == "transposed":
            taken = given.transpose(-1, -2)
        elif self.other == "flipped":
            taken = given.flip(-1, -2) if given.dim() > 3 else given.flip(-1)
        else:
            assert isinstance(self.other, int)
            taken = values[self.other].detach()
        here = tuple(a.detach() if isinstance(a, Tensor) else a for a in args)
        out = run(*here, **kwargs)
        if sum(isinstance(a, Tensor) for a in args) == 1:  # f'(w) in place of f'(a)
            leaf = taken.clone().requires_grad_()
            with torch.enable_grad():
                moved = run(*replaced(here, self.argument, leaf), **kwargs)
                (slope,) = torch.autograd.grad(moved.sum(), leaf)
            return out + slope * (args[self.argument] - given)
        only = run(*replaced(here, self.argument, args[self.argument]), **kwargs)
        rest = run(*replaced(args, self.argument, taken), **kwargs)
        return only + (rest - rest.detach())


def replaced(args: Any, at: int, value: Any) -> Any:
    """Return arguments with one of them replaced."""
    return tuple(value if number == at else argument for number, argument in enumerate(args))


def diagonal(e: Tensor, total: Tensor) -> Tensor:
    """Return p = e / total with the derivative p (1 - p) with respect to the logarithm of e."""
    p, here = (e / total).detach(), e.detach()
    slope = torch.where(here > 0, p * (1 - p) / here, 0.0)
    return p + slope * (e - here)


def rescaled(out: Any, factor: float) -> Any:
    """Return a result, or the first of several, times a factor."""
    return out * factor if isinstance(out, Tensor) else (out[0] * factor, *out[1:])


def detached(out: Any) -> Any:
    """Return a result that no gradient flows through."""
    return out.detach() if isinstance(out, Tensor) else type(out)(o.detach() for o in out)


def changes(tape: Tape, names: Names) -> Iterator[Change]:
    """Yield every change of the forward pass, the simplest kinds first."""
    steps = [
        (number, step)
        for number, step in enumerate(tape.steps[: tape.boundary])
        if any(tape.values[ref.number].is_floating_point() for ref in step.refs())
        and all(out >= 0 for out in step.outs)
    ]
    for number, step in steps:
        yield Change(number, "cut", first_ref(step), linear=True)
        for part in range(len(step.outs)) if step.several else []:
            yield Change(number, "part", first_ref(step), part, linear=True)
        places = direct(tape, step)
        for place in places if len(places) > 1 else []:
            yield Change(number, "edge", place, linear=True)
    for number, step in steps:
        shape = tape.values[step.outs[0]].shape
        for place in direct(tape, step):
            if value_of(tape, step, place).shape == shape and not step.several:
                yield Change(number, "through", place)
                yield Change(number, "omitted", place)
    for number, step in steps:
        corrected = other_correction(tape, names, step)
        if corrected is not None:
            yield Change(number, "correction", other=corrected[1], factor=corrected[0])
        yield from special(tape, names, number, step)
    for number, step in steps:
        yield from exchanged(tape, number, step)


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
        yield Change(number, "diagonal")
    if step.name == "mul" and len(places) == 2 and step.args[0] != step.args[1]:
        if value_of(tape, step, 0).shape == value_of(tape, step, 1).shape:
            yield Change(number, "swapped")
    for slope in SLOPES:
        if bool((SLOPES[slope](out) == 1).all()):
            continue  # that is the slope left out
        yield Change(number, "times", first_ref(step), slope)
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


def changed_program(
    program: Program, tape: Tape, change: Change, inputs: Tensors, dy: Tensors | None
) -> Tensors:
    """Return outputs and gradients of the forward pass with one step changed."""
    leaves = {name: inputs[name].detach().requires_grad_() for name in program.wrt}
    made: dict[int, Any] = {}

    def apply(number: int, step: Step, args: Any, kwargs: Any) -> Any:
        if number != change.at:
            return None
        return change(made, step, args, kwargs)

    if isinstance(change.other, int) and change.kind == "elsewhere":
        made = dict(enumerate(tape.values))
    with torch.enable_grad():
        values = run_forward(tape, inputs | leaves, apply)
    outputs = {
        name: values[number] for name, number in tape.results.items()
        if not (name.startswith("d") and name[1:] in leaves)
    }  # fmt: skip
    found = {name: y.detach() for name, y in outputs.items()}
    return found | program.gradients(leaves, outputs, dy)


def is_mask(names: Names, step: Step) -> bool:
    """Return whether a step replaces entries by a constant."""
    return step.name in MASKS and names.masked(step, 1) is not None


def sentence(tape: Tape, names: Names, change: Change) -> str:
    """Say what a change is, in the words of the field."""
    step = tape.steps[change.at]
    result = names.noun(step.outs[0])
    place = names.place(step)
    argument = step.args[change.argument] if change.argument < len(step.args) else None
    given = names.noun(argument.number) if isinstance(argument, Ref) else str(argument)
    if change.kind == "cut":
        nouns = " and ".join(dict.fromkeys(names.noun(out) for out in step.outs[::-1]))
        return f"the gradient does not flow through {nouns}{place}"
    if change.kind == "part" and isinstance(change.other, int):
        return f"the gradient does not flow through {names.noun(step.outs[change.other])}{place}"
    if change.kind == "edge":
        return f"the gradient does not flow through {given} in {result}{place}"
    if change.kind == "correction":
        return f"{change.other}{place}"
    if change.kind == "scaled":
        return f"{result} is {change.other} once too often{place}"
    if change.kind == "swapped":
        return f"the backward pass of {result} exchanges its two factors{place}"
    if change.kind == "axes":
        due, taken = (", ".join(map(str, axes)) for axes in (step.args[1], change.axes))
        return f"{result} is taken over axis {taken} in place of {due}{place}"
    scalar = names.scalar(step)
    if change.kind == "through" and scalar is not None:
        return f"{scalar} is left out of the backward pass{place}"
    if change.kind == "omitted" and scalar is not None:
        return f"{scalar} is left out{place}"
    if change.kind == "through" and is_mask(names, step):
        return f"the mask is left out of the backward pass{place}"
    if change.kind == "omitted" and is_mask(names, step):
        return f"the mask is left out{place}"
    if change.kind == "through":
        return f"the derivative of {result} is left out of the backward pass{place}"
    if change.kind == "omitted":
        return f"{result} is left out: {given} stands in its place{place}"
    if change.kind == "times":
        return f"the gradient of y = {result} is multiplied by {change.other} once too often{place}"
    if change.kind == "slope" and (result, change.other) == ("the softmax", "y"):
        return f"the row sum is missing in the derivative of the softmax{place}"
    if change.kind == "diagonal" or (
        change.kind == "slope" and (result, change.other) == ("the softmax", "y (1 - y)")
    ):
        return f"of the softmax's derivative only the diagonal p (1 - p) is taken{place}"
    if change.kind == "slope":
        return f"the derivative of y = {result} is taken to be {change.other}{place}"
    if change.kind == "slope at":
        other = str(change.other).replace("y", "x")
        return f"the derivative of {result} at x = {given} is taken to be {other}{place}"
    if isinstance(change.other, str):
        return f"the backward pass of {result} uses {given} {change.other}{place}"
    assert change.other is not None
    assert isinstance(argument, Ref)
    other, given = names.apart(change.other, argument.number)
    return f"the backward pass of {result} uses {other} in place of {given}{place}"

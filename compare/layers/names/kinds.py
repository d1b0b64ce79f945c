"""What a changed step computes in the forward pass: one function for each kind of change.

A value with another derivative is written `out.detach() + (x - x.detach())`: the number of the one,
the gradient of the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compare.layers.names.change import Change, Here
from compare.layers.names.moments import Normalised, Terms
from compare.layers.names.softmax_kinds import (
    diagonal,
    log_row_sum,
    row_sum,
    softmax,
    unscaled,
    unweighted,
)
from compare.layers.names.tape import Step, resolved

SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "1 - y²": lambda y: 1 - y * y,
    "1 - y": lambda y: 1 - y,
    "y (1 - y)": lambda y: y * (1 - y),
    "y": lambda y: y,
    "y > 0": lambda y: (y > 0).to(y.dtype),
    "1/y": lambda y: 1 / y,
}
"""What people multiply a gradient by once too often, or in place of the right slope."""
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh(√(2/π) (x + 0.044715 x³))": lambda z: torch.tanh(
        math.sqrt(2 / math.pi) * (math.sqrt(2) * z + 0.044715 * (math.sqrt(2) * z) ** 3)
    ),
    "2 σ(1.702 x) - 1": lambda z: 2 * torch.sigmoid(1.702 * math.sqrt(2) * z) - 1,
}
"""What people take for erf(x / √2)."""
TURNS = frozenset("t transpose permute".split())
"""Steps that exchange axes: where they are forgotten, a reshape may hide it."""

Kind = Callable[[Change, Here], Any]


def edge(change: Change, here: Here) -> Any:
    """A path that is cut at one argument."""
    return here.run_with(change.argument, here.args[change.argument].detach())


def cut(change: Change, here: Here) -> Any:
    """A path that is cut behind the step."""
    out = here.run()
    return out.detach() if isinstance(out, Tensor) else type(out)(o.detach() for o in out)


def part(change: Change, here: Here) -> Any:
    """A path that is cut behind one of several results."""
    return tuple(o.detach() if n == change.other else o for n, o in enumerate(here.run()))


def scalar(change: Change, here: Here) -> Any:
    """Another number in the place of one."""
    return here.run_with(change.argument, change.factor)


def triangle(change: Change, here: Here) -> Any:
    """A mask that is constant along diagonals, with each of them at its neighbour's place."""
    mask = here.args[change.argument]
    rows, columns = mask.shape[-2:]
    along = torch.cat([mask[..., 1:, 0].flip(-1), mask[..., 0, :]], -1)  # from the lowest diagonal
    place = torch.arange(columns) - torch.arange(rows)[:, None] + rows - 1 - int(change.factor)
    return here.run_with(change.argument, along[..., place.clamp(0, rows + columns - 2)])


def exchanged(change: Change, here: Here) -> Any:
    """Several results, of which two get each other's gradient."""
    outs, (one, other) = here.run(), change.axes
    a, b = outs[one], outs[other]
    new = {one: a.detach() + (b - b.detach()), other: b.detach() + (a - a.detach())}
    return tuple(new.get(at, out) for at, out in enumerate(outs))


def parts(change: Change, here: Here) -> Any:
    """Several results, of which two are exchanged."""
    outs, (one, other) = list(here.run()), change.axes
    outs[one], outs[other] = outs[other], outs[one]
    return tuple(outs)


def sibling_parts(change: Change, here: Here) -> Any:
    """Another slice of the same value."""
    assert isinstance(change.other, Step)
    return change.other.func(here.args[0], *change.other.args[1:], **change.other.kwargs)


def sibling(change: Change, here: Here) -> Any:
    """A slice with the gradient of another one."""
    there = sibling_parts(change, here)
    return here.run().detach() + (there - there.detach())


def rescaled(change: Change, here: Here) -> Any:
    """A result, or the first of several, times a factor."""
    out = here.run()
    if isinstance(out, Tensor):
        return out * change.factor
    return (out[0] * change.factor, *out[1:])


def axes(change: Change, here: Here) -> Any:
    """A mean, variance or sum over other axes."""
    return here.step.func(here.args[0], list(change.axes), *here.args[2:], **here.kwargs)


def axes_of_derivative(change: Change, here: Here) -> Any:
    """A normalised x with `dx = (dh - mean dh - h mean(dh h)) / s` over other axes."""
    assert isinstance(change.other, int)
    h, scale = here.run().detach(), here.args[1].detach()
    inverse = scale if here.step.name == "mul" else 1 / scale
    shape = change.apart or h.shape
    x, h, inverse = (
        each.expand_as(h).reshape(shape) for each in (here.live[change.other], h, inverse)
    )
    terms = Terms(change.axes, change.axes)
    changed: Tensor = Normalised.apply(x, h, inverse, terms)  # type: ignore[no-untyped-call]
    return changed.reshape(here.live[change.other].shape)


def terms_of_derivative(change: Change, here: Here) -> Any:
    """A normalised x with other terms in its derivative, which `terms` says."""
    assert isinstance(change.other, int)
    assert change.terms is not None
    h, scale = here.run().detach(), here.args[1].detach()
    inverse = (scale if here.step.name == "mul" else 1 / scale).expand_as(h)
    given = here.live[change.other], h, inverse, change.terms
    return Normalised.apply(*given)  # type: ignore[no-untyped-call]


def times(change: Change, here: Here) -> Any:
    """A slope once too often."""
    out = here.run()
    return out.detach() + SLOPES[str(change.other)](out.detach()) * (out - out.detach())


def omitted(change: Change, here: Here) -> Any:
    """The argument in the place of the result."""
    given = here.args[change.argument]
    return given.reshape(here.run().shape) if here.step.name in TURNS else given


def unbounded(change: Change, here: Here) -> Any:
    """A clamped value without one of its two bounds."""
    return here.run_with(change.argument, None)


def through(change: Change, here: Here) -> Any:
    """The result with the derivative left out."""
    given, out = here.args[change.argument], here.run().detach()
    if here.step.name in TURNS:
        return out + (given - given.detach()).reshape(out.shape)
    return out + (given - given.detach())


def slope(change: Change, here: Here) -> Any:
    """Another slope, as a function of the result."""
    given, out = here.args[change.argument], here.run().detach()
    return out + SLOPES[str(change.other)](out) * (given - given.detach())


def slope_at(change: Change, here: Here) -> Any:
    """Another slope, as a function of the argument."""
    given, out = here.args[change.argument], here.run().detach()
    return out + SLOPES[str(change.other)](given.detach()) * (given - given.detach())


def function(change: Change, here: Here) -> Any:
    """Another function in the place of one."""
    return FUNCTIONS[str(change.other)](here.args[change.argument])


def swapped(change: Change, here: Here) -> Any:
    """A product each of whose factors gets its own multiple of the gradient."""
    a, b = (argument.detach() for argument in here.args[:2])
    return (a * b) + a * (here.args[0] - a) + b * (here.args[1] - b)


def bare(change: Change, here: Here) -> Any:
    """A product one of whose factors is missing in the gradient of the other."""
    given = here.args[change.argument]
    return here.run_with(change.argument, given.detach()) + (given - given.detach())


def operand(change: Change, here: Here) -> Any:
    """An operand turned or flipped in both passes."""
    return here.run_with(change.argument, turned(here.args[change.argument], str(change.other)))


def turned(given: Tensor, how: str) -> Tensor:
    """Return an operand `transposed`, or `flipped` as a kernel is."""
    if how == "transposed":
        return given.transpose(-1, -2)
    return given.flip(-1, -2) if given.dim() > 3 else given.flip(-1)


def elsewhere(change: Change, here: Here) -> Any:
    """The derivative with another value in the place of one argument."""
    given = here.args[change.argument].detach()
    if isinstance(change.other, str):
        taken = turned(given, change.other)
    else:
        assert isinstance(change.other, int)
        taken = here.recorded[change.other].detach()
    known = tuple(a.detach() if isinstance(a, Tensor) else a for a in here.args)
    if sum(isinstance(a, Tensor) for a in here.args) == 1:  # f'(w) in place of f'(a)
        leaf = taken.clone().requires_grad_()
        with torch.enable_grad():
            moved = here.run_with(change.argument, leaf)
            (slope,) = torch.autograd.grad(moved.sum(), leaf)
        out = here.step.func(*known, **here.kwargs)
        return out + slope * (here.args[change.argument] - given)
    only = here._replace(args=known).run_with(change.argument, here.args[change.argument])
    rest = here.run_with(change.argument, taken)
    return only + (rest - rest.detach())


def split(change: Change, here: Here) -> Any:
    """An axis taken apart in another order of its factors, which then stand where they are due."""
    first, order = change.argument, change.axes
    shape = list(here.run().shape)
    places = [first + at for at in order]
    taken = [*shape[:first], *(shape[at] for at in places), *shape[first + len(order) :]]
    back = list(range(len(shape)))
    for at, place in enumerate(places):
        back[place] = first + at
    return here.args[0].reshape(taken).permute(back)


def exchanged_lengths(change: Change, here: Here) -> Any:
    """An axis taken apart into parts of each other's lengths, by which all that follows goes."""
    first, shape = change.argument, list(here.run().shape)
    shape[first : first + len(change.axes)] = [shape[first + at] for at in change.axes]
    return here.args[0].reshape(shape)


def joined(change: Change, here: Here) -> Any:
    """Axes put into one in another order."""
    first, order = change.argument, change.axes
    x = here.args[0]
    permuted = list(range(x.dim()))
    permuted[first : first + len(order)] = [first + at for at in order]
    return x.permute(permuted).reshape(here.run().shape)


def permuted(change: Change, here: Here) -> Any:
    """A permutation with two of its axes exchanged; what follows reads it as if it were right."""
    dims, (one, other) = list(here.args[1]), change.axes
    dims[one], dims[other] = dims[other], dims[one]
    return here.args[0].permute(dims).reshape(here.run().shape)


def factors(change: Change, here: Here) -> Any:
    """A sum or difference of two products, each with a factor of the other one."""
    assert isinstance(change.other, tuple)
    a, b = ([*resolved(step.args[:2], here.live.__getitem__)] for step in change.other)
    one, other = change.axes
    a[one], b[other] = b[other], a[one]
    return here.step.func(a[0] * a[1], b[0] * b[1])


KINDS: dict[str, Kind] = {
    "edge": edge, "cut": cut, "part": part, "scalar": scalar, "triangle": triangle,
    "exchanged": exchanged, "parts": parts, "sibling": sibling, "sibling parts": sibling_parts,
    "correction": rescaled, "scaled": rescaled, "axes": axes,
    "axes of the derivative": axes_of_derivative, "terms of the derivative": terms_of_derivative,
    "times": times, "omitted": omitted,
    "unbounded": unbounded, "through": through, "slope": slope, "slope at": slope_at,
    "function": function,
    "swapped": swapped, "bare": bare, "diagonal": diagonal, "softmax": softmax,
    "row sum": row_sum, "unweighted": unweighted, "unscaled": unscaled,
    "operand": operand, "elsewhere": elsewhere,
    "split": split,
    "log row sum": log_row_sum,
    "lengths": exchanged_lengths, "joined": joined, "permuted": permuted, "factors": factors,
}  # fmt: skip
"""By kind of change: what the changed step computes."""

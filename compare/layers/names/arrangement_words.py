"""The words for other axes or terms of a norm, and for values that stand where they must not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from compare.layers.names.change import Change
from compare.layers.names.friendly import Names
from compare.layers.names.tape import Step


def axes(names: Names, step: Step, change: Change) -> str:
    """A mean or sum over other axes."""
    due, taken = (", ".join(map(str, each)) for each in (step.args[1], change.axes))
    return f"{names.noun(step.outs[0])} is taken over axis {taken} in place of {due}"


def axes_of_derivative(names: Names, step: Step, change: Change) -> str:
    """A normalised value whose backward pass takes its means over other axes."""
    taken = ", ".join(map(str, change.axes))
    x, scale = (names.tape.values[ref.number] for ref in step.refs()[:2])
    axes = [str(axis) for axis in range(x.dim()) if scale.shape[axis] != x.shape[axis]]
    where = f"axis {taken} in place of {', '.join(axes)}"
    if change.apart:
        due = x.numel() // scale.numel()
        n = math.prod(change.apart[axis] for axis in change.axes)
        shape = "×".join(map(str, change.apart))
        where = f"axis {taken} of {shape}: {n} entries each, in place of {due}"
    return f"in the backward pass of {names.noun(step.outs[0])} the means are over {where}"


def terms_of_derivative(names: Names, step: Step, change: Change) -> str:
    """A normalised value with another term in its backward pass."""
    assert change.terms is not None
    assert isinstance(change.other, int)
    terms, made = change.terms, names.noun(step.outs[0])
    shape, by = (names.tape.values[ref.number].shape for ref in step.refs()[:2])
    due = tuple(axis for axis in range(len(shape)) if by[axis] != shape[axis])
    of = "dh - mean dh - h mean(dh h)" if terms.centred else "dh - h mean(dh h)"
    said = f"in the backward pass of h = {made}, ({of}) / s, "
    if not (terms.before and terms.within):
        return said + f"h is missing {'in' if terms.before else 'before'} the mean of dh h"
    mean = "dh" if terms.along == due else "dh h"
    axes = terms.mean if terms.along == due else terms.along
    taken, right = (", ".join(map(str, each)) for each in (axes, due))
    return said + f"the mean of {mean} is over axis {taken} in place of {right}"


def split(names: Names, step: Step, change: Change) -> str:
    """An axis taken apart in another order."""
    first, shape = change.argument, names.tape.values[step.outs[0]].shape
    due, taken = lengths(shape, first, change.axes)
    of = names.noun(step.refs()[0].number)
    return f"axis {first} of {of} is taken apart as {taken} in place of {due}"


def exchanged_lengths(names: Names, step: Step, change: Change) -> str:
    """An axis taken apart into parts of each other's lengths."""
    first, shape = change.argument, names.tape.values[step.outs[0]].shape
    due, _ = lengths(shape, first, change.axes)
    of = names.noun(step.refs()[0].number)
    return f"the lengths {due}, into which axis {first} of {of} is taken apart, are exchanged"


def joined(names: Names, step: Step, change: Change) -> str:
    """Axes put into one in another order."""
    number = step.refs()[0].number
    due, taken = lengths(names.tape.values[number].shape, change.argument, change.axes)
    of = names.noun(number)
    return f"axes of {of} are put into one as {taken} in place of {due}"


def lengths(shape: Sequence[int], first: int, order: tuple[int, ...]) -> tuple[str, str]:
    """Return the lengths of some axes in their order and in another one, numbered if equal."""
    of = [shape[first + at] for at in range(len(order))]
    marks = ["'" * of[:at].count(length) for at, length in enumerate(of)]
    said = [f"{length}{mark}" for length, mark in zip(of, marks, strict=True)]
    return "×".join(said), "×".join(said[at] for at in order)


def permuted(names: Names, step: Step, change: Change) -> str:
    """Two axes of a permutation exchanged."""
    one, other = change.axes
    of = names.noun(step.refs()[0].number)
    return f"axes {one} and {other} of the permuted {of} are exchanged"


def triangle(names: Names, step: Step, change: Change) -> str:
    """A mask of diagonals that is off by one."""
    way = "to the right" if change.factor > 0 else "to the left"
    return f"the triangle of the mask is off by one, {way}"


def operand(names: Names, step: Step, change: Change) -> str:
    """An operand turned or flipped in both passes."""
    return f"{names.given(step, change.argument)} is {change.other} in {names.noun(step.outs[0])}"


def factors(names: Names, step: Step, change: Change) -> str:
    """Two factors exchanged between the products of a sum."""
    assert isinstance(change.other, tuple)
    one, other = (
        names.part(product.args[at], 1)
        for product, at in zip(change.other, change.axes, strict=True)
    )
    return f"{one} and {other} are exchanged in {names.noun(step.outs[0])}"

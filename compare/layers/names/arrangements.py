"""Values that stand elsewhere than they must, in both passes: axes, triangles, factors, kernels.

Heads or pixels taken apart in another order, a causal mask off by one, a kernel flipped, the two
weights of a mixture exchanged: right derivatives of another function.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from compare.layers.names.change import Change
from compare.layers.names.moments import Terms
from compare.layers.names.tape import Ref, Step, Tape
from compare.layers.rules import aten

MOST_FACTORS = 3
"""An axis taken apart into more parts has too many orders."""
FAR_BELOW = -1e4
"""What is added to a score to exclude it."""
MOST_BELOW_ROOT = 3
"""Steps from a root back to the mean under it: ε, a view, a root before a reciprocal."""
ROOTS = ("sqrt", "rsqrt", "reciprocal")
MATRIX_PRODUCTS = ("mm", "bmm")


def arrangements(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield other arrangements of what one step reads or makes."""
    if step.several or not step.refs():
        return
    yield from regroupings(tape, number, step)
    yield from triangles(tape, number, step)
    yield from mixtures(tape, number, step)
    yield from operands(tape, number, step)
    yield from normalised(tape, number, step)


def regroupings(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield axes taken apart, put together or permuted in another order."""
    before, after = (list(tape.values[n].shape) for n in (step.refs()[0].number, step.outs[0]))
    if step.name == "permute":
        for pair in itertools.combinations(range(len(after)), 2):
            yield Change(number, "permuted", axes=pair)
    elif step.func.is_view or step.name in ("_unsafe_view", "reshape"):
        for kind, whole, apart in (("split", before, after), ("joined", after, before)):
            found = factored(whole, apart)
            if found is not None:
                for order in itertools.islice(itertools.permutations(range(found[1])), 1, None):
                    yield Change(number, kind, found[0], axes=order)
                    taken = [apart[found[0] + at] for at in order]
                    if kind == "split" and taken != apart[found[0] : found[0] + found[1]]:
                        yield Change(number, "lengths", found[0], axes=order)


def factored(whole: list[int], apart: list[int]) -> tuple[int, int] | None:
    """Return which axis of a shape is several in the other, (axis, parts); None if none is."""
    parts = len(apart) - len(whole) + 1
    if not 2 <= parts <= MOST_FACTORS:
        return None
    for axis, length in enumerate(whole):
        factors = apart[axis : axis + parts]
        beside = whole[:axis] == apart[:axis] and whole[axis + 1 :] == apart[axis + parts :]
        if beside and prod(factors) == length and min(factors) > 1:
            return axis, parts
    return None


def triangles(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield a mask of diagonals that is off by one."""
    for place in mask_places(tape, step):
        for by in (1, -1):
            yield Change(number, "triangle", place, factor=by)


def mask_places(tape: Tape, step: Step) -> Iterator[int]:
    """Yield the places of masks of diagonals among a step's arguments."""
    for place, argument in enumerate(step.args):
        if not isinstance(argument, Ref):
            continue
        value = tape.values[argument.number]
        masks = (step.name, place) in (("masked_fill", 1), ("where", 0))
        if not masks and step.name == "add":
            masks = value.is_floating_point() and bool((value <= FAR_BELOW).any())
        if masks and is_of_diagonals(value):
            yield place


def is_of_diagonals(mask: Tensor) -> bool:
    """Return whether a mask is constant along its diagonals, and not everywhere."""
    if mask.dim() < 2 or min(mask.shape[-2:]) < 2:
        return False
    return torch.equal(mask[..., 1:, 1:], mask[..., :-1, :-1]) and bool(
        (mask != mask.flatten()[0]).any()
    )


def mixtures(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield a sum of two products that have exchanged a factor: `z h + (1 - z) n`."""
    if step.name not in ("add", "sub") or len(step.refs()) != 2 or len(step.args) != 2:
        return
    made = [tape.maker.get(ref.number) for ref in step.refs()]
    if None in made or made[0] == made[1]:
        return
    one, two = (tape.steps[at] for at in made if at is not None)
    if any(each.name != "mul" or len(each.refs()) != 2 for each in (one, two)):
        return
    for a, b in ((0, 0), (0, 1)):
        shapes = {tape.values[each.args[at].number].shape for each, at in ((one, a), (two, b))}
        if len(shapes) == 1 and one.args[a] != two.args[b]:
            yield Change(number, "factors", other=(one, two), axes=(a, b))


def operands(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield a square matrix transposed, a kernel flipped or transposed."""
    for place, argument in enumerate(step.args):
        if not isinstance(argument, Ref):
            continue
        value = tape.values[argument.number]
        square = value.dim() > 1 and value.shape[-1] == value.shape[-2]
        kernel = step.func.overloadpacket is aten.convolution and place == 1
        if kernel:
            yield Change(number, "operand", place, "flipped")
        if square and ((kernel and value.dim() > 3) or step.name in MATRIX_PRODUCTS):
            yield Change(number, "operand", place, "transposed")


def normalised(tape: Tape, number: int, step: Step) -> Iterator[Change]:
    """Yield a normalised value with other axes or terms in its backward pass."""
    found = normalisation(tape, step)
    if found is None:
        return
    x, due, centred = found
    dimensions = tape.values[x].dim()
    for axes in choices(dimensions) if centred else ():
        if axes != due:
            yield Change(number, "axes of the derivative", other=x, axes=axes)
    shape = before_views(tape, x) if centred else []
    apart = refined(list(tape.values[x].shape), shape) if len(shape) > 1 else ()
    for axes in choices(len(apart)):
        if prod(apart[axis] for axis in axes) > 1:
            yield Change(number, "axes of the derivative", other=x, axes=axes, apart=apart)
    for terms in other_terms(dimensions, due, centred):
        yield Change(number, "terms of the derivative", other=x, terms=terms)


def other_terms(dimensions: int, due: tuple[int, ...], centred: bool) -> Iterator[Terms]:
    """Yield the terms of a normalised value with one of them another one."""
    yield Terms(due, due, centred, before=False)
    yield Terms(due, due, centred, within=False)
    for axes in choices(dimensions):
        if axes != due:
            yield Terms(due, axes, centred)
            if centred:
                yield Terms(axes, due)


def normalisation(tape: Tape, step: Step) -> tuple[int, tuple[int, ...], bool] | None:
    """Return what a step normalises, over which axes, and whether its mean is taken off."""
    if step.name not in ("mul", "div") or len(step.refs()) != 2:
        return None
    value, scale = (ref.number for ref in step.refs())
    root = tape.steps[tape.maker[scale]] if scale in tape.maker else None
    if (
        root is None
        or root.name not in ROOTS
        or tape.values[scale].dim() != tape.values[value].dim()
    ):
        return None
    shape, by = tape.values[value].shape, tape.values[scale].shape
    due = tuple(axis for axis in range(len(shape)) if by[axis] != shape[axis])
    made = tape.steps[tape.maker[value]] if value in tape.maker else None
    if made is not None and made.name == "sub" and len(made.refs()) == 2:
        x, mean = (ref.number for ref in made.refs())
        moments = tape.steps[tape.maker[mean]] if mean in tape.maker else None
        is_mean = moments is not None and moments.name in ("mean", "var_mean")
        return (x, due, True) if is_mean else None
    return (value, due, False) if due and has_mean_square(tape, root, value) else None


def has_mean_square(tape: Tape, root: Step, value: int) -> bool:
    """Return whether a root is one of a mean of the squares of a value."""
    number = root.refs()[0].number
    for _ in range(MOST_BELOW_ROOT):
        made = tape.steps[tape.maker[number]] if number in tape.maker else None
        if made is None or not made.refs():
            return False
        number = made.refs()[0].number
        if made.name == "mean":
            square = tape.steps[tape.maker[number]] if number in tape.maker else None
            return square is not None and {ref.number for ref in square.refs()} == {value}
    return False


def choices(dimensions: int) -> Iterator[tuple[int, ...]]:
    """Yield every choice of axes, one at least."""
    for count in range(1, dimensions + 1):
        yield from itertools.combinations(range(dimensions), count)


def before_views(tape: Tape, number: int) -> list[int]:
    """Return the shape that a value had before it was viewed as it is; () if it was not."""
    due = tape.values[number].shape
    while (at := tape.maker.get(number)) is not None and tape.steps[at].func.is_view:
        number = tape.steps[at].refs()[0].number
        if tape.values[number].shape != due:
            return list(tape.values[number].shape)
    return []


def refined(one: list[int], other: list[int]) -> tuple[int, ...]:
    """Return the shape whose axes, put together, give both of two; () if there is none, or new."""
    ends = sorted({prod(shape[:at]) for shape in (one, other) for at in range(len(shape) + 1)})
    pairs = list(itertools.pairwise(ends))
    found = tuple(high // low for low, high in pairs)
    return found if prod(found) == prod(one) and list(found) != one and len(found) > 1 and all(
        high % low == 0 for low, high in pairs) else ()  # fmt: skip

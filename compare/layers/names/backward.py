"""Slips of the backward pass itself: one of its steps changed, and all that follows run again.

A term or factor left out, a sum over another axis, a mean in place of a sum, an operand turned or
exchanged, gradients of repeated indices overwritten in place of added.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compare.layers.names.factors import left_out, without_one_factor
from compare.layers.names.friendly import MASKS, Names
from compare.layers.names.indices import other_indices, put_back
from compare.layers.names.part_sums import partial_products, partial_sums
from compare.layers.names.reach import Reach
from compare.layers.names.recognised import COPIES
from compare.layers.names.tape import Ref, Step, Tape, rerun, resolved, same_shapes
from compare.layers.names.windows import (
    of_adaptive_pooling,
    of_convolution,
    of_mean_pooling,
    of_padding,
    of_pooling,
    of_upsampling,
)
from compare.layers.names.within_windows import of_columns, of_maxima
from compare.layers.program import Tensors

MOST_OTHERS = 40
FACTOR, DIVISION = "the factor", "the division by"
COMPARISONS = ("le", "lt", "ge", "gt")
PRODUCTS = ("mm", "bmm", "mul", "dot", "mv", *COMPARISONS)


@dataclass(frozen=True)
class Slip:
    """One changed step of the backward pass, with its new results and what it is.

    `removed`: the factor it leaves out, in whose place a constant may stand.
    """

    at: int
    outs: tuple[Any, ...]
    sentence: str
    removed: str | None = None


def slips(tape: Tape, names: Names, reach: Reach) -> Iterator[Slip]:
    """Yield every slip of the steps of the backward pass that reach what is wrong.

    Other values as operands come last.
    """
    numbers = [at for at in range(tape.boundary, len(tape.steps))
               if reach.by_value(out for out in tape.steps[at].outs if out >= 0)]  # fmt: skip
    for number in numbers:
        step = tape.steps[number]
        if step.name == "convolution_backward":
            args = resolved(step.args, tape.values.__getitem__)
            for outs, said in of_convolution(step, args):
                yield Slip(number, outs, f"{said}{names.place(step)}")
        yield from single_result(tape, names, number)
    for number in numbers:
        if is_single(tape, step := tape.steps[number]) and step.name in PRODUCTS:
            for out, said in operands(tape, names, number, step):
                yield Slip(number, (out,), f"in the backward pass {said}{names.place(step)}")


def is_single(tape: Tape, step: Step) -> bool:
    """Return whether a step makes one tensor, of floating ones."""
    if len(step.outs) != 1 or step.outs[0] < 0 or step.several:
        return False
    return any(tape.values[ref.number].is_floating_point() for ref in step.refs())


def single_result(tape: Tape, names: Names, number: int) -> Iterator[Slip]:
    """Yield the slips of a step that has one result, without other values as operands."""
    step = tape.steps[number]
    if not is_single(tape, step):
        return
    for out, said in of_step(names, step, tape.values.__getitem__):
        if isinstance(out, Tensor):
            removed = said if said.startswith((FACTOR, DIVISION, "the multiplication by")) else None
            sentence = f"in the backward pass {said}{names.place(step)}"
            yield Slip(number, (out,), sentence, removed)


def of_step(
    names: Names, step: Step, value: Callable[[int], Any]
) -> Iterator[tuple[Any, str]]:  # fmt: skip
    """Yield the slips of one step: its changed result, and the clause; of the values given."""
    args, kwargs = resolved(step.args, value), resolved(step.kwargs, value)
    due = value(step.outs[0])
    if step.name in ("add", "sub"):
        yield from terms(names, step, args, due)
    elif step.name in ("mul", "div", "where", "masked_fill"):
        yield from factors(names, step, args, due)
    elif step.name == "neg":
        yield args[0], "a minus sign is missing"
    elif step.name == "sum":
        yield from sums(names, step, args)
        yield from partial_sums(names, step, args)
    elif step.name == "max_pool2d_with_indices_backward":
        yield from of_pooling(args)
        yield from of_maxima(args)
    elif step.name == "col2im":
        yield from of_columns(args)
    elif step.name == "avg_pool2d_backward":
        yield from of_mean_pooling(args)
    elif step.name == "_adaptive_avg_pool2d_backward":
        yield from of_adaptive_pooling(args)
    elif step.name == "cumsum":
        yield from running_sums(args)
    elif step.name == "constant_pad_nd":
        yield from of_padding(step, args, names.gradient(step.outs[0]))
    elif step.name == "flip":
        yield args[0], "the reversed order is forgotten"
    elif step.func.is_view or step.name == "clone":
        yield from axes_exchanged(names, step, due)
    elif step.name in ("embedding_dense_backward", "index_put", "_index_put_impl", "scatter_add"):
        yield from overwritten(step, args, kwargs)
    elif step.name.startswith("upsample_nearest"):
        yield from of_upsampling(args)
    yield from other_indices(names, step, value)
    yield from put_back(names, step, value)
    if step.name in ("mm", "bmm"):
        yield from partial_products(names, step, args)
    if step.name in PRODUCTS:
        yield from turned_operands(names, step, args, kwargs)


def terms(names: Names, step: Step, args: Any, due: Tensor) -> Iterator[tuple[Any, str]]:
    """A sum of two terms: one is missing, or has the other sign."""
    a, b = args[0], args[1]
    sign = -1 if step.name == "sub" else 1
    said = [names.part(argument, 1) for argument in step.args[:2]]
    if isinstance(a, Tensor):
        yield a.expand_as(due), f"the term {said[1]} is missing beside {said[0]}"
    if isinstance(b, Tensor):
        yield (sign * b).expand_as(due), f"the term {said[0]} is missing beside {said[1]}"
    yield a - sign * b, f"the term {said[1]} has the wrong sign beside {said[0]}"


def factors(names: Names, step: Step, args: Any, due: Tensor) -> Iterator[tuple[Any, str]]:
    """A product, a quotient, or a mask: one factor is missing."""
    places = [1, 0] if step.name in ("mul", "div") else [1]
    for place in places:
        kept = args[place]
        left = 0 if place == 1 else 1
        if not isinstance(kept, Tensor) or (step.name == "div" and place == 1):
            continue
        try:
            out = kept.expand_as(due).to(due.dtype)
        except RuntimeError:
            continue
        said = "the mask"
        if step.name in ("mul", "div"):
            said = names.part(step.args[left], 2 if step.name == "div" else 1)
        by = "the multiplication by" if said.startswith("the ") and said != "the mask" else FACTOR
        by = DIVISION if step.name == "div" else by
        yield out, f"{by} {said} is missing"


def sums(names: Names, step: Step, args: Any) -> Iterator[tuple[Any, str]]:
    """A sum over axes: over others, as a mean, or not at all."""
    x = args[0]
    dims = list(args[1]) if len(args) > 1 and args[1] else list(range(x.dim()))
    keep = len(args) > 2 and bool(args[2])
    dims = [axis % x.dim() for axis in dims] if x.dim() else []
    said = names.terms(step.refs()[0].number)
    n = math.prod(x.shape[axis] for axis in dims)
    yield from sums_over_others(x, dims, keep, said)
    yield x.sum(dims, keep) / n if dims else None, f"the sum of {said} is a mean"
    for axis in range(x.dim()):
        if [axis] != dims and len(dims) == 1:
            clause = f"the sum of {said} runs over axis {axis} in place of {dims[0]}"
            yield x.sum([axis], keep), clause
            mean = x.sum([axis], keep) * (n / max(1, x.shape[axis]))
            yield mean, clause.replace("the sum", "the mean", 1)
    if keep and dims:
        yield x, f"{said} is not summed over axis {', '.join(map(str, dims))}"


def product(step: Step, args: Any, kwargs: Any, place: int, other: Tensor) -> Tensor:
    """Return what a step gives with another value at one place."""
    out: Tensor = step.func(*(other if n == place else a for n, a in enumerate(args)), **kwargs)
    return out


def turned_operands(
    names: Names, step: Step, args: Any, kwargs: Any
) -> Iterator[tuple[Tensor, str]]:  # fmt: skip
    """A product of matrices: an operand is turned."""
    for place, argument in enumerate(step.args):
        if not isinstance(argument, Ref) or step.name == "mul" or args[place].dim() < 2:
            continue
        turned = args[place].transpose(-1, -2)
        if turned.shape == args[place].shape:
            said = names.noun(argument.number, 1)
            yield product(step, args, kwargs, place, turned), (
                f"{said} is not transposed as it must be")  # fmt: skip


def operands(
    tape: Tape, names: Names, number: int, step: Step
) -> Iterator[tuple[Tensor, str]]:  # fmt: skip
    """A product: an operand is another value of the same shape."""
    args = resolved(step.args, tape.values.__getitem__)
    kwargs = resolved(step.kwargs, tape.values.__getitem__)
    result = names.noun(step.outs[0], 1)
    for place, argument in enumerate(step.args):
        if not isinstance(argument, Ref):
            continue
        for other, value_there in stand_ins(tape, names, number, argument.number):
            if step.name in COMPARISONS and is_one_number(value_there):
                continue
            taken, due = names.apart(other, argument.number)
            made = names.step_of(argument.number)
            clause = f"{taken} stands in place of {due} in {result}"
            if made is not None and made.name in MASKS and Ref(other) in made.refs():
                clause = f"the mask is missing in {result} of {taken}"
            elif (missing := left_out(names, argument.number, other)) is not None:
                clause = f"{missing} missing in {result}"
            yield product(step, args, kwargs, place, value_there), clause
        for left, rest in without_one_factor(names, argument.number):
            if step.name not in COMPARISONS:
                due = names.noun(argument.number)
                said = f"{due} stands without its factor {left} in {result}"
                yield product(step, args, kwargs, place, rest), said


def is_one_number(value: Tensor) -> bool:
    """Return whether all entries are equal."""
    return bool((value == value.flatten()[0]).all())


def stand_ins(
    tape: Tape, names: Names, before: int, number: int, depth: int = 3
) -> Iterator[tuple[int, Tensor]]:
    """Yield values that have the shape of one, or get it by the same views."""
    value = tape.values[number]
    for other in same_shapes(tape, value.shape, before)[:MOST_OTHERS]:
        if other != number and not torch.equal(tape.values[other], value):
            yield other, tape.values[other]
    made = names.step_of(number)
    if not depth or made is None or made.several or not made.refs():
        return
    if not made.func.is_view and made.name not in COPIES:
        return
    source = made.refs()[0].number
    if tape.values[source].shape == value.shape:
        return
    for other, taken in stand_ins(tape, names, before, source, depth - 1):
        turned = made.func(taken, *made.args[1:], **made.kwargs)
        if not torch.equal(turned, value):
            yield other, turned


def sums_over_others(
    x: Tensor, dims: list[int], keep: bool, said: str
) -> Iterator[tuple[Any, str]]:
    """A sum or a mean that runs over one axis more, or leaves one of several out."""
    n = math.prod(x.shape[axis] for axis in dims)
    for axis in range(x.dim()):
        more = axis not in dims
        if not dims or (not more and (len(dims) < 2 or not keep)) or x.shape[axis] < 2:
            continue
        taken = sorted({*dims, axis}) if more else [d for d in dims if d != axis]
        out = x.sum(taken, True)
        if more:
            shape = [1 if a in dims else size for a, size in enumerate(x.shape)]
            out = out.expand(shape)
            out = out if keep else out.squeeze(dims)
        where = ", ".join(map(str, taken))
        due = ", ".join(map(str, sorted(dims)))
        count = math.prod(x.shape[a] for a in taken)
        yield out * (n / count), f"the mean of {said} runs over axis {where} in place of {due}"
        yield out, f"the sum of {said} runs over axis {where} in place of {due}"


def running_sums(args: Any) -> Iterator[tuple[Any, str]]:
    """A running sum: the other way round, or without the entry itself."""
    x, axis = args[0], args[1]
    yield x.flip(axis).cumsum(axis).flip(axis), "the running sum goes in the wrong direction"
    yield x.cumsum(axis) - x, "the running sum leaves out the entry itself"
    yield x, "the running sum is left out"


def axes_exchanged(names: Names, step: Step, due: Tensor) -> Iterator[tuple[Any, str]]:
    """A value turned: two of its axes of equal length are exchanged."""
    for one, other in itertools.combinations(range(due.dim()), 2):
        if due.shape[one] == due.shape[other] > 1:
            noun = names.noun(step.outs[0], 1)
            yield due.transpose(one, other), f"axes {one} and {other} of {noun} are exchanged"


def overwritten(step: Step, args: Any, kwargs: Any) -> Iterator[tuple[Any, str]]:
    """Gradients of repeated indices: the last one overwrites the others."""
    said = "gradients of repeated indices are overwritten in place of added"
    if step.name == "embedding_dense_backward":
        dy, index, rows = args[0], args[1], args[2]
        out = torch.zeros(rows, dy.shape[-1], dtype=dy.dtype)
        for at, d in zip(index.flatten().tolist(), dy.reshape(-1, dy.shape[-1]), strict=True):
            out[at] = d
        kept = out.clone()
        if 0 <= args[3] < rows:
            kept[args[3]] = 0
            yield step.func(*args[:3], -1, *args[4:]), "the row of the padding index is not zeroed"
            yield out, f"{said}, and the row of the padding index is not zeroed"
        yield kept, said
    elif step.name == "scatter_add":
        yield torch.scatter(*args, **kwargs), said
    elif len(args) > 3 and args[3]:
        yield torch.index_put(args[0], args[1], args[2], accumulate=False), said


def results_of(tape: Tape, slip: Slip) -> Tensors:
    """Return outputs and gradients with one step of the backward pass changed."""
    numbers = tape.steps[slip.at].outs
    new = {n: out for n, out in zip(numbers, slip.outs, strict=True) if n >= 0}
    changed = rerun(tape, slip.at + 1, new, slip.at)
    return {
        name: changed.get(number, tape.values[number]).detach()
        for name, number in tape.results.items()
    }

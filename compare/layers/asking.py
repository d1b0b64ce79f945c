"""From what the caller gave to the points where the layer is judged, or one clear sentence.

Arrays make one point, in the format they have; shapes make several. The parameters of a module
that were not given are inputs all the same: with arrays they are tried at the values they have and
once more at drawn ones, because the usual first values (ones and zeros) hide most mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput
from compare.layers.points import (
    Asked,
    Point,
    drawn_points,
    format_of,
    is_shape,
    judged_format,
    read,
    rounded,
)
from compare.layers.program import Reference


@dataclass(frozen=True)
class Question:
    """Everything that is asked: the reference, the points, what is differentiated, dy if given."""

    reference: Reference
    asked: Asked
    points: tuple[Point, ...]
    wrt: tuple[str, ...]
    dy: Arrays | None
    notes: tuple[str, ...]


def question(
    reference: Any, inputs: Mapping[str, Any], dy: Any, wrt: Sequence[str] | None, seed: int
) -> Question:
    """Read the arguments of `check_layer`. Errors: `BadInput`."""
    if not isinstance(inputs, Mapping) or not inputs:
        raise BadInput("inputs must be a dictionary: an array or a shape by the name of each input")
    own = Reference.of(reference)
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise BadInput(f"seed is {seed!r}; give a whole number that is not negative")
    given = dict(inputs)
    shapes = {name: tuple(value) for name, value in given.items() if is_shape(value)}
    arrays = {name: read(name, value) for name, value in given.items() if name not in shapes}
    seeds = None if dy is None else dy_by_output(dy)
    missing = {name: p for name, p in own.parameters.items() if name not in given}
    order = (*given, *missing)
    handed = {name: value for name, value in given.items() if name not in shapes}
    seen = handed | (dict(raw_seeds(dy)) if dy is not None else {})
    tensors = any(isinstance(value, torch.Tensor) for value in seen.values())
    notes: tuple[str, ...] = ()
    if shapes:
        own_shapes = {name: tuple(p.shape) for name, p in missing.items()}
        drawn = Asked(arrays, shapes | own_shapes, order, frozenset(own_shapes), tensors)
        points = tuple(drawn_points(drawn, seed))
    else:
        drawn = Asked(arrays, {}, order, frozenset(), tensors)
        points, notes = given_points(drawn, missing, seen, reference, seed)
    floating = [name for name in order if points[0].inputs[name].dtype.kind == "f"]
    if not floating:
        refuse_shapes(given)
    notes += by_position(own, given)
    return Question(own, drawn, points, names_of(wrt, order, floating), seeds, notes)


def refuse_shapes(given: Mapping[str, Any]) -> None:
    """Say of a list of a few whole numbers, or of a negative length, that a shape was meant."""
    for name, value in given.items():
        if isinstance(value, list | tuple) and value and all(type(n) is int for n in value):
            few = f"({', '.join(map(str, map(abs, value)))}{',' * (len(value) == 1)})"
            raise BadInput(
                f"inputs[{name!r}] is {value!r}, whole numbers; a shape is a tuple like {few}, "
                f"and an array of floats has a gradient"
            )


def by_position(reference: Reference, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Note inputs whose names are not the reference's: they are handed over in their order."""
    names = reference.names()
    odd = [name for name in given if names is not None and name not in names]
    if not odd or names is None:
        return ()
    return (
        f"the reference has no argument {odd[0]!r} (its own are {', '.join(names)}); the inputs "
        "are handed to it in their order",
    )


def given_points(
    asked: Asked,
    missing: Mapping[str, torch.Tensor],
    seen: Mapping[str, Any],
    reference: Any,
    seed: int,
) -> tuple[tuple[Point, ...], tuple[str, ...]]:
    """Return the point that was given, and another with drawn parameters if some were not."""
    if not any(format_of(name, value) for name, value in seen.items()) and missing:
        seen = dict(nn.Module.named_parameters(reference))
    form, note = judged_format(seen)
    values = asked.arrays | {name: p.numpy() for name, p in missing.items()}
    cast = {k: rounded(v, form) if v.dtype.kind == "f" else v for k, v in values.items()}
    first = Point(asked.ordered(cast), None, form, f"given point, {form}", tensors=asked.tensors)
    notes = () if note is None else (note,)
    if not missing:
        return (first,), notes
    shapes = {name: tuple(p.shape) for name, p in missing.items()}
    drawing = replace(asked, arrays=cast, shapes=shapes, own=frozenset(shapes))
    drawn = drawing.at_scale(form, 1.0, seed)
    return (first, replace(first, inputs=drawn, note=f"drawn parameters, {form}")), notes


def dy_by_output(dy: Any) -> Arrays:
    """Return the given dy as arrays, by output or by number."""
    return {name: read("dy" if name == "0" else f"dy[{name}]", value)
            for name, value in raw_seeds(dy).items()}  # fmt: skip


def raw_seeds(dy: Any) -> dict[str, Any]:
    """Return what was given as dy, by output or by number."""
    if isinstance(dy, Mapping):
        return dict(dy)
    if isinstance(dy, tuple | list) and any(hasattr(part, "shape") for part in dy):
        return {str(number): part for number, part in enumerate(dy)}
    return {"0": dy}


def names_of(
    wrt: Sequence[str] | None, order: Sequence[str], floating: Sequence[str]
) -> tuple[str, ...]:
    """Return the inputs to differentiate with respect to: those named, or all floating ones."""
    if wrt is None:
        if not floating:
            raise BadInput("no input is floating, so there is no gradient to compare")
        return tuple(floating)
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    for name in names:
        if name not in order:
            raise BadInput(f"wrt names {name!r}; the inputs are {', '.join(order)}")
        if name not in floating:
            raise BadInput(f"wrt names {name!r}, which has whole numbers; they have no gradient")
    if not names:
        raise BadInput("wrt is empty, so there is no gradient to compare")
    return names


def described(what: Any) -> str:
    """Return what a reference is called: `LayerNorm`, or the function's name."""
    name = getattr(what, "__name__", None)
    return str(name) if isinstance(name, str) else type(what).__name__

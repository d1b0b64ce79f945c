"""What one tensor shows by itself: a factor, a transposition, an axis that was not summed over."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from compare.contracts.digits import two_values
from compare.layers.names.clipping import clipped, clipped_at_norm
from compare.layers.names.match import Match

WRONG_SIGN = "of the wrong sign"
TIMES = " times the right one"
"""Ends a clause that states a factor nobody can place: a fact, and no cause."""
EVERYWHERE = ", every entry being the same"
FEWEST = 3
"""Parts along an axis from which on one part alone is no chance."""
FACTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "`{}`": lambda v: v,
    "the slope σ(1 - σ) of a sigmoid at `{}`": lambda v: torch.sigmoid(v) * (1 - torch.sigmoid(v)),
    "the sigmoid of `{}`": torch.sigmoid,
    "the slope of tanh at `{}`": lambda v: 1 - torch.tanh(v) ** 2,
    "the mask `{}` > 0": lambda v: (v > 0).to(v.dtype),
}


def shown_by(match: Match, name: str) -> str | None:
    """Return what is wrong with one tensor, in a clause; None if it does not show."""
    manual, right = match.manual[name], match.right[name]
    if manual.shape != right.shape:
        return wrong_shape(match, name, manual, right)
    if not bool(torch.isfinite(manual).all()):
        return None
    if not bool(manual.any()):
        return f"{name} is zero everywhere"
    for said in clauses(match, name, manual, right):
        return said
    return None


def wrong_shape(match: Match, name: str, manual: Tensor, right: Tensor) -> str:
    """Say what a tensor of a wrong shape is, if that can be seen from its numbers."""
    if manual.numel() == right.numel() and match.near(name, manual.reshape(right.shape), right):
        return f"{name} has the right numbers in shape {tuple(manual.shape)}"
    for order in itertools.permutations(range(manual.dim())) if manual.dim() < 5 else ():
        turned = manual.permute(order)
        if turned.shape == right.shape and match.near(name, turned, right):
            return f"{name} is transposed" if manual.dim() == 2 else f"{name} has axes exchanged"
    for axes in some_axes(manual.dim(), manual.dim()):
        for kept in (False, True):
            summed = manual.sum(axes, kept)
            if summed.shape == right.shape and match.near(name, summed, right):
                places = ", ".join(map(str, axes))
                return f"{name} is not summed over axis {places} of its broadcast"
    return f"{name} has shape {tuple(manual.shape)} where {tuple(right.shape)} is due"


def clauses(match: Match, name: str, manual: Tensor, right: Tensor) -> Iterator[str]:
    """Yield what fits a tensor of the right shape."""
    found = match.factor(name, right)
    if found is not None and found[1] is not None:
        text = found[1]
        yield f"{name} has the wrong sign" if text == WRONG_SIGN else f"{name} is {text}"
    for axes in some_axes(right.dim(), 2):
        if match.near(name, manual.flip(axes), right):
            yield f"{name} is flipped along axis {', '.join(map(str, axes))}"
    for order in itertools.permutations(range(right.dim())) if right.dim() < 5 else ():
        turned = manual.permute(order)
        if order != tuple(range(right.dim())) and turned.shape == right.shape:
            if match.near(name, turned, right):
                yield f"{name} is transposed" if right.dim() == 2 else f"{name} has axes exchanged"
    yield from spread_sums(match, name, manual, right)
    for other, values in match.right.items():
        if other != name and values.shape == manual.shape and match.near(name, manual, values):
            yield f"{name} is {other}"
    yield from only_one(match, name, manual, right)
    yield from multiplied(match, name, manual, right)
    yield from clipped(match, name, manual, right)
    if found is not None:
        yield from clipped_at_norm(match, name, found[0])
        yield f"{name} is {two_values(found[0], 1.0, 6)[0]}{TIMES}"


def spread_sums(match: Match, name: str, manual: Tensor, right: Tensor) -> Iterator[str]:
    """Yield the axes along which every entry is the mean, or the sum, of all of them.

    In few digits anything may be near a sum of many entries; it is the same everywhere as well.
    """
    for axes in some_axes(right.dim(), 2):
        n = math.prod(right.shape[axis] for axis in axes)
        total = right.sum(axes, keepdim=True).expand_as(right)
        for said, value, wide in (("averaged", total / n, 1.0), ("added up", total, float(n))):
            same = manual.mean(axes, keepdim=True).expand_as(manual)
            if n > 1 and match.near(name, manual, value, wide) and match.near(name, manual, same):
                where = ", ".join(map(str, axes))
                yield f"{name} is {said} over axis {where}{EVERYWHERE}"


def only_one(match: Match, name: str, manual: Tensor, right: Tensor) -> Iterator[str]:
    """Yield the axis along which only the first or the last part is there, the rest being zero."""
    for axis, n in enumerate(right.shape):
        for said, at in (("first", 0), ("last", n - 1)):
            if n < FEWEST:
                continue
            part = torch.zeros_like(right)
            part.select(axis, at).copy_(right.select(axis, at))
            if match.near(name, manual, part):
                yield f"only the {said} part of {name} along axis {axis} is there, the rest is zero"


def multiplied(match: Match, name: str, manual: Tensor, right: Tensor) -> Iterator[str]:
    """Yield what a gradient is multiplied by, entry by entry: an input, or a slope at an input."""
    for of, values in match.inputs.items():
        if values.shape != right.shape or not values.is_floating_point():
            continue
        for said, function in FACTORS.items():
            factor = function(values)
            if match.near(name, manual, right * factor, float(factor.abs().max().clamp_min(1))):
                yield f"{name} is multiplied by {said.format(of)} once too often"
            left_out = bool((factor != 0).all()) or is_there(manual, values)
            wide = float(factor.abs().max().clamp_min(1))
            if left_out and match.near(name, manual * factor, right, wide):
                yield f"in {name} the factor {said.format(of)} is missing"


def is_there(manual: Tensor, values: Tensor) -> bool:
    """Return whether a gradient goes on where a mask would end it: at most entries below 0."""
    below = manual[values < 0]
    return below.numel() > 0 and 2 * int((below != 0).sum()) > below.numel()


def some_axes(dimensions: int, most: int) -> Iterator[tuple[int, ...]]:
    """Yield every choice of up to `most` axes."""
    for count in range(1, min(dimensions, most) + 1):
        yield from itertools.combinations(range(dimensions), count)

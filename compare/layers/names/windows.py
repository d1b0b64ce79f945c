"""Slips of layers with windows: overlapping parts overwritten, kernels turned, ties all served.

The gradient of a convolution with respect to its input is a sum over the positions of the kernel;
code that assigns in place of adding keeps the last position that reaches an entry, or the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from compare.layers.names.tape import Step

MOST_POSITIONS = 64
OVERWRITTEN = "in the gradient of the input overlapping windows are overwritten in place of added"


def of_convolution(step: Step, args: Any) -> Iterator[tuple[tuple[Tensor, ...], str]]:
    """Yield the changed gradients of a convolution: input, kernel, bias."""
    dy, x, w = args[:3]
    outs = step.func(*args)
    for positions in orders(w):
        yield (overwritten(step, args, positions), *outs[1:]), OVERWRITTEN
    for axes in turned(w):
        dx = step.func(dy, x, w.transpose(*axes), *args[3:])[0]
        said = "in the gradient of the input the axes of the kernel are exchanged"
        yield (dx, *outs[1:]), said
    if outs[2] is None:
        return
    for axis in (0, *range(2, dy.dim())):
        n = dy.shape[axis]
        for said, at in (("first", 0), ("last", n - 1)) if n > 1 else ():
            part = dy.narrow(axis, at, 1)
            db = part.sum([a for a in range(dy.dim()) if a != 1])
            yield (*outs[:2], db), f"the bias gets only the {said} of {n} parts along axis {axis}"


def orders(w: Tensor) -> Iterator[Sequence[int]]:
    """Yield the positions of a kernel, counted through, as loops meet them: up and down."""
    count = w[0, 0].numel()
    if 1 < count <= MOST_POSITIONS:
        yield range(count)
        yield range(count)[::-1]


def overwritten(step: Step, args: Any, positions: Sequence[int]) -> Tensor:
    """Return the gradient of the input where each position of the kernel overwrites the others."""
    dy, x, w = args[:3]
    out = torch.zeros_like(x)
    for position in positions:
        ones = torch.zeros_like(w)
        ones.view(*w.shape[:2], -1)[..., position] = 1
        part = step.func(dy, x, ones * w, *args[3:])[0]
        reached = step.func(torch.ones_like(dy), x, ones, *args[3:])[0] != 0
        out = torch.where(reached, part, out)
    return out


def turned(w: Tensor) -> Iterator[tuple[int, int]]:
    """Yield the pairs of a kernel's axes that can be exchanged."""
    for one, other in itertools.combinations(range(2, w.dim()), 2):
        if w.shape[one] == w.shape[other]:
            yield one, other


def of_pooling(args: Any) -> Iterator[tuple[Tensor, str]]:
    """Yield the changed gradient of a max-pooling: ties all served, overlaps overwritten."""
    dy, x, kernel, stride, padding, dilation, _, index = args
    if list(padding) != [0, 0] or list(dilation) != [1, 1] or x.dim() != 4:
        return
    step = tuple(stride) or tuple(kernel)
    windows = functional.unfold(x.flatten(0, 1).unsqueeze(1), kernel, stride=step)
    largest = windows.amax(1, keepdim=True)
    if largest.shape[-1] != dy[0, 0].numel():
        return
    each = (windows == largest).to(dy.dtype) * dy.reshape(*largest.shape)
    size = tuple(x.shape[2:])
    tied = functional.fold(each, size, kernel, stride=step).reshape(x.shape)
    yield tied, "every tied maximum gets the whole gradient"
    flat = torch.zeros_like(x).flatten(2)
    yield flat.scatter(2, index.flatten(2), dy.flatten(2)).reshape(x.shape), OVERWRITTEN

"""Places within a window that are taken for each other: rows for columns, the last for the first.

A maximum is put back where it was in its window, columns of an unfolded image where they are from.
Code that counts the places of a window the other way round puts them elsewhere in the same window.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from compare.layers.rules import aten

EXCHANGED = "rows and columns of the window are exchanged"
TURNS = {
    (0, 1): "the places of the window are reversed",
    (0,): "the rows of the window are reversed",
    (1,): "the columns of the window are reversed",
}


def of_maxima(args: Any) -> Iterator[tuple[Tensor, str]]:
    """Yield the gradient of a max-pooling with every maximum elsewhere in its window."""
    dy, x, kernel, stride, padding, dilation, _, index = args
    kernel, padding, dilation = ([v[0], v[-1]] for v in (kernel, padding, dilation))
    steps = [stride[0], stride[-1]] if stride else kernel
    width = x.shape[-1]
    tops = [torch.arange(n) * s - p for n, s, p in zip(dy.shape[-2:], steps, padding, strict=True)]
    first = [tops[0][:, None], tops[1]]
    places = [(at - top) // d for at, top, d in zip(
        (index // width, index % width), first, dilation, strict=True)]  # fmt: skip
    for taken, said in moved(places, kernel):
        rows, columns = (top + at * d for top, at, d in zip(first, taken, dilation, strict=True))
        inside = (rows >= 0) & (rows < x.shape[-2]) & (columns >= 0) & (columns < width)
        if bool(inside.all()):
            out = torch.zeros_like(x).flatten(-2)
            out.scatter_add_(-1, (rows * width + columns).flatten(-2), dy.flatten(-2))
            yield out.view_as(x), said


def moved(places: list[Tensor], kernel: list[int]) -> Iterator[tuple[list[Tensor], str]]:
    """Yield other places in a window, by row and column."""
    if kernel[0] == kernel[1] > 1:
        yield places[::-1], EXCHANGED
    for axes, said in TURNS.items():
        if all(kernel[axis] > 1 for axis in axes):
            yield [kernel[axis] - 1 - at if axis in axes else at
                   for axis, at in enumerate(places)], said  # fmt: skip


def of_columns(args: Any) -> Iterator[tuple[Tensor, str]]:
    """Yield columns put back into an image, of windows whose places are taken for each other."""
    columns, rest = args[0], args[1:]
    kernel = [args[2][0], args[2][-1]]
    parts = columns.unflatten(-2, (-1, *kernel))

    def back(changed: Tensor) -> Tensor:
        out: Tensor = aten.col2im(changed.reshape(columns.shape), *rest)
        return out

    if kernel[0] == kernel[1] > 1:
        yield back(parts.transpose(-3, -2)), EXCHANGED
    for axes, said in TURNS.items():
        if all(kernel[axis] > 1 for axis in axes):
            yield back(parts.flip([axis - 3 for axis in axes])), said
    if parts.shape[-4] > 1:
        apart = columns.unflatten(-2, (*kernel, -1)).movedim(-2, -4)
        yield back(apart), "the channels are taken to come after the places of the window"

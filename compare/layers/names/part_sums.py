"""Sums that miss terms: a loop that overwrites, one that ends too soon, one block of several.

Every sum of the backward pass, plain or in a product of matrices, is taken over some of its terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from compare.layers.names.friendly import Names
from compare.layers.names.tape import Ref, Step

MOST_BLOCK = 129
MOST_SHAPES = 4
Part = Callable[[Tensor, int], Tensor]
PARTS: tuple[tuple[str, Callable[[int], slice]], ...] = (
    ("only the first of {n} terms counts", lambda n: slice(0, 1)),
    ("only the last of {n} terms is left (overwritten in place of added)",
     lambda n: slice(n - 1, n)),
    ("the last of {n} terms is missing", lambda n: slice(0, n - 1)),
    ("the first of {n} terms is missing", lambda n: slice(1, n)),
    ("only every other of {n} terms counts", lambda n: slice(0, n, 2)),
    ("only every other of {n} terms counts", lambda n: slice(1, n, 2)),
)  # fmt: skip


def taken(x: Tensor, axis: int, which: slice) -> Tensor:
    """Return a part of a tensor along one axis."""
    return x[(slice(None),) * (axis % x.dim()) + (which,)]


def partial_sums(names: Names, step: Step, args: Any) -> Iterator[tuple[Any, str]]:
    """Yield a plain sum over part of every axis that it runs over."""
    x = args[0]
    dims = list(args[1]) if len(args) > 1 and args[1] else list(range(x.dim()))
    keep = len(args) > 2 and bool(args[2])
    said = names.terms(step.refs()[0].number)
    if sum(x.shape[axis] > 1 for axis in dims) > 1:
        last = x
        for axis in dims:
            last = taken(last, axis, slice(-1, None))
        where = ", ".join(map(str, dims))
        yield last.sum(dims, keep), (
            f"in the sum of {said} over axis {where} only the last term is left "
            "(overwritten in place of added)")  # fmt: skip
    yield from tiled(x, dims, keep, said)
    for axis in (d % x.dim() for d in dims):
        n = x.shape[axis]
        for clause, which in PARTS if n > 1 else ():
            where = f"in the sum of {said} along axis {axis} {clause.format(n=n)}"
            yield taken(x, axis, which(n)).sum(dims, keep), where


def tiled(x: Tensor, dims: list[int], keep: bool, said: str) -> Iterator[tuple[Tensor, str]]:
    """Yield a sum over copies side by side, taken as though the whole was repeated: `h % n`."""
    if len(dims) != 1 or not keep or dims[0] % x.dim() == 0:
        return
    axis = dims[0] % x.dim()
    shape = list(x.shape)
    shape[axis - 1], shape[axis] = shape[axis], shape[axis - 1]
    if 1 not in shape[axis - 1 : axis + 1]:
        out = x.reshape(shape).sum(axis - 1, keepdim=True).transpose(axis - 1, axis)
        yield out, f"{said} are added as though they did not lie side by side (tiled)"


def blocks(n: int) -> Iterator[tuple[str, slice]]:
    """Yield the last block of several, as loops over blocks leave it that overwrite."""
    for size in range(2, min(n, MOST_BLOCK)):
        last = (n - 1) // size * size
        if last < n - 1:
            said = f"only the last {n - last} of {n} terms are left (blocks that are overwritten)"
            yield said, slice(last, n)


LAYERS: tuple[tuple[str, int], ...] = (
    ("only the first of {n} parts counts", 0),
    ("only the last of {n} parts is left (overwritten in place of added)", -1),
)  # fmt: skip


def layers(names: Names, n: int) -> Iterator[tuple[str, Tensor]]:
    """Yield the terms of one head, one row or one step, of a sum over several axes put together."""
    for shape in names.put_together.get(n, ())[:MOST_SHAPES]:
        whole = "×".join(map(str, shape))
        numbers = torch.arange(n).reshape(shape)
        for axis, length in enumerate(shape):
            for said, at in LAYERS:
                clause = f"{said.format(n=length)}, along axis {axis} of {whole} terms"
                yield clause, numbers.select(axis, at).flatten()


def partial_products(names: Names, step: Step, args: Any) -> Iterator[tuple[Any, str]]:
    """Yield a product of matrices that sums over part of the axis they share."""
    a, b = args[:2]
    n = a.shape[-1]
    nouns = [names.noun(r.number, 1) for r in step.args[:2] if isinstance(r, Ref)]
    for clause, which in PARTS if n > 1 and len(nouns) == 2 else ():
        part = step.func(taken(a, -1, which(n)), taken(b, -2, which(n)))
        where = f"in the matrix product of {' and '.join(nouns)} {clause.format(n=n)}"
        yield part, where
    for clause, kept in layers(names, n) if len(nouns) == 2 else ():
        part = step.func(a.index_select(-1, kept), b.index_select(-2, kept))
        yield part, f"in the matrix product of {' and '.join(nouns)} {clause}"
    for clause, block in blocks(n) if len(nouns) == 2 else ():
        part = step.func(taken(a, -1, block), taken(b, -2, block))
        yield part, f"in the matrix product of {' and '.join(nouns)} {clause}"

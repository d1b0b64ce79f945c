"""An index in the place of another one, and a gradient that is not put back where it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from compare.layers.names.friendly import Names
from compare.layers.names.tape import Ref, Step, resolved

INDEXED = frozenset(
    "index index_put _index_put_impl index_select index_add gather scatter scatter_add "
    "embedding embedding_dense_backward".split()
)
EXTREMES = {"max": "maximum", "min": "minimum"}
MOST = 6


def other_indices(
    names: Names, step: Step, value: Callable[[int], Any]
) -> Iterator[tuple[Any, str]]:  # fmt: skip
    """Yield a step that selects or adds by index, at each of the inputs that has such indices."""
    if step.name not in INDEXED:
        return
    for ref in step.refs():
        due = value(ref.number)
        if not is_index(due):
            continue
        for number in same_indices(names, due)[:MOST]:
            taken = names.tape.values[number].view_as(due)

            def other(at: int, of: int = ref.number, there: Tensor = taken) -> Any:
                return there if at == of else value(at)

            try:
                out = step.func(*resolved(step.args, other), **resolved(step.kwargs, other))
            except (IndexError, RuntimeError):
                continue  # an index that is out of range there
            said, of = names.noun(number), names.noun(ref.number)
            yield out, f"{said} stands in place of {of} as the index"


def is_index(x: Tensor) -> bool:
    """Return whether a tensor holds whole numbers."""
    return not x.is_floating_point() and x.dtype is not torch.bool and x.dim() > 0


def same_indices(names: Names, due: Tensor) -> list[int]:
    """Return the inputs that hold as many whole numbers as one, and other ones."""
    return [
        number for number in names.inputs
        if is_index(names.tape.values[number]) and names.tape.values[number].numel() == due.numel()
        and not torch.equal(names.tape.values[number].flatten(), due.flatten())
    ]  # fmt: skip


def put_back(names: Names, step: Step, value: Callable[[int], Any]) -> Iterator[tuple[Any, str]]:
    """Yield a gradient that is put back otherwise: all ties are served, a sort is not undone."""
    number = step.args[2].number if step.name == "scatter" and len(step.args) > 3 else None
    made = None if number is None else names.behind_copies(number)
    if number is None or made is None or not isinstance(step.args[3], Ref):
        return
    axis, index, dy = step.args[1], value(number), value(step.args[3].number)
    x = value(made.refs()[0].number)
    if made.name in ("max", "min") and x.dim() == index.dim():
        tied = x == x.gather(axis, index)
        yield tied * dy, f"every tied {EXTREMES[made.name]} gets the whole gradient"
    elif made.name in ("sort", "topk") and x.shape == index.shape:
        yield dy, "the gradient stays in the order of the sorted values"
        said = "the gradient is read at the places of the sorted values in place of put there"
        yield dy.gather(axis, index), said

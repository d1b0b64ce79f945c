"""An index in the place of another one: a gradient that is gathered where it must be scattered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from compare.layers.names.friendly import Names
from compare.layers.names.tape import Step, resolved

INDEXED = frozenset(
    "index index_put _index_put_impl index_select index_add gather scatter scatter_add "
    "embedding embedding_dense_backward".split()
)
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

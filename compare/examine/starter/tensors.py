"""The gradients of a function or class that was compared as a whole network, each by its name.

`dw1 of backprop (grad_weights)`: our name for it, the function or class that gave it, and the
file's own name where that is another one. A function with one value goes by its own name.
"""

from __future__ import annotations

from collections.abc import Iterator

from compare.contracts.measured import Worst
from compare.contracts.result import Finding
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.loss_beside import UNSHOWN
from compare.examine.starter.own_lines import last, own_name
from compare.examine.starter.source import Source


def rows(one: FunctionVerdict, source: Source) -> Iterator[tuple[str, Worst]]:
    """Yield the worst entry of everything that was compared of a function, by its name."""
    if one.worst is None:
        return
    if not one.tensors:
        yield one.name, one.worst
    for tensor, worst in one.tensors.items():
        if tensor != "loss" or UNSHOWN not in one.conventions:
            yield f"{tensor} of {one.name}{in_the_file(tensor, one, source)}", worst


def in_the_file(tensor: str, one: FunctionVerdict, source: Source) -> str:
    """Return the file's own name of a gradient, in brackets, if it does not say the same."""
    weight = tensor.removeprefix("d")
    name = own_name(source, one, weight)
    return f" ({name})" if name and plain(last(name)) not in (tensor, weight) else ""


def quoted(one: FunctionVerdict) -> Finding | None:
    """Return the entry that the sentence about a function quotes, if it is one of a gradient."""
    first = one.first
    return first if first and one.worst and first.message in one.sentence else None

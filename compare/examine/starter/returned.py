"""What a gradient function returned: which gradient each value is, by its name or by its shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.expected import DELTAS
from compare.examine.starter.function_check import as_array
from compare.examine.starter.meanings import Layout

Part = tuple[tuple[str, ...], Array]
"""The gradients one value may be, by `dw1`, ..., and its array as (fan_in, fan_out) or (N, ...)."""

WRONG = {
    "unsummed": "it is not summed over the batch: there is one row for each sample",
    "number": "it is summed to one number",
    "axis": "it is summed over the wrong axis",
    "transposed": "it is transposed",
}


def parts_of(value: Any) -> list[Any]:
    """The values of a tuple, list or mapping, also inside each other; one alone as a list."""
    if not isinstance(value, Mapping | tuple | list) or plain_numbers(value):
        return [value]
    inside = value.values() if isinstance(value, Mapping) else value
    return [part for one in inside for part in parts_of(one)]


def plain_numbers(value: Any) -> bool:
    """True for a list of numbers, which is one array."""
    return isinstance(value, list) and all(isinstance(one, float | int) for one in value)


def named_parts(
    value: Any,
    returns: Sequence[str] | None,
    due: Mapping[str, Array],
    layout: Layout,
    kept: bool = False,
) -> list[Part] | str:
    """Which gradient every part of `value` is, or the sentence why that cannot be told.

    `returns` are the names of weights that the code gives them, if it does; `due` the gradients.
    A wrong shape of a bias gradient that tells the mistake may be `kept`.
    """
    parts = parts_of(value)
    if returns is not None and len(returns) != len(parts):
        returns = None
    found: list[Part] = []
    for index, part in enumerate(parts):
        names = tuple(due) if returns is None else (f"d{returns[index]}",)
        fitting = [(name, laid) for name in names if (laid := fitted(part, name, due, layout))]
        if kept and not fitting and len(names) == 1:
            fitting = [(names[0], laid) for laid in [telling(part, names[0], due)] if laid]
        if not fitting:
            shown = np.shape(part) if numeric(part) else type(part).__name__
            if returns is None:
                return f"returns a value of shape {shown}, which is no gradient's"
            wanted = due[names[0]].shape
            hint = next(hints(np.shape(part), names[0], due), "") if numeric(part) else ""
            sentence = f"returns a value of shape {shown} as {names[0]}; {wanted} is due"
            return sentence + (f": {hint}" if hint else "")
        found.append((tuple(name for name, _ in fitting), fitting[0][1][0]))
    taken = [names for names, _ in found]
    if len(set(taken)) < len(taken):
        return f"returns {len(parts)} values of which two have the shape of one gradient"
    return found


def telling(part: Any, name: str, due: Mapping[str, Array]) -> list[Array]:
    """A bias gradient in the wrong shape that a known mistake gives it: a row for each sample, one
    number for each, or one alone; nothing for other shapes."""
    wanted, rows = due[name].shape, len(due["dlogits"])
    if len(wanted) != 1 or not numeric(part):
        return []
    array = np.array(part, dtype=float)
    long = tuple(size for size in array.shape if size != 1)
    if long == ():
        return [np.full(wanted, array.item())]
    if long in ((rows, *wanted), (rows,)):
        return [array.reshape(long)]
    return [array.reshape(long).T] if long == (*wanted, rows) else []


def numeric(part: Any) -> bool:
    """True for what NumPy can read as an array of numbers."""
    try:
        return np.array(part).dtype.kind in "fiub"
    except (ValueError, TypeError):
        return False


def fitted(part: Any, name: str, due: Mapping[str, Array], layout: Layout) -> list[Array]:
    """The part laid like the gradient that is due, or nothing where its shape does not fit."""
    wanted = due[name].shape
    array = as_array(part, wanted)
    if array is None:
        return []
    if array.shape == wanted:
        return [array]
    columns = layout.samples == "columns"
    turned = columns if name in DELTAS else columns or layout.transposed
    return [array.T] if turned and array.shape == wanted[::-1] else []


def hints(shape: tuple[int, ...], name: str, due: Mapping[str, Array]) -> Iterator[str]:
    """What a wrong shape says about the mistake."""
    wanted = due[name].shape
    rows = len(due["dlogits"])
    long = tuple(size for size in shape if size != 1)
    if len(wanted) == 1 and long in ((rows, *wanted), (*wanted, rows)):
        yield WRONG["unsummed"]
    elif long == ():
        yield WRONG["number"]
    elif long == (rows,):
        yield WRONG["axis"]
    elif long == wanted[::-1]:
        yield WRONG["transposed"]

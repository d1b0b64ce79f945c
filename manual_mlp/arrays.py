"""What flows through the network: arrays, and dictionaries of named arrays.

`N` batch, `F` inputs, `H` hidden units, `K` classes, `L` layers: these letters mean the same in
every file of the package. Parameters are one dictionary, `w1, b1, ..., wL, bL`, with weights of
shape (fan_in, fan_out) and biases of shape (fan_out,); gradients are a dictionary with equal keys.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = dict[str, Array]

Entry = TypeVar("Entry")


def depth(parameters: Mapping[str, Array]) -> int:
    """The number of layers L: every layer has one weight matrix, and perhaps a bias."""
    return sum(name.startswith("w") for name in parameters)


def copies(arrays: Mapping[str, Array]) -> Arrays:
    """The same names with arrays of their own, which nobody else can write to."""
    return {name: array.copy() for name, array in arrays.items()}


def closed(arrays: Mapping[str, Array]) -> Arrays:
    """The same arrays, closed for writing: whoever wants to change one copies it."""
    views = {name: array.view() for name, array in arrays.items()}
    for view in views.values():
        view.flags.writeable = False
    return views


def equal(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    """Whether all arrays are equal; those with a NaN are not."""
    return all(np.array_equal(array, other[name]) for name, array in one.items())


def require_same_shape(**named: Array) -> None:
    """Raise `ValueError` unless all shapes are equal.

    Called before a subtraction: (N,) - (N, 1) would silently be (N, N).
    """
    if len({array.shape for array in named.values()}) > 1:
        shapes = " and ".join(f"{name} {array.shape}" for name, array in named.items())
        raise ValueError(f"shapes must be equal, got {shapes}")


def entry(table: Mapping[str, Entry], name: str, kind: str) -> Entry:
    """`table[name]`, or a `ValueError` that lists what there is."""
    if name not in table:
        raise ValueError(f"unknown {kind} {name!r}: choose one of {', '.join(table)}")
    return table[name]

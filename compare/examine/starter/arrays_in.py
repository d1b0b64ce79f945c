"""The arrays inside a value of somebody's, and which weight or gradient each of them is.

Through tuples, lists, dictionaries and objects. A name decides where it leaves no doubt, the shape
otherwise: no two sizes of the points of this program are equal.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.binding import gradient_named, plain, weight_called
from compare.examine.starter.slots import WORDS

DEEPEST = 4
Shapes = Mapping[str, tuple[int, ...]]
"""The shapes that weights have in somebody's code; of those that are not in it nothing is known."""
UNKNOWN: Shapes = {}
GRADIENT = re.compile(WORDS + r"d[a-z]?[a-z]*\d*|g[wb]?\d*|.*(grad|delta|nabla).*")


@dataclass(frozen=True)
class Leaf:
    """One array, and the names on the way to it."""

    way: tuple[str, ...]
    array: Array

    @property
    def name(self) -> str:
        """The last name on its way."""
        return last_name(self.way)

    @property
    def of_gradient(self) -> bool:
        """Whether its name, or that of what it lies in, is a gradient's."""
        return leads_to_gradient(self.way)


@lru_cache(maxsize=4096)
def leads_to_gradient(way: tuple[str, ...]) -> bool:
    """Whether the last name on a way, or one of those before it, is a gradient's."""
    held = any("grad" in plain(word) or word in ("g", "d") for word in way)
    return held or GRADIENT.fullmatch(plain(last_name(way))) is not None


def last_name(way: tuple[str, ...]) -> str:
    """The last name on a way that is no number."""
    return next((one for one in reversed(way) if not one.isdigit()), "")


def leaves(value: Any, way: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every array of numbers in a value, in its order; a list of numbers is one."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fiub":
            yield Leaf(way, value)
    elif isinstance(value, float | int | np.number):
        yield Leaf(way, np.asarray(value, dtype=float))
    elif len(way) < DEEPEST:
        yield from (leaf for key, one in inside(value) for leaf in leaves(one, (*way, key)))


def inside(value: Any) -> list[tuple[str, Any]]:
    """What a container or object holds, by name or number."""
    if isinstance(value, Mapping):
        return [(str(key), one) for key, one in value.items()]
    if isinstance(value, tuple | list):
        numbers = len(value) > 1 and all(isinstance(one, float | int) for one in value)
        found = [np.array(value)] if numbers and isinstance(value, list) else value
        return [(str(place), one) for place, one in enumerate(found)]
    if isinstance(value, type) or inspect.isroutine(value) or not hasattr(value, "__dict__"):
        return []
    return list(vars(value).items())


def named(value: Any, names: Sequence[str]) -> Any:
    """A tuple as a dictionary, by the names its function gives the parts."""
    plain_tuple = isinstance(value, tuple | list) and len(value) == len(names) > 1
    if not plain_tuple or not all(names) or len(set(names)) < len(names):
        return value
    return dict(zip(names, value, strict=True))


def gradients_in(value: Any, parameters: Mapping[str, Array], shapes: Shapes = UNKNOWN) -> Arrays:
    """The gradients in what a function returned, laid like the parameters; one of another shape
    only where its name leaves no doubt."""
    found = [one for one in leaves(value) if one.array.ndim or one.name]
    return gradients_of(found, parameters, shapes)


def gradients_of(
    given: Sequence[Leaf], parameters: Mapping[str, Array], shapes: Shapes = UNKNOWN
) -> Arrays:
    """The gradients among arrays, those first that are named so; one that is the transpose of its
    weights' shape stays that of the parameter."""
    found = sorted(given, key=lambda one: not one.of_gradient)
    layers = len(parameters) // 2
    said = {name: leaf for leaf in found
            if (name := gradient_named(leaf.name, layers) or "") in parameters}  # fmt: skip
    whole = matched(found, said, parameters, shapes)
    return {name: leaf.array for name, leaf in said.items()} | whole


def matched(
    found: Sequence[Leaf],
    said: Mapping[str, Leaf],
    parameters: Mapping[str, Array],
    shapes: Shapes = UNKNOWN,
) -> Arrays:
    """Those that a name says, if their shapes fit, and of the rest the first of each shape."""
    kept = {name: leaf for name, leaf in said.items() if fits(leaf.array, parameters[name].shape)}
    for leaf in found:
        for name, due in parameters.items():
            used = any(leaf is one for one in kept.values())
            if name not in kept and not used and fits(leaf.array, due.shape):
                kept[name] = leaf
    arrays = {name: laid(leaf.array, parameters[name].shape) for name, leaf in kept.items()}
    turned = {name for name, leaf in kept.items()
              if is_turned(leaf.array.shape, shapes.get(name, ()))}  # fmt: skip
    return {name: one.T if name in turned else one for name, one in arrays.items()}


def is_turned(shape: tuple[int, ...], due: tuple[int, ...]) -> bool:
    """Whether a shape is the transpose of another one, and not the same."""
    return shape == due[::-1] != due


def weight_named(leaf: Leaf, parameters: Mapping[str, Array]) -> str:
    """The parameter a leaf is by its name; empty where that does not say."""
    name = weight_called(leaf.name, len(parameters) // 2)
    return name if name in parameters and fits(leaf.array, parameters[name].shape) else ""


def fits(array: Array, shape: tuple[int, ...]) -> bool:
    """Whether an array has a shape, but for axes of length 1 and for being transposed."""
    long = [[size for size in one if size != 1] for one in (array.shape, shape)]
    return array.size == np.prod(shape, dtype=int) and long[0] in (long[1], long[1][::-1])


def laid(array: Array, shape: tuple[int, ...]) -> Array:
    """An array of another layout in this shape."""
    long = [tuple(size for size in one if size != 1) for one in (array.shape, shape)]
    return np.ascontiguousarray(array if long[0] == long[1] else array.T).reshape(shape)

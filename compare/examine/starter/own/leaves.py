"""The numbers that a program keeps: floating arrays and numbers in names, containers and objects,
each by the way to it, such as `layers.0.W`, and how to put others into their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from compare.contracts.arrays import Array

DEEPEST, LONGEST, MOST_LEAVES, MOST_ENTRIES = 8, 1000, 4000, 2_000_000
HIDDEN = re.compile(r"__.*|_rehearsed_.*|_own_.*")
Leaf = tuple[Any, Any, Any]
"""What holds a number, under which key, and the number or array itself."""


def leaves_of(*scopes: Mapping[str, Any]) -> dict[str, Leaf]:
    """Return everything that is kept in scopes, by the way to it; what is reached in two ways by
    the first."""
    found: dict[str, Leaf] = {}
    seen: set[int] = set()
    for scope in scopes:
        for name, value in list(scope.items()):
            if HIDDEN.fullmatch(name):
                continue
            for way, leaf in reached(scope, name, value, name, 0, seen):
                found[way] = leaf
                if len(found) >= MOST_LEAVES:
                    return found
    return found


def reached(
    holder: Any, key: Any, value: Any, way: str, depth: int, seen: set[int]
) -> Iterator[tuple[str, Leaf]]:
    """Yield what one value holds, each array once."""
    if isinstance(value, bool | str | bytes | ModuleType | FunctionType | type | complex):
        return
    if isinstance(value, float | int | np.floating):
        yield way, (holder, key, value)
        return
    if id(value) in seen or depth > DEEPEST:
        return
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and 0 < value.size <= MOST_ENTRIES and value.flags.writeable:
            seen.add(id(value))
            yield way, (holder, key, value)
        return
    seen.add(id(value))
    for inner, one in inside(value):
        yield from reached(value, inner, one, f"{way}.{inner}", depth + 1, seen)


def inside(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what a container or an object holds, by key; of a list of arrays all."""
    if isinstance(value, Mapping):
        yield from list(value.items())[:LONGEST]
    elif isinstance(value, list | tuple):
        yield from enumerate(value[:LONGEST])
    else:
        yield from list(getattr(value, "__dict__", {}).items())
        for name in slots_of(type(value)):
            if hasattr(value, name):
                yield name, getattr(value, name)


def slots_of(cls: type) -> Iterator[str]:
    """Yield the names in the `__slots__` of a class."""
    for one in cls.__mro__:
        slots = vars(one).get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots


def array_of(leaf: Leaf) -> Array:
    """Return a copy of what a leaf holds, a number as an array of no dimension."""
    return np.array(leaf[2], dtype=float)


def move(leaf: Leaf, by: Array, local: Mapping[str, Any], named: dict[str, Any]) -> None:
    """Add to what a leaf holds: in place to an array, else in what holds the number. One in a name
    of a function (`local`) goes to `named`, from where its code takes it."""
    holder, key, value = leaf
    if isinstance(value, np.ndarray):
        value += by.reshape(value.shape).astype(value.dtype, copy=False)
        return
    moved = float(value) + float(by)
    if holder is local:
        named[key] = moved
    elif isinstance(holder, list | MutableMapping):
        holder[key] = moved
    elif not isinstance(holder, Mapping | tuple):
        object.__setattr__(holder, key, moved)

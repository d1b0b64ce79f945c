"""Which functions of a program take part in its steps, and which numbers they return on the way.

A function takes part if the first step is another one when what it returns is. One that returns
nothing, such as a `backward` that leaves its gradients in the object, does if it was called.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np

from compare.examine.starter.source import Source

MOST_NUMBERS = 12


@functools.lru_cache(maxsize=256)
def globals_of(function: ast.FunctionDef) -> frozenset[str]:
    """Return the names of a program that a function declares global, kept as each run asks."""
    lines = (part for part in ast.walk(function) if isinstance(part, ast.Global))
    return frozenset(name for line in lines for name in line.names)


@dataclass
class Calls:
    """What was called, by name; a method as `Class.method`. `numbers` are what they returned beside
    arrays, such as a loss; `silent` those that returned nothing."""

    numbers: dict[str, list[float]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    changed: str = ""
    """The function whose arrays are multiplied by other numbers."""

    def __call__(self, source: Source, space: dict[str, Any]) -> None:
        """Put watched functions into the place of a file's own."""
        for name, one in source.definitions.items():
            value = space.get(name)
            if isinstance(one.node, ast.FunctionDef) and callable(value):
                space[name] = self.watched(name, value, space, globals_of(one.node))
                put_in_defaults(space, value, space[name])
            elif isinstance(one.node, ast.ClassDef) and inspect.isclass(value):
                for method, function in list(vars(value).items()):
                    if inspect.isfunction(function) and method != "__init__":
                        setattr(value, method, self.watched(f"{name}.{method}", function))

    def watched(
        self, name: str, function: Callable[..., Any], space: dict[str, Any] | None = None,
        left: Iterable[str] = (),
    ) -> Callable[..., Any]:  # fmt: skip
        """Return a function that says that it was called; what it has `left` in names of the
        program is changed with what it returns."""

        @functools.wraps(function)
        def called(*given: Any, **named: Any) -> Any:
            found = function(*given, **named)
            said = self.numbers.setdefault(name, [])
            if found is None:
                self.silent.add(name)
            said += list(floats_in(found))[: max(0, MOST_NUMBERS - len(said))]
            if name != self.changed:
                return found
            for kept in left:
                if space is not None and kept in space:
                    space[kept] = other(space[kept])
            return other(found)

        return called


def put_in_defaults(space: Mapping[str, Any], function: Any, instead: Any) -> None:
    """Put another function into the place of one that parameters of a program stand for unless
    they are told otherwise: `def skipgram(word, gradient=naive_softmax)`."""
    for one in space.values():
        own = inspect.unwrap(one) if inspect.isfunction(one) else None
        if isinstance(own, FunctionType) and own.__defaults__:
            own.__defaults__ = tuple(instead if each is function else each
                                     for each in own.__defaults__)  # fmt: skip


def floats_in(value: Any) -> Iterator[float]:
    """Yield the real numbers in what a function returned, alone or among several values."""
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, float | np.floating) and not isinstance(one, bool):
            yield float(one)
        elif isinstance(one, np.ndarray) and one.size == 1 and one.dtype.kind == "f":
            yield float(one.item())


def other(value: Any) -> Any:
    """Return a value with other numbers in it."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fb":
        wave = 1 + 0.3 * np.sin(np.arange(value.size)).reshape(value.shape)
        changed = value * wave
        return changed.astype(value.dtype) if value.dtype.kind == "f" else changed
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(map(other, value))
    if isinstance(value, list):
        return list(map(other, value))
    if isinstance(value, Mapping):
        return {key: other(one) for key, one in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        for name, one in vars(value).items():
            object.__setattr__(value, name, other(one))
    return value

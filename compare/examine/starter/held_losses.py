"""Losses that a network keeps as an object, or that stand beside its class as a function.

    self.cost = CrossEntropyCost        CrossEntropyCost.fn(a, y)

says what the network is for, as a method of its own would.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from compare.examine.starter.binding import plain
from compare.examine.starter.flow import Code
from compare.examine.starter.layer_classes import methods_of, required
from compare.examine.starter.layer_losses import BOTH, VALUES, is_loss, is_slope
from compare.examine.starter.recipe import LOSS
from compare.examine.starter.source import Opened, Source

Held = Mapping[str, tuple[Code, Callable[[Any], Any]]]
"""By name: the code of a loss, and what gives it for an object of the class."""


def losses_beside(source: Source, opened: Opened, thing: Any, methods: Mapping[str, Code]) -> Held:
    """The losses that an object keeps, else those of the file for a class without its own."""
    own = any(LOSS.fullmatch(plain(name)) and not is_slope(name) for name in methods)
    return dict(kept_by(source, thing)) or ({} if own else dict(of_file(source, opened)))


def kept_by(source: Source, thing: Any) -> Iterator[tuple[str, tuple[Code, Callable[[Any], Any]]]]:
    """The losses of the classes, objects and functions that an object keeps."""
    for key, value in getattr(thing, "__dict__", {}).items():
        kind = value if inspect.isclass(value) else type(value)
        found = methods_of(source, kind.__name__)
        named = [one for one in VALUES if one in found and len(required(found[one])) == BOTH]
        for name in named[:1]:
            yield joined(key, name), (found[name], reading(key, name))


def reading(key: str, name: str) -> Callable[[Any], Any]:
    """What reads a loss off another object of the class; of a class an object is made."""

    def read(thing: Any) -> Any:
        value = getattr(thing, key)
        static = isinstance(inspect.getattr_static(value, name), staticmethod)
        return getattr(value() if inspect.isclass(value) and not static else value, name)

    return read


def joined(key: str, name: str) -> str:
    """The name of a loss that an object keeps: that of a loss, without a dot."""
    return f"{key}_{name}" if LOSS.fullmatch(plain(key)) else f"loss_{key}_{name}"


def of_file(
    source: Source, opened: Opened
) -> Iterator[tuple[str, tuple[Code, Callable[[Any], Any]]]]:
    """The functions of a file that are losses of two arguments."""
    for name, one in source.definitions.items():
        node = one.node
        if isinstance(node, ast.FunctionDef) and is_loss(name) and not is_slope(name):
            if len(source.signature(name)) == BOTH and callable(vars(opened.module).get(name)):
                yield name, (node, functools.partial(always, opened.get(name)))


def always(function: Any, thing: Any) -> Any:
    """A function that is the same for every object."""
    return function

"""Functions of a file that look as if they were to be checked, and are not: a name mistyped.

The contract's names decide what is called; a wrong function under another name would stay green.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any

NEAR = 0.75
"""How much alike two names are, by difflib, to be one with a slip."""
UPDATE = {"gradients", "learning_rate"}
"""What an update rule asks for, whatever it is called."""


def overlooked(module: ModuleType, taken: Callable[..., Any], name: str | None) -> tuple[str, ...]:
    """Say which functions written in `module` look like the gradient or the step and are neither.

    `taken` is the gradient under test, found by `name`, or None where it was chosen among others.
    What another function there uses is a helper.
    """
    own = {
        key: value
        for key, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    }
    used = {found for function in own.values() for found in names_in(function.__code__)}
    left = {key: one for key, one in own.items() if one is not taken and key not in {*used, "step"}}
    known = {} if name is None else {name: gradient_like}
    if not hasattr(module, "step"):
        known["step"] = update_like
    return tuple(
        f"{key} was not looked at; is it {wanted}?"
        for wanted, like in known.items()
        for key, function in left.items()
        if like(key, wanted, set(inspect.signature(function).parameters))
    )


def gradient_like(key: str, wanted: str, parameters: set[str]) -> bool:
    """Whether a name is nearly the one asked for, of a function that takes as much."""
    return near(key, wanted) and len(parameters) >= 3


def update_like(key: str, wanted: str, parameters: set[str]) -> bool:
    """Whether it takes what an update rule takes, or as much under nearly its name."""
    return parameters >= UPDATE or (near(key, wanted) and len(parameters) >= 3)


def near(key: str, wanted: str) -> bool:
    """Whether two names are nearly the same, in any case and without what sets words apart."""
    one, other = (name.lower().replace("_", "") for name in (key, wanted))
    return difflib.SequenceMatcher(None, one, other).ratio() >= NEAR


def names_in(code: CodeType) -> Iterator[str]:
    """Yield every name that a function refers to, those within it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)

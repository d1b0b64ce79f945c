"""Which functions of a file a compared result came from: executed for it, and not without effect.

A function that is only named, or called beside what was judged, was not compared. Whether what a
function f returns reaches the result is seen by changing it: the run is repeated with
    f(...) r,   r drawn between 1.1 and 1.9 for every entry (added where all are 0),
and the result is another one exactly if it depends on f where f is not 0.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.guard.guard import Guard

Functions = Mapping[str, Callable[..., Any]]
Run = Callable[[Functions], Sequence[Array]]
"""Runs the code with these functions in place of its own, and gives the numbers that are judged."""


def used_in(module: ModuleType, run: Run, guard: Guard) -> frozenset[str]:
    """The functions of a module on which the numbers of a run depend.

    One that raises when another's values are changed depends on them. One whose values cannot be
    changed counts if it was executed; where a run is not repeatable nothing is known to be used.
    """
    functions = {name: one for name, one in vars(module).items() if inspect.isfunction(one)}
    executed: set[str] = set()
    watchers = {name: watched(name, one, executed.add) for name, one in functions.items()}
    first = outcome(module, run, watchers, guard)
    second = outcome(module, run, functions, guard)
    if first is None or not same(first, second):
        return frozenset()
    return frozenset(name for name in executed if reaches(module, run, name, first, guard))


def reaches(module: ModuleType, run: Run, name: str, due: Sequence[Array], guard: Guard) -> bool:
    """Whether the numbers of a run are others if those that one function returns are."""
    unchanged: list[bool] = []
    other = changed(vars(module)[name], np.random.default_rng(0), unchanged)
    found = outcome(module, run, {name: other}, guard)
    return found is None or not same(due, found) or all(unchanged)


def outcome(
    module: ModuleType, run: Run, functions: Functions, guard: Guard
) -> Sequence[Array] | None:
    """The numbers of a run with other functions in the module; None if it raises."""
    kept = {name: vars(module)[name] for name in functions}
    vars(module).update(functions)
    try:
        found: Sequence[Array] = guard.run(lambda: seeded(run, functions), "", None)
    except UserCodeError:
        return None
    finally:
        vars(module).update(kept)
    return found


def seeded(run: Run, functions: Functions) -> Sequence[Array]:
    """A run that draws the same numbers every time; the guard puts the generator back."""
    np.random.seed(0)  # noqa: NPY002  the code under test draws from it
    return run(functions)


def watched(
    name: str, function: Callable[..., Any], seen: Callable[[str], object]
) -> Callable[..., Any]:
    """A function that tells when it is executed."""

    @functools.wraps(function)
    def called(*given: Any, **named: Any) -> Any:
        seen(name)
        return function(*given, **named)

    return called


def changed(
    function: Callable[..., Any], random: np.random.Generator, unchanged: list[bool]
) -> Callable[..., Any]:
    """A function that returns other values; `unchanged` gets whether some could not be changed."""

    @functools.wraps(function)
    def called(*given: Any, **named: Any) -> Any:
        value = function(*given, **named)
        other, found = scaled(value, random)
        unchanged.append(not found)
        return other

    return called


def scaled(value: Any, random: np.random.Generator) -> tuple[Any, bool]:
    """A value with its numbers changed, and whether there are any; class numbers trade places."""
    if isinstance(value, np.ndarray) and value.size:
        if value.dtype.kind == "f":
            change = random.uniform(1.1, 1.9, value.shape)
            return value * change if value.any() else value + change, True
        if value.dtype.kind in "iu":
            return np.roll(value, 1), len(np.unique(value)) > 1
        return (~value, True) if value.dtype.kind == "b" else (value, False)
    if isinstance(value, float | np.floating):
        change = random.uniform(1.1, 1.9)
        return value * change if value else value + change, True
    if isinstance(value, tuple | list) and type(value) in (tuple, list):
        parts = [scaled(one, random) for one in value]
        return type(value)(one for one, _ in parts), any(found for _, found in parts)
    if isinstance(value, dict):
        pairs = {key: scaled(one, random) for key, one in value.items()}
        return {key: one for key, (one, _) in pairs.items()}, any(f for _, f in pairs.values())
    return value, False


def same(one: Sequence[Array] | None, other: Sequence[Array] | None) -> bool:
    """Whether two runs gave the same numbers, bit by bit."""
    if one is None or other is None or len(one) != len(other):
        return False
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))

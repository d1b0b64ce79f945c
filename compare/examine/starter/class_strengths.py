"""The penalty of a class whose strength is an attribute, or an argument with the default 0.

How a class is called is found without it (`recipe`), and at a strength of 0 a wrong derivative of
the penalty does not show. So the attribute has its own value again, or the default is another one,
while the class is called; what that adds tells which term it is (`strengths`).
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FunctionType
from typing import Any

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.examine.starter.binding import plain
from compare.examine.starter.construct import builders
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.networks import point
from compare.examine.starter.readings import Sizes
from compare.examine.starter.recipe import Recipe
from compare.examine.starter.slots import DEEPEST, PENALTY, STRENGTH, entries
from compare.examine.starter.strengths import OURS, Added, Strength, at_least, effective, meant
from compare.guard.guard import Guard
from compare.textbook import Point


def strength_of(
    cls: type, recipe: Recipe, declared: Mapping[str, Any], sizes: Sizes, guard: Guard
) -> Strength:
    """What has to be the default of a class's strengths, and declared, for them to be compared."""
    kept = recipe.strength is None
    own = {} if kept else guard.run(lambda: recipe.strengths(Point(*point(sizes, 0))), "", None)
    named = {name for function in functions(cls) for name in left_at_zero(function)} | set(own)
    if not named:
        return Strength()
    alone = functools.partial(adds, cls, passed=OURS, sizes=sizes)
    every = effective(own, (), lambda name: alone(replace(recipe, only=name)), guard)
    named -= set(own) - set(every)
    own = dict(every)
    called = " and ".join(sorted(named))
    written = {value for value in own.values() if value} or {OURS}
    if len(written) > 1:
        return Strength(lacking=f"what {called} adds was not compared: {DIFFER}")
    passed = at_least(written)
    try:
        added = guard.run(lambda: adds(cls, recipe, passed, sizes), cls.__name__, None)
    except UserCodeError as problem:
        return Strength(lacking=f"what {called} adds was not compared: {problem}")
    return Strength() if added.nothing else meant(added, called, passed, declared, sizes)


DIFFER = "its strengths differ"
INSIDE = re.compile(r"l[12]|penalty|decay|^$")
"""In the names of mistakes that the penalty of a layer may look like; empty for none that is
known."""


def of_layers_inside(verdict: FunctionVerdict, cls: type, sizes: Sizes) -> str:
    """Which strengths of layers that an object holds may be what it is accused of; empty where
    there are none, or its mistakes are others."""
    names = [one.mistake for one in verdict.diagnosis] or [""]
    if not all(map(INSIDE.search, names)):
        return ""
    parameters, x, targets = point(sizes, 0)
    values = {**parameters, "x": x, "y": targets}
    for build in builders(cls):
        with suppress(Exception):  # their constructor, called in another way than it is made for
            return " and ".join(strengths_inside(build(sizes.widths, values)))
    return ""


def strengths_inside(thing: Any, way: tuple[str, ...] = ()) -> Iterator[str]:
    """The strengths, not 0, that objects inside of one keep and their backward passes read."""
    for key, value in entries(thing) if len(way) < DEEPEST else ():
        if isinstance(value, int | float) and way and value and STRENGTH.fullmatch(plain(str(key))):
            back = [one for base in type(thing).__mro__ for name, one in vars(base).items()
                    if "back" in name and type(one) is FunctionType]  # fmt: skip
            if any(key in one.__code__.co_names for one in back):
                yield ".".join((*way, str(key)))
        elif isinstance(value, dict | list) or hasattr(value, "__dict__"):
            if not isinstance(value, type) and not inspect.isroutine(value):
                yield from strengths_inside(value, (*way, str(key)))


def functions(cls: type) -> list[FunctionType]:
    """The functions that a class and the classes it extends define."""
    return [one for base in cls.__mro__ for one in vars(base).values() if type(one) is FunctionType]


def left_at_zero(function: FunctionType) -> Iterator[str]:
    """The arguments of a function that are named like a strength and 0 where they are left out."""
    for one in inspect.signature(function, follow_wrapped=False).parameters.values():
        number = isinstance(one.default, int | float) and not isinstance(one.default, bool)
        if number and one.default == 0 and PENALTY.fullmatch(plain(one.name)):
            yield one.name


@contextmanager
def at_strength(cls: type, strength: float) -> Iterator[None]:
    """Have every strength of a class that is 0 by default be another one meanwhile."""
    kept = [(one, one.__defaults__, one.__kwdefaults__) for one in functions(cls)]
    try:
        for function, *_ in kept:
            give(function, dict.fromkeys(left_at_zero(function), strength))
        yield
    finally:
        for function, defaults, of_keywords in kept:
            function.__defaults__, function.__kwdefaults__ = defaults, of_keywords


def give(function: FunctionType, defaults: Mapping[str, float]) -> None:
    """Replace defaults of a function."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    old = function.__defaults__ or ()
    behind = zip(names[len(names) - len(old) :], old, strict=True)
    function.__defaults__ = tuple(defaults.get(name, value) for name, value in behind) or None
    if keywords := function.__kwdefaults__:
        function.__kwdefaults__ = {name: defaults.get(name, keywords[name]) for name in keywords}


def adds(cls: type, recipe: Recipe, passed: float, sizes: Sizes) -> Added:
    """What a strength adds at one point."""
    without, given = (numbers(cls, recipe, one, sizes) for one in (0.0, passed))
    loss = None if without[0] is None or given[0] is None else given[0] - without[0]
    return Added(loss, {name: array - without[1][name] for name, array in given[1].items()})


def numbers(
    cls: type, recipe: Recipe, strength: float, sizes: Sizes
) -> tuple[float | None, dict[str, Array]]:
    """Loss and gradients at a strength."""
    parameters, x, targets = point(sizes, 0)
    return outcome(cls, recipe, strength, dict(parameters), x, targets)


def outcome(
    cls: type, recipe: Recipe, strength: float, parameters: Arrays, x: Array, targets: Array
) -> tuple[float | None, Arrays]:
    """What a class gives at a strength."""
    with at_strength(cls, 0.0 if recipe.only else strength):
        own = None if recipe.strength is None else strength
        return replace(recipe, strength=own).outcome(parameters, x, targets)

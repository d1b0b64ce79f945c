"""Every form in which people write a layer, called in one way.

A function `manual(inputs, dy)`, a pair `(forward, backward)`, an object with both, a
`torch.autograd.Function`: each becomes one `Call`, from inputs and dy by name to what was returned.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch

from compare.contracts.errors import BadInput, UserCodeError
from compare.guard.blame import name_of, return_of
from compare.guard.contract import kind
from compare.guard.guard import Guard
from compare.layers.spelling import (
    DICTIONARIES,
    PARAMETERS,
    attributes,
    gradient_key,
    looked_up,
    spellings,
)

Values = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """What has to be returned: the outputs and how they come, and a gradient for each of `wrt`."""

    outputs: Mapping[str, tuple[int, ...]]
    container: str
    inputs: Mapping[str, tuple[int, ...]]
    wrt: Sequence[str]

    def packed(self, dy: Values | None) -> Any:
        """Return dy as the reference returns its outputs: one array, a tuple, a dictionary."""
        if dy is None:
            return None
        if self.container == "dict":
            return dict(dy)
        return next(iter(dy.values())) if self.container == "one" else tuple(dy.values())


Call = Callable[[Values, Values | None, Shape], tuple[Any, Any]]
"""Calls the code under test: inputs and dy by name to what it returned, outputs and gradients."""


def refuse(function: Callable[..., Any], what: str) -> NoReturn:
    """Raise `UserCodeError`: the line, the function, what is wrong."""
    place = return_of(function)
    where = f"{place.quoted()}: " if place else ""
    raise UserCodeError(f"{where}{name_of(function)} {what}")


def form_of(what: Any, guard: Guard) -> tuple[Call, Callable[..., Any]]:
    """Return how to call the manual side, and the function that sentences are about."""
    if isinstance(what, tuple | list):
        if len(what) != 2 or not all(callable(part) for part in what):
            raise BadInput(f"manual is {kind(what)}; give a pair (forward, backward) of functions")
        return pair(what[0], what[1], guard), what[1]
    if isinstance(what, type) and issubclass(what, torch.autograd.Function):
        return autograd_function(what, guard), what.backward
    if hasattr(what, "backward"):
        forward = what.forward if hasattr(what, "forward") else what.__call__
        return thing(what, guard), what.backward if not isinstance(what, type) else forward
    if callable(what):
        return function(what, guard), what
    raise BadInput(
        f"manual is {kind(what)}; give a function manual(inputs, dy), a pair (forward, backward) "
        "or an object with both"
    )


def function(what: Callable[..., Any], guard: Guard) -> Call:
    """`manual(inputs, dy) -> (y, {name: gradient})`."""

    def call(inputs: Values, dy: Values | None, shape: Shape) -> tuple[Any, Any]:
        value = guard.call(what, inputs, shape.packed(dy))
        if not isinstance(value, tuple | list) or len(value) != 2:
            refuse(what, f"returned {kind(value)}; it must return (y, gradients)")
        if isinstance(value[0], Mapping) and shape.container != "dict":
            refuse(what, "returned (gradients, y); y comes first")
        return value[0], value[1]

    return call


def pair(forward: Callable[..., Any], backward: Callable[..., Any], guard: Guard) -> Call:
    """`forward(*inputs) -> y` or `(y, cache)`, and `backward(dy, cache)`.

    A loss gets dy = 1. A backward pass without a cache gets the inputs in its place, one by one
    where it takes so many.
    """

    def call(inputs: Values, dy: Values | None, shape: Shape) -> tuple[Any, Any]:
        returned = called(forward, inputs, guard)
        y, cache = split(returned, shape)
        seed = one_like(inputs) if dy is None else shape.packed(dy)
        taken = positional(backward)
        if cache is not None:
            most = (cache[0],) if taken == 1 and dy is None else (seed, cache[0])
            arguments = (seed,) if taken == 1 and dy is not None else most
        elif taken == 1:
            arguments = (seed,)
        elif taken == 1 + len(inputs):
            arguments = (seed, *inputs.values())
        else:
            whole = tuple(inputs.values())
            arguments = (seed, whole[0] if len(whole) == 1 else whole)
        return y, guard.call(backward, *arguments)

    return call


def split(returned: Any, shape: Shape) -> tuple[Any, tuple[Any] | None]:
    """Tell outputs from a cache: `y`, `(y, cache)`, `(y1, y2)`, `(y1, y2, cache)`."""
    count = len(shape.outputs)
    if isinstance(returned, tuple | list):
        if len(returned) == 2 and (count == 1 or isinstance(returned[0], tuple | list | dict)):
            return returned[0], (returned[1],)
        if len(returned) == count + 1:
            return returned[:-1], (returned[-1],)
        if count == 1 and len(returned) > 2:  # y, and the pieces of a cache
            return returned[0], (tuple(returned[1:]),)
    return returned, None


def called(what: Callable[..., Any], inputs: Values, guard: Guard) -> Any:
    """Call with the inputs in order, or as keywords where these are its names in another order."""
    names = parameter_names(what)
    if names is not None and set(names) == set(inputs) and list(names) != list(inputs):
        return guard.call(what, **inputs)
    return guard.call(what, *inputs.values())


def parameter_names(what: Callable[..., Any]) -> list[str] | None:
    """Return the names of what must be given to a function; None if nobody knows."""
    try:
        parameters = inspect.signature(what).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.kind in positional and p.default is p.empty]


def positional(what: Callable[..., Any]) -> int | None:
    """Return how many arguments a function must be given, None if nobody knows."""
    names = parameter_names(what)
    return None if names is None else len(names)


def one_like(inputs: Values) -> Any:
    """Return dy = 1 of a loss, in the format of the inputs."""
    for value in inputs.values():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            return torch.ones((), dtype=value.dtype)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            return value.dtype.type(1)
    return 1.0


def autograd_function(what: Any, guard: Guard) -> Call:
    """A `torch.autograd.Function`: applied to tensors, and differentiated by its own backward."""

    def call(inputs: Values, dy: Values | None, shape: Shape) -> tuple[Any, Any]:
        tensors = {name: torch.as_tensor(value) for name, value in inputs.items()}
        leaves = {name: tensors[name].detach().clone().requires_grad_() for name in shape.wrt}
        outputs = guard.call(what.apply, *(tensors | leaves).values())
        ys = [y for y in flattened(outputs) if y.is_floating_point()]
        seeds = (
            [torch.ones_like(y) for y in ys] if dy is None else [*map(torch.as_tensor, dy.values())]
        )
        found = guard.call(torch.autograd.grad, ys, list(leaves.values()), seeds, allow_unused=True)
        return tuple(ys), dict(zip(leaves, found, strict=True))

    return call


def thing(what: Any, guard: Guard) -> Call:
    """An object with `forward` (or `__call__`) and `backward`, gradients returned or attributes.

    Every call gets a copy of it as it was handed over, so that what it keeps, it keeps for once.
    Inputs that `forward` does not take are set as its attributes (`W` for `weight`, and so on).
    """

    def call(inputs: Values, dy: Values | None, shape: Shape) -> tuple[Any, Any]:
        mine, left = made(what, inputs, guard)
        forward = mine.forward if hasattr(mine, "forward") else mine.__call__
        taken = positional(forward)
        set_names: dict[str, str] = {}
        if taken is None or len(left) != taken:
            set_names = set_attributes(mine, left, taken)
        passed = {name: value for name, value in left.items() if name not in set_names}
        returned = called(forward, passed, guard)
        y, cache = split(returned, shape)
        seed = one_like(inputs) if dy is None else shape.packed(dy)
        needed = positional(mine.backward)
        arguments: tuple[Any, ...] = (seed,)
        if needed == 0:
            arguments = ()
        elif needed == 2 and cache is not None:
            arguments = (seed, cache[0])
        value = guard.call(mine.backward, *arguments)
        return y, collected(mine, value, passed, shape)

    return call


def made(what: Any, inputs: Values, guard: Guard) -> tuple[Any, Values]:
    """Return a fresh object, and the inputs that it does not have yet; a class is called first."""
    if isinstance(what, type):
        names = parameter_names(what) or []
        keys = {name: looked_up(inputs, iter(spellings(name))) for name in names}
        if None in keys.values():
            missing = [name for name, key in keys.items() if key is None]
            raise BadInput(
                f"manual is the class {what.__name__}, and no input is called "
                f"{', '.join(missing)}; give an object of it"
            )
        given = {name: inputs[key] for name, key in keys.items() if key is not None}
        left = {name: value for name, value in inputs.items() if name not in keys.values()}
        return guard.call(what, **given), left
    try:
        return copy.deepcopy(what), dict(inputs)
    except Exception:  # whatever it holds that cannot be copied
        return what, dict(inputs)


def set_attributes(mine: Any, inputs: Values, taken: int | None) -> dict[str, str]:
    """Set those inputs as attributes that the object has by some name; return which are set."""
    found: dict[str, str] = {}
    own = attributes(mine)
    tables = (own[name] for name in PARAMETERS if isinstance(own.get(name), dict))
    held: Values = next(tables, {})
    used: set[str] = set()
    for name in reversed(inputs):  # the first inputs are what forward takes
        if taken is not None and len(inputs) - len(found) <= taken:
            break
        for place in (own, held):
            free = {key: value for key, value in place.items() if key not in used}
            key = looked_up(free, spellings(name))
            if key is None:
                continue
            if place is held:
                held[key] = inputs[name]
            else:
                setattr(mine, key, inputs[name])
            used.add(key)
            found[name] = key
            break
    return found


def collected(mine: Any, value: Any, passed: Values, shape: Shape) -> Any:
    """Return the gradients: what `backward` returned, and what it left in attributes."""
    if isinstance(value, Mapping):
        returned = {name: value[key] for name in shape.wrt if (key := gradient_key(value, name))}
    else:
        parts = [] if value is None else list(value) if isinstance(value, tuple | list) else [value]
        if len(parts) == len(shape.wrt):
            return value if isinstance(value, tuple | list) else (value,)
        names = [name for name in passed if name in shape.wrt]
        returned = dict(zip(names, parts, strict=False))
    own = attributes(mine)
    tables = [own[name] for name in DICTIONARIES if isinstance(own.get(name), Mapping)]
    for name in shape.wrt:
        for table in () if name in returned else tables:
            if (key := gradient_key(table, name)) is not None:
                returned.setdefault(name, table[key])
        if name not in returned and (key := gradient_key(own, name, bare=False)) is not None:
            returned[name] = own[key]
    return returned


def flattened(value: Any) -> list[Any]:
    """Return what is in nested tuples and lists, in order."""
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in flattened(item)]
    return [value]

"""Every form in which people write a layer, called in one way.

A function `manual(inputs, dy)`, a pair `(forward, backward)`, a `torch.autograd.Function`, and in
`objects` one with both: each becomes one `Call`, from inputs and dy by name to what was returned.
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

Values = dict[str, Any]
WRITES = "modifies its argument {}; it got a copy"


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
    """Return how to call what is no object, and the function that sentences are about."""
    if isinstance(what, tuple | list):
        if len(what) != 2 or not all(callable(part) for part in what):
            raise BadInput(f"manual is {kind(what)}; give a pair (forward, backward) of functions")
        return pair(what[0], what[1], guard), what[1]
    if isinstance(what, type) and issubclass(what, torch.autograd.Function):
        return autograd_function(what, guard), what.backward
    if hasattr(what, "forward"):
        raise BadInput(f"manual ({name_of(what)}) has forward and no backward; give both")
    if callable(what):
        return function(what, guard), what
    raise BadInput(
        f"manual is {kind(what)}; give a function manual(inputs, dy), a pair (forward, backward) "
        "or an object with both"
    )


def function(what: Callable[..., Any], guard: Guard) -> Call:
    """`manual(inputs, dy) -> (y, {name: gradient})`."""

    def call(inputs: Values, dy: Values | None, shape: Shape) -> tuple[Any, Any]:
        hint = f"it is called as {name_of(what)}(inputs, dy); inputs has the keys "
        value = guard.call(what, inputs, shape.packed(dy), hint=hint + ", ".join(inputs))
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
    names, before = parameter_names(what), copy.deepcopy(inputs)
    if names is not None and set(names) == set(inputs) and list(names) != list(inputs):
        returned = guard.call(what, **inputs)
    else:
        hint = f"it is called as {name_of(what)}({', '.join(inputs)})"
        returned = guard.call(what, *inputs.values(), hint=hint)
    for name, value in before.items():
        if not unchanged(inputs[name], value):
            guard.notes.add(f"{name_of(what)} {WRITES.format(name)}")
    return returned


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


def unchanged(handed: Any, kept: Any) -> bool:
    """Return whether an argument still is what it was; NaN is what it was too."""
    if isinstance(kept, torch.Tensor):
        return bool(torch.equal(torch.nan_to_num(handed), torch.nan_to_num(kept)))
    return np.array_equal(handed, kept, equal_nan=kept.dtype.kind == "f")


def flattened(value: Any) -> list[Any]:
    """Return what is in nested tuples and lists, in order."""
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in flattened(item)]
    return [value]

"""An object with `forward` (or `__call__`) and `backward` as a layer: made, called, read.

Every call gets a copy of it as it was handed over, so that what it keeps, it keeps for once. Inputs
that `forward` does not take are set as its attributes (`W` for `weight`, and so on), or put in the
place of its parameters, and gradients are what `backward` returns or leaves behind.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch

from compare.contracts.errors import BadInput
from compare.guard.guard import Guard
from compare.layers.calling import (
    Call,
    Shape,
    Values,
    called,
    one_like,
    parameter_names,
    positional,
    split,
)
from compare.layers.left_behind import (
    HELD,
    by_shape,
    collected,
    is_parameter,
    set_back,
    shapes_of,
    value_of,
)
from compare.layers.spelling import (
    PARAMETERS,
    attributes,
    looked_up,
    spellings,
)

SET_BACK = ("zero_grad", "zero_grads", "zero_gradients", "reset_grad", "reset_grads", "clear_grads")
"""Methods by which gradients that add up are set back between two calls."""


def is_object(what: Any) -> bool:
    """Return whether a layer is an object, or a class, with a backward pass."""
    applied = isinstance(what, type) and issubclass(what, torch.autograd.Function)
    return hasattr(what, "backward") and not applied


def main_function(what: Any) -> Callable[..., Any]:
    """Return the method that sentences are about."""
    function: Callable[..., Any] = forward_of(what) if isinstance(what, type) else what.backward
    return function


def forward_of(what: Any) -> Callable[..., Any]:
    """Return the method of the forward pass."""
    forward = getattr(what, "forward", None)
    function: Callable[..., Any] = what.__call__ if forward is None else forward
    return function


def thing(what: Any, guard: Guard, times: int = 1) -> Call:
    """An object whose two passes are called `times` times, with what the last of them gives."""

    def call(inputs: Values, dy: Values | None, shape: Shape) -> tuple[Any, Any]:
        mine, left = made(what, inputs, guard)
        taken = positional(forward_of(mine))
        set_names: dict[str, str] = {}
        if taken is None or len(left) != taken:
            set_names = set_attributes(mine, left, taken)
        passed = {name: value for name, value in left.items() if name not in set_names}
        seed = one_like(inputs) if dy is None else shape.packed(dy)
        kept = copy.deepcopy((passed, seed))
        for _ in range(times - 1):
            passes(mine, *copy.deepcopy(kept), shape, guard)
            for name in SET_BACK:
                if hasattr(mine, name):
                    guard.call(getattr(mine, name))
            set_back(mine)
        y, value = passes(mine, *(kept if times > 1 else (passed, seed)), shape, guard)
        rest = {name: given for name, given in inputs.items() if name not in passed}
        return y, collected(mine, value, passed, rest, shape)

    return call


def passes(mine: Any, passed: Values, seed: Any, shape: Shape, guard: Guard) -> tuple[Any, Any]:
    """Call both passes; return the outputs, and what the backward pass returned."""
    y, cache = split(called(forward_of(mine), passed, guard), shape)
    needed = positional(mine.backward)
    arguments: tuple[Any, ...] = (seed,)
    if needed == 0:
        arguments = ()
    elif needed == 2 and cache is not None:
        arguments = (seed, cache[0])
    return y, guard.call(mine.backward, *arguments)


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
    """Set inputs as attributes that the object has by some name, or reads; return which are set."""
    own = attributes(mine)
    found = put_in_a_list(own, inputs, taken)
    read = dict.fromkeys(() if taken is None else read_names(mine))
    tables = (own[name] for name in PARAMETERS if isinstance(own.get(name), dict))
    held: Values = next(tables, {})
    used: set[str] = set()
    for name in reversed(inputs):  # the first inputs are what forward takes
        if taken is not None and len(inputs) - len(found) <= taken:
            break
        for place in (own, held, read):
            free = {key: value for key, value in place.items() if key not in used}
            key = looked_up(free, spellings(name))
            if key is None:
                continue
            if place is held:
                held[key] = inputs[name]
            elif not put_inside(getattr(mine, key, None), inputs[name]):
                setattr(mine, key, inputs[name])
            used.add(key)
            found[name] = key
            break
    return found


def put_in_a_list(own: Values, inputs: Values, taken: int | None) -> dict[str, str]:
    """Put what `forward` does not take into a list of parameters of these shapes; return which.

    Only where no attribute has any of them: a list beside attributes is one of the same values.
    """
    rest = {name: inputs[name] for name in list(inputs)[taken or 0 :]}
    if not rest or any(looked_up(own, spellings(name)) for name in rest):
        return {}
    for key in PARAMETERS:
        held = own.get(key)
        if not isinstance(held, list):
            continue
        names = by_shape(shapes_of(rest), [value_of(one) for one in held])
        if len(names) == len(rest):
            for place, name in enumerate(names):
                if not put_inside(held[place], inputs[name]):
                    held[place] = inputs[name]
            return dict.fromkeys(names, key)
    return {}


def put_inside(parameter: Any, value: Any) -> bool:
    """Put a value inside an object that stands for a parameter, if it is one."""
    if isinstance(parameter, torch.nn.Parameter):
        parameter.data = torch.as_tensor(value)
        return True
    name = next((one for one in HELD if is_parameter(parameter) and hasattr(parameter, one)), None)
    if name is None:
        return False
    with suppress(AttributeError):  # one that cannot be written to
        setattr(parameter, name, value)
        return True
    return False


def read_names(mine: Any) -> Iterator[str]:
    """Yield the names that the methods of an object use, its attributes among them."""
    for cls in type(mine).__mro__:
        for method in vars(cls).values():
            yield from getattr(getattr(method, "__code__", None), "co_names", ())

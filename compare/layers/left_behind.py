"""What an object gives of its gradients: returned, or left behind in one of the usual places.

These are a dictionary (`grads["W"]`), an attribute (`dW`), a list beside that of the parameters
(`self.params = [W, b]; self.grads = [dW, db]`), and the `grad` of an object that stands for a
parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from compare.layers.calling import Shape, Values, refuse
from compare.layers.spelling import (
    DICTIONARIES,
    PARAMETERS,
    attributes,
    gradient_key,
    looked_up,
    spellings,
)

HELD = ("data", "value", "val")
"""Where an object that stands for a parameter has its value."""
GRADIENT = ("grad", "gradient")
"""And its gradient; it has both."""


def collected(mine: Any, value: Any, passed: Values, rest: Values, shape: Shape) -> Any:
    """Return the gradients; `passed` are the inputs of `forward`, `rest` those the object has.

    Errors: `UserCodeError` if there is one that is nowhere.
    """
    parts = parts_of(value)
    tables = [part for part in parts if isinstance(part, Mapping)]
    arrays = [part for part in parts if not isinstance(part, Mapping)]
    if len(arrays) == len(shape.wrt):
        due = {name: shape.inputs[name] for name in shape.wrt}
        names = by_shape(due, arrays) if len(parts) != len(as_list(value)) else []
        return dict(zip(names, arrays, strict=True)) if names else tuple(arrays)
    names = [name for name in passed if name in shape.wrt]
    found = {name: table[key] for table in tables for name in shape.wrt
             if (key := gradient_key(table, name)) is not None}  # fmt: skip
    found |= dict(zip((name for name in names if name not in found), arrays, strict=False))
    own = attributes(mine)
    for name in shape.wrt:
        if name not in found and (kept := in_attributes(own, name)):
            found[name] = kept[0]
    left = [name for name in rest if name in shape.wrt and name not in found]
    found |= in_lists(own, {name: rest[name] for name in left})
    nowhere = [name for name in shape.wrt if name not in found]
    if nowhere:
        refuse(mine.backward, unfound(nowhere[0], len(parts), own))
    return found


def parts_of(value: Any) -> list[Any]:
    """Return what `backward` returned, with what stands in a list or a tuple within it."""
    if value is None:
        return []
    if not isinstance(value, tuple | list):
        return [value]
    return [part for each in value for part in (each if holds_arrays(each) else [each])]


def holds_arrays(part: Any) -> bool:
    """Return whether this is a list of arrays, and no array written as a list."""
    arrays = np.ndarray | torch.Tensor
    return isinstance(part, tuple | list) and any(isinstance(one, arrays) for one in part)


def in_attributes(own: Values, name: str) -> list[Any]:
    """Return the gradient of an input from a dictionary, an attribute or its parameter, if any."""
    tables = [own[key] for key in DICTIONARIES if isinstance(own.get(key), Mapping)]
    for table in tables:
        if (key := gradient_key(table, name)) is not None and table[key] is not None:
            return [table[key]]
    if (key := gradient_key(own, name, bare=False)) is not None and own[key] is not None:
        return [own[key]]
    held = looked_up(own, spellings(name))
    return [] if held is None else gradients_in([own[held]])


def gradients_in(parameters: Iterable[Any]) -> list[Any]:
    """Return the gradients of objects that stand for parameters; of others none."""
    names = ((one, key) for one in parameters if is_parameter(one) for key in GRADIENT)
    return [getattr(one, key) for one, key in names if getattr(one, key, None) is not None]


def set_back(mine: Any) -> None:
    """Set the gradients of objects that stand for parameters to 0, as torch's users do: there they
    add up from call to call by convention."""
    own = attributes(mine)
    every = [*own.values(), *(one for key in PARAMETERS for one in as_list(own.get(key)))]
    for one in filter(is_parameter, every):
        for key in GRADIENT:
            if isinstance(kept := getattr(one, key, None), np.ndarray):
                setattr(one, key, np.zeros_like(kept))


def as_list(held: Any) -> list[Any]:
    """Return what is in a list; of anything else nothing."""
    return list(held) if isinstance(held, tuple | list) else []


def is_parameter(thing: Any) -> bool:
    """Return whether something may stand for a parameter, and is no number or array itself."""
    if isinstance(thing, np.ndarray | np.generic | torch.Tensor) or hasattr(thing, "forward"):
        return False
    return all(any(hasattr(thing, one) for one in names) for names in (HELD, GRADIENT))


def in_lists(own: Values, left: Values) -> Values:
    """Return gradients from a list that is as long as there are inputs left.

    They are in the order of the parameters where these are in a list too; else their shapes have to
    say which is which.
    """
    lists = [own[key] for key in PARAMETERS if isinstance(own.get(key), tuple | list)]
    kept = [own[key] for key in DICTIONARIES if isinstance(own.get(key), tuple | list)]
    kept += [found for one in lists if (found := gradients_in(one))]
    for gradients in kept:
        if len(gradients) == len(left):
            names = in_order(left, lists) or by_shape(shapes_of(left), gradients)
            return dict(zip(names, gradients, strict=True)) if names else {}
    return {}


def in_order(left: Values, lists: list[Any]) -> list[str]:
    """Return the names of inputs in the order of a list of parameters that has their values."""
    for parameters in lists:
        names, found = list(left), list[str]()
        for parameter in parameters:
            value = value_of(parameter)
            name = next((one for one in names if same(left[one], value)), None)
            if name is not None:
                names.remove(name)
                found.append(name)
        if not names:
            return found
    return []


def shapes_of(values: Values) -> dict[str, tuple[int, ...]]:
    """Return the shapes of values by name."""
    return {name: np.shape(value) for name, value in values.items()}


def by_shape(due: Mapping[str, tuple[int, ...]], arrays: Sequence[Any]) -> list[str]:
    """Return the names of shapes in the order of arrays that have them; none if two are alike or
    do not fit."""
    named = {shape: name for name, shape in due.items()}
    names = [named[np.shape(one)] for one in arrays if np.shape(one) in named]
    return names if len(named) == len(due) == len(arrays) and set(names) == set(due) else []


def value_of(parameter: Any) -> Any:
    """Return the value of a parameter that may be an object."""
    if not is_parameter(parameter):
        return parameter
    return next((getattr(parameter, one) for one in HELD if hasattr(parameter, one)), None)


def same(one: Any, other: Any) -> bool:
    """Return whether two are the same array."""
    return np.shape(one) == np.shape(other) and bool(np.all(np.asarray(one) == np.asarray(other)))


def unfound(name: str, returned: int, own: Values) -> str:
    """Say that a gradient is nowhere, where it was looked for, and where it is found."""
    values = f"{returned} value{'' if returned == 1 else 's'}"
    kept = ", ".join(own) or "none"
    return (
        f"returned {values}, and no gradient of {name} is among them or the attributes ({kept}); "
        f"return it, or keep it as d{name}, grads[{name!r}] or in a list grads beside a list "
        "params of the values"
    )

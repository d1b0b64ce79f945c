"""A forward and a backward pass as two functions, made one layer: the arrays that the forward pass
takes beside the first are its parameters, what it returns beside its output is kept.

    out, cache = conv_forward(x, w, b, settings)        dx, dw, db = conv_backward(dout, cache)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.examine.starter.alone.making import CHANNELS, SHAPES, Way
from compare.examine.starter.alone.passes import Layer
from compare.examine.starter.alone.verdict import judged
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_functions import returned_names
from compare.examine.starter.pair_check import counterparts, is_open, settings_in
from compare.examine.starter.pair_orders import INCOMING
from compare.examine.starter.source import Source
from compare.guard.guard import Guard

IMAGES = ("rows", "channels", "height", "width")
UNITS, FILTERS, FIELD = 4, 3, 3
MOST = 60
"""So many shapes of the parameters are tried for each shape of the input."""
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Passes:
    """The two functions; `arrays` and `settings` are what the forward pass takes."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    arrays: tuple[str, ...]
    settings: Mapping[str, Any]
    order: tuple[str, ...]
    """The parameters of the forward pass, in their order."""
    asked: tuple[str, ...]
    """Those of the backward pass."""
    returned: tuple[str, ...]
    """What it calls the gradients that it returns."""


class Joined:
    """Both as one object, as a layer is one."""

    def __init__(self, passes: Passes, parameters: Mapping[str, Array]) -> None:
        vars(self).update({name: one.copy() for name, one in parameters.items()})
        vars(self)["_rehearsed_passes"] = passes

    def forward(self, x: Array) -> Any:
        """The output; what else comes back is kept."""
        passes: Passes = vars(self)["_rehearsed_passes"]
        given = {**passes.settings, **{name: getattr(self, name) for name in passes.arrays[1:]}}
        given[passes.arrays[0]] = x
        answer = passes.forward(*(given[name] for name in passes.order))
        y, *kept = answer if isinstance(answer, tuple) else (answer,)
        vars(self)["_rehearsed_kept"] = kept, given
        return y

    def backward(self, dy: Array) -> Any:
        """The gradient of the input; those of the parameters are left behind."""
        passes: Passes = vars(self)["_rehearsed_passes"]
        kept, given = vars(self)["_rehearsed_kept"]
        answer = passes.backward(*handed(passes.asked, dy, list(kept), given))
        for name, array in named(passes, answer).items():
            setattr(self, f"d{name}", array)
        return vars(self).pop(f"d{passes.arrays[0]}")


def handed(
    asked: Sequence[str], dy: Array, kept: list[Any], given: Mapping[str, Any]
) -> Iterator[Any]:
    """Yield what a backward pass is handed: dy by its name, inputs by theirs, and what was kept."""
    named = [one for one in asked if one not in given and INCOMING.fullmatch(plain(one))]
    incoming = named[0] if named else asked[0]
    for one in asked:
        if one == incoming:
            yield dy
        elif one in given:
            yield given[one]
        else:
            yield kept.pop(0)


def named(passes: Passes, answer: Any) -> dict[str, Any]:
    """The gradients that came back, by the inputs they are of: by name, else in their order."""
    if isinstance(answer, Mapping):
        keys, found = [str(key) for key in answer], list(answer.values())
    else:
        found = list(answer) if isinstance(answer, tuple | list) else [answer]
        keys = list(passes.returned)
    said = [re.sub("^d|^grad|grad$", "", plain(one)) for one in keys]
    own = {plain(one): one for one in passes.arrays}
    if len(said) == len(found) and set(said) <= set(own):
        return {own[one]: array for one, array in zip(said, found, strict=True)}
    return dict(zip(passes.arrays, found, strict=False))


def pair_alone(source: Source, one: FunctionVerdict) -> FunctionVerdict:
    """The verdict on a backward pass that could not be compared, beside the forward pass of its
    name; the same where that tells nothing."""
    if not is_open(source, one):
        return one
    quiet = Guard(timeout=source.guard.timeout)
    for name in counterparts(source, one.name):
        passes = passes_of(source, name, one.name)
        for way in [] if passes is None else ways(passes):
            try:
                run = partial(judged, Layer(way), one)
                found: FunctionVerdict | None = quiet.run(run, "", None)
            except UserCodeError:
                continue
            return found or one
    return one


def passes_of(source: Source, forward: str, backward: str) -> Passes | None:
    """The two functions of a file, if they can be loaded."""
    functions = vars(source.load([forward, backward]).module)
    ahead, back = (source.definitions[name].node for name in (forward, backward))
    if not all(callable(functions.get(name)) for name in (forward, backward)):
        return None
    if not (isinstance(ahead, ast.FunctionDef) and isinstance(back, ast.FunctionDef)):
        return None
    order = required(ahead)
    settings = {name: found for name in order if (found := settings_in(ahead, name))}
    arrays = tuple(name for name in order if name not in settings)
    names = tuple(returned_names(back))
    if not arrays:
        return None
    return Passes(functions[forward], functions[backward], arrays, settings, order,
                  required(back), names)  # fmt: skip


def required(node: ast.FunctionDef) -> tuple[str, ...]:
    """The parameters of a function without a default."""
    names = [one.arg for one in node.args.args]
    return tuple(names[: len(names) - len(node.args.defaults)])


def ways(passes: Passes) -> Iterator[Way]:
    """Yield the layers that the two may be, by the shapes of what they take."""
    for shape in SHAPES:
        others = [list(shapes_of(name, shape)) for name in passes.arrays[1:]]
        for chosen in islice(product(*others), MOST):
            made = dict(zip(passes.arrays[1:], map(np.ones, chosen), strict=True))
            yield Way(Joined, (passes, made), "forward", (), shape)


def shapes_of(name: str, x: Shape) -> Iterator[Shape]:
    """Yield the shapes that a parameter of this name may have beside an input."""
    key, features = plain(name), x[-1]
    if len(x) == len(IMAGES):
        bias = re.fullmatch(r"b\w*", key)
        yield from [(FILTERS,), (CHANNELS,)] if bias else [(FILTERS, CHANNELS, FIELD, FIELD)]
        yield from [(CHANNELS,)] if re.fullmatch(r"gamma|beta", key) else []
    elif re.fullmatch(r"gamma|beta|scale|shift", key):
        yield (features,)
    elif re.fullmatch(r"b\w*", key):
        yield from [(UNITS,), (4 * UNITS,), (features,), (UNITS, 1)]
    elif re.fullmatch(r"(prev)?[hca]\d*|.*(prev|state|init)\w*", key):
        yield from [(x[0], UNITS), (features, UNITS)]
    elif re.fullmatch(r".*(hh|wh|wa|uh?|rec)\w*", key):
        yield from [(UNITS, UNITS), (UNITS, 4 * UNITS)]
    else:
        yield from [(features, UNITS), (features, 4 * UNITS), (features, features),
                    (UNITS, features), (UNITS, x[0]), (UNITS, UNITS)]  # fmt: skip

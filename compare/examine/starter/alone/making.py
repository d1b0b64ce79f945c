"""The ways to make one layer: what its constructor is given, and the shape of its input.

The names of the parameters say what they are (a kernel of 3, a share that is dropped); sizes that
nothing says are unequal numbers.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.examine.starter.binding import plain
from compare.examine.starter.construct import GENERATOR, Either
from compare.examine.starter.layer_classes import BACKWARD, FORWARD, methods_of
from compare.examine.starter.source import Source

ROWS, SIZE, WIDE, CHANNELS = 5, 6, 7, 2
SIZES = (SIZE, 4, 3, 2)
"""What a constructor's sizes are, in their order."""
USUAL: Mapping[str, Any] = {
    r".*(kernel|filtersize|field|fsize|ksize).*|k|f|fh|fw|kh|kw": 3,
    r".*pool.*": 2,
    r".*stride.*|s": 1,
    r".*pad.*": 1,
    r".*heads?": 2,
    r"p|.*(drop|keep|prob).*": 0.5,
    r"lr|.*rate|alpha|slope|eps|epsilon|momentum": 0.1,
    r"seed": 0,
    r".*inc(hannels?)?|.*channelsin|c|.*inchannels?": CHANNELS,
    r".*(outc(hannels?)?|filters|nfilters|channelsout)": 3,
}
"""What parameters are called, and what they are given."""
MODE = re.compile(r"(is)?(train(ing)?|mode)|train_?mode")
SHAPES = (
    (ROWS, SIZE), (ROWS, WIDE, SIZE), (ROWS, CHANNELS, WIDE, SIZE), (ROWS, WIDE, SIZE, CHANNELS),
    (CHANNELS, WIDE, SIZE), (SIZE,), (SIZE, ROWS), (SIZE, 1),
)  # fmt: skip
"""Of inputs: rows of features first."""


@dataclass(frozen=True)
class Way:
    """One way to make a layer and to call it."""

    cls: type
    given: tuple[Any, ...]
    forward: str
    further: tuple[Any, ...]
    shape: tuple[int, ...]


def ways(cls: type, source: Source, name: str) -> Iterator[Way]:
    """Yield the ways to make a class and to call its forward pass; none where it is no layer."""
    methods = methods_of(source, name)
    forward = next((one for one in FORWARD if one in methods), "")
    if not forward or BACKWARD not in methods:
        return
    asked, back = required(methods[forward]), required(methods[BACKWARD])
    if not asked or len(back) != 1 or not all(MODE.fullmatch(plain(one)) for one in asked[1:]):
        return
    given = tuple(arguments(cls))
    for shape in SHAPES:
        yield Way(cls, given, forward, (True,) * (len(asked) - 1), shape)


def required(method: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The parameters of a method without a default, but for the object itself."""
    own = [one.arg for one in method.args.args][1:]
    return own[: len(own) - len(method.args.defaults)] if method.args.defaults else own


def arguments(cls: type) -> Iterator[Any]:
    """Yield what a constructor is given for its parameters without a default."""
    sizes = iter(SIZES)
    for one in inspect.signature(cls).parameters.values():
        if one.default is one.empty and one.kind in (
            one.POSITIONAL_ONLY,
            one.POSITIONAL_OR_KEYWORD,
        ):
            yield argument(plain(one.name), sizes)


def argument(name: str, sizes: Iterator[int]) -> Any:
    """Return what a parameter of this name is given."""
    if GENERATOR.fullmatch(name):
        return Either(0)
    usual = next((value for key, value in USUAL.items() if re.fullmatch(key, name)), None)
    if usual is not None:
        return usual
    if re.fullmatch(r"w\d*|weights?", name):
        return np.ones((SIZES[0], SIZES[1]))
    if re.fullmatch(r"b\d*|bias(es)?", name):
        return np.ones(SIZES[1])
    if re.fullmatch(r"gamma|beta|scale|shift", name):
        return np.ones(SIZES[0])
    return next(sizes, SIZES[-1])

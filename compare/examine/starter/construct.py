"""An object of somebody's class, built for a network of given sizes."""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from compare.examine.starter.binding import CERTAIN, plain
from compare.guard.effects import Notes, generators_kept

Sizes = tuple[int, ...]
SEED = 0
INPUTS = re.compile(
    r"(n|num|size|dim|d|no)?(of)?(in|inp|input|inputs|feature|features|x)\w*|d|f|n0"
)
HIDDEN = re.compile(r".*hid.*|n?h\d?|m|[nhl][1-9]|units|neurons")
OUTPUTS = re.compile(r".*(out|class|target|label).*|k|c|ny|no|n2|y")
ALL = re.compile(r".*(layer|sizes|dims|shape|architecture|structure|topology|widths).*")
GENERATOR = re.compile(r"(np)?rng|generator|gen|(random)?state|rs|rand|random")
RATE = re.compile(r"lr|learningrate|rate|alpha|eta|stepsize")


@contextmanager
def drawn_alike() -> Iterator[None]:
    """Let what is built draw the same numbers every time; what is drawn later stays random."""
    with generators_kept("", None, Notes()):
        random.seed(SEED)
        np.random.seed(SEED)  # noqa: NPY002  what the class draws from
        yield


class Either(np.random.RandomState):
    """A generator with the methods of both kinds that NumPy has: nobody says which one he means."""

    def integers(self, *given: Any, **named: Any) -> Any:
        """Whole numbers, as the newer kind calls it."""
        return self.randint(*given, **named)


def builders(cls: Callable[..., Any]) -> Iterator[Callable[[Sizes, Mapping[str, Any]], Any]]:
    """The ways to build an object, the likeliest first: by the names of the parameters, with one
    number of hidden units or a list of them, then by their order.
    """
    yield lambda sizes, values: cls(**by_name(cls, sizes, values))
    if any(HIDDEN.fullmatch(plain(one)) for one in inspect.signature(cls).parameters):
        yield lambda sizes, values: cls(**by_name(cls, sizes, values, listed=True))
    yield lambda sizes, values: cls(*sizes)
    yield lambda sizes, values: cls(list(sizes))
    yield lambda sizes, values: cls()


def by_name(
    cls: Callable[..., Any], sizes: Sizes, values: Mapping[str, Any], *, listed: bool = False
) -> dict[str, Any]:
    """An argument for every parameter whose name says what it is or that has no default; of hidden
    units the numbers of all layers where they are `listed`."""
    given: dict[str, Any] = {}
    left, hidden = list(sizes), list(sizes[1:-1])
    parameters = inspect.signature(cls).parameters.values()
    for one in parameters:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            continue
        required = one.default is one.empty
        value = meant(plain(one.name), one.default, (sizes[0], *hidden, sizes[-1]), values)
        if listed and required and HIDDEN.fullmatch(plain(one.name)):
            value = list(sizes[1:-1])
        if HIDDEN.fullmatch(plain(one.name)) and value == hidden[0]:
            hidden = hidden[1:] or hidden  # the next one's
        if value is not None:
            given[one.name] = value
        elif required:
            given[one.name] = left[0] if left else 1
        if required or value is not None:
            left = [size for size in left if not np.array_equal(size, given[one.name])]
    return given


def meant(key: str, default: Any, sizes: Sizes, values: Mapping[str, Any]) -> Any:
    """What a parameter of a constructor stands for, or None."""
    number = default is inspect.Parameter.empty or (
        isinstance(default, int) and not isinstance(default, bool)
    )
    listed = default is inspect.Parameter.empty or isinstance(default, list | tuple)
    if GENERATOR.fullmatch(key) and not isinstance(default, int):
        return Either(SEED)
    if RATE.fullmatch(key):
        return 0.1 if default is inspect.Parameter.empty else None
    if ALL.fullmatch(key) and not HIDDEN.fullmatch(key) and not key.startswith(("n", "num")):
        return list(sizes) if listed else None
    if HIDDEN.fullmatch(key):
        hidden = list(sizes[1:-1])
        return hidden if isinstance(default, list | tuple) else hidden[0] if number else None
    weight = CERTAIN.get(key, "")
    if default is inspect.Parameter.empty and weight in values and weight not in ("x", "y"):
        return np.array(values[weight])
    if default is inspect.Parameter.empty and CERTAIN.get(key) in ("x", "y") and len(key) < 3:
        return values[CERTAIN[key]]
    if not number:
        return None
    if OUTPUTS.fullmatch(key):
        return sizes[-1]
    return sizes[0] if INPUTS.fullmatch(key) else None

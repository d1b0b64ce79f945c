"""What is seen of a program while it runs: all its arrays whenever the body of a loop begins.

for x in xs:             is run as       _loop(3)
    body                                 for x in xs:
                                             _turn(3, locals())
                                             body
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.binding import plain
from compare.examine.starter.slots import GRADIENT_NAME

LOOP, TURN = "_rehearsed_loop", "_rehearsed_turn"
DEEPEST, MOST_ARRAYS, MOST_NUMBERS = 4, 300, 2_000_000
TURNS, RUNS, MOST_TURNS = 6, 3, 1500
"""So many turns of one run of a loop are kept, so many runs of each, and so many turns of all are
waited for."""
MOST_KEPT = 20_000_000
"""Numbers in all copies: 160 MB."""
Snapshot = dict[str, Array]


class Enough(BaseException):
    """As much was seen as is looked at."""


@dataclass
class Recorder:
    """The arrays at the beginning of each turn, by loop and by run of it; `first`: of the first
    turn of each run, in order."""

    module: Mapping[str, Any]
    first: list[Snapshot] = field(default_factory=list)
    runs: dict[int, list[list[Snapshot]]] = field(default_factory=dict)
    turns: int = 0
    numbers: int = 0
    last: Snapshot = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    """The loops of which as many runs were seen as are kept."""

    within: dict[int, tuple[int, Snapshot]] = field(default_factory=dict)
    """What is named like a gradient at the first turn of the last run of a loop, and when that was
    seen."""
    came: dict[int, int] = field(default_factory=dict)
    """When the last turn of a loop began."""

    failures: list[BaseException] = field(default_factory=list)
    """What was raised."""

    @contextlib.contextmanager
    def failing(self, given: Mapping[str, Any]) -> Iterator[None]:
        """Keep what is raised by a training that is given rows, and nothing that we do not know."""
        known = all(value is not None for value in given.values())
        arrays = sum(isinstance(value, np.ndarray) for value in given.values())
        try:
            yield
        except Exception as error:
            self.failures += [error] if known and arrays > 1 else []

    @property
    def steps(self) -> bool:
        """Whether a loop in which a matrix changes came to its second turn."""
        return any(
            array.ndim == 2 and array.dtype.kind == "f" and array.shape == after.shape
            and (array != after).any()
            for runs in self.runs.values() for run in runs if len(run) > 1
            for way, array in run[0].items() if (after := run[1].get(way)) is not None
        )  # fmt: skip

    def loop(self, number: int) -> None:
        """A loop is about to run."""
        runs = self.runs.setdefault(number, [])
        if len(runs) < RUNS:
            runs.append([])
        else:
            self.done.add(number)

    def turn(self, number: int, scope: Mapping[str, Any]) -> None:
        """A turn of a loop begins."""
        self.turns += 1
        if self.turns > MOST_TURNS:
            raise Enough
        run = self.runs[number][-1]
        if len(run) < TURNS and number not in self.done:
            seen = snapshot({**self.module, **scope}, self.last)
            self.numbers += sum(one.size for way, one in seen.items()
                                if one is not self.last.get(way))  # fmt: skip
            if self.numbers > MOST_KEPT:
                raise Enough
            run.append(seen | self.gradients_since(number, seen))
            self.last = seen
            self.first += run[-1:] if len(run) == 1 else []
            if len(run) == 1:
                named = {way: one for way, one in seen.items() if names_gradient(way)}
                self.within[number] = self.turns, named
            self.came[number] = self.turns

    def gradients_since(self, number: int, seen: Snapshot) -> Snapshot:
        """Return the gradients that a loop inside of this one, of an optimiser, was handed since
        the last turn: nothing else may keep them."""
        since = self.came.get(number, self.turns)
        found: Snapshot = {}
        for other, (when, named) in self.within.items():
            if other != number and when > since:
                found |= {way: one for way, one in named.items() if way not in seen}
        return found


def names_gradient(way: str) -> bool:
    """Return whether a word of a way names a gradient."""
    return any(GRADIENT_NAME.fullmatch(plain(word)) for word in way.split("."))


def snapshot(scope: Mapping[str, Any], last: Snapshot) -> Snapshot:
    """Return copies of all arrays that names lead to, by the way to them; of one that is as it was
    in the `last` the same."""
    found: Snapshot = {}
    for way, array in reached(scope, "", 0, set()):
        if array.size <= MOST_NUMBERS:
            kept = last.get(way)
            same = kept is not None and kept.dtype == array.dtype and np.array_equal(kept, array)
            found[way] = kept if kept is not None and same else array.copy()
        if len(found) == MOST_ARRAYS:
            break
    return found


def reached(value: Any, way: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Array]]:
    """Yield arrays and numbers in containers and objects, each once; of numbers in a list the
    last."""
    if id(value) in seen or depth > DEEPEST:
        return
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fiub" and value.ndim in (1, 2) and value.size:
            seen.add(id(value))
            yield way, value
        elif value.dtype.kind == "f" and not value.ndim:
            yield way, value
        return
    if isinstance(value, float | np.floating):
        yield way, np.asarray(value, float)
        return
    if isinstance(value, str | bytes | int | float | ModuleType | FunctionType | type):
        return
    inner: Iterator[tuple[Any, Any]] | None = None
    if isinstance(value, Mapping):
        inner = iter(list(value.items()))
    elif isinstance(value, list | tuple):
        numbers = bool(value) and isinstance(value[-1], float | np.floating)
        inner = iter(enumerate(value[-1:] if numbers else value[:50]))
    elif hasattr(value, "__dict__"):
        inner = iter(list(vars(value).items()))
    if inner is None:
        return
    seen.add(id(value))
    for key, one in inner:
        if not str(key).startswith("__"):
            yield from reached(one, f"{way}.{key}" if way else str(key), depth + 1, seen)


class Watched(ast.NodeTransformer):
    """Puts the calls into loops; `places` are their lines."""

    def __init__(self) -> None:
        self.places: dict[int, tuple[str, int]] = {}
        self.file = ""

    def visit_For(self, node: ast.For) -> list[ast.stmt]:
        """A loop, and in front of it that it begins."""
        return self.watched(node)

    def visit_While(self, node: ast.While) -> list[ast.stmt]:
        """A loop, and in front of it that it begins."""
        return self.watched(node)

    def watched(self, node: ast.For | ast.While) -> list[ast.stmt]:
        """The loop with its calls."""
        number = len(self.places)
        self.places[number] = (self.file, node.lineno)
        self.generic_visit(node)
        ahead, turn = ast.parse(f"{LOOP}({number})\n{TURN}({number}, locals())").body
        for part in (*ast.walk(ahead), *ast.walk(turn)):
            ast.copy_location(part, node)
        node.body = [turn, *node.body]
        return [ahead, node]

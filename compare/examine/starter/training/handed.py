"""What a program hands to one of its functions while it runs: single vectors, or a batch.

    def softmax(v):                      for x in X:
        e = np.exp(v - v.max())              p = softmax(W @ x + b)
        return e / e.sum()

is right there, and wrong for the rows of a matrix. Nothing but the calls can tell which is meant.
"""

from __future__ import annotations

import ast
import functools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from compare.examine.starter.single import BATCH, forms_of
from compare.examine.starter.source import Source
from compare.examine.starter.training.calls import put_in_defaults
from compare.examine.starter.training.program import Program, program_of
from compare.examine.starter.training.supply import Supply, supplies
from compare.examine.starter.training.trained import runs

SECONDS = 3.0
"""Of processor time in search of data on which a program trains."""
MODULE = "<module>"
FAR = 12
"""How many calls lie between a function of the file and one that it is handed over to."""


@dataclass
class Handed:
    """Puts one watched function into a program; keeps the forms of what it is handed, and which of
    the functions that name it have called it."""

    name: str
    callers: frozenset[str]
    forms: set[str] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)

    def __call__(self, source: Source, space: dict[str, Any]) -> None:
        """Put it into the place of the file's own."""
        if callable(function := space.get(self.name)):
            space[self.name] = self.watched(function)
            put_in_defaults(space, function, space[self.name])

    def watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, which tells what it is handed."""

        @functools.wraps(function)
        def called(*given: Any, **named: Any) -> Any:
            self.forms |= forms_of([*given, *named.values()], sys.maxsize)
            self.reached |= set(self.above(sys._getframe(1)))
            return function(*given, **named)

        return called

    def above(self, frame: FrameType | None) -> Iterator[str]:
        """The function of the file that a call comes from."""
        for _ in range(FAR):
            if frame is None:
                return
            if frame.f_code.co_name in self.callers:
                yield frame.f_code.co_name
                return
            frame = frame.f_back

    @property
    def form(self) -> str:
        """The form of the single samples that it is handed; empty where it is handed others, or
        nothing."""
        alone = self.forms and BATCH not in self.forms
        return min(self.forms, key=lambda one: one != "vector") if alone else ""

    @property
    def unreached(self) -> list[str]:
        """The functions that name it and did not call it."""
        return sorted(self.callers - self.reached)


def handed_in(source: Source, name: str) -> Handed:
    """What the program of a file hands to one of its functions, on data on which it trains."""
    program = program_of(source)
    seen = Handed(name, frozenset(callers_of(program, name)))
    with np.errstate(all="ignore"):
        program.run(data_for(program), seen)
    return seen


def data_for(program: Program) -> Supply:
    """The first data on which a loop of a program steps, else the likeliest."""
    until = time.process_time() + SECONDS
    return next((supply for supply, _ in runs(program, until)), next(supplies(program.text)))


def callers_of(program: Program, name: str) -> Iterator[str]:
    """The functions of a program that name another one; those without parameters stand in the main
    program, where that calls it (`inlined`)."""
    main = any(names(one, name) for one in program.main)
    if main:
        yield MODULE
    for one in (part for each in program.source.statements for part in ast.walk(each.node)):
        if isinstance(one, ast.FunctionDef) and one.name != name and names(one, name):
            if one.args.args or not main:
                yield one.name


def names(node: ast.AST, name: str) -> bool:
    """Whether a name is read in a piece of code, but for functions inside of it."""
    inner = [one for one in ast.iter_child_nodes(node) if not isinstance(one, ast.FunctionDef)]
    here = isinstance(node, ast.Name) and node.id == name
    return here or any(names(one, name) for one in inner)

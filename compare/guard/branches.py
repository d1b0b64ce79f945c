"""Which branches of a user's function never ran: what stands in them was compared with nothing.

`if len(x) > 1000:` is beyond every small point, and `if context:` beyond a network without
dropout. Where nobody says so, a green verdict is read as if it held there too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from compare.guard.blame import Place, home_of, tree_of

Value = TypeVar("Value")
LINES = 300_000
"""So many lines are followed, for a third of a second in all; a loop over samples may take more."""
SHOWN = 3
"""Branches that a note quotes."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Branch:
    """The lines from `first` to `last` below an `if`, or below its `else`."""

    at: Place
    otherwise: bool
    first: int
    last: int

    def __str__(self) -> str:
        return f"the `else` of {self.at.quoted()}" if self.otherwise else self.at.quoted()


class Branches:
    """Follows the lines that calls of `function` run, while there are branches that did not.

    Nothing is followed under a debugger or a measurement of coverage, which follow lines
    themselves.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        home = home_of(function)
        self.file = home.file if home else ""
        self.waiting = list(branches_of(home)) if home else []
        self.ran: set[int] = set()
        self.calls = 0
        self.left = LINES

    def followed(self, call: Callable[[], Value]) -> Value:
        """Return `call()`, a call of the function."""
        if not self.waiting or self.left <= 0 or sys.gettrace() is not None:
            return call()
        self.calls += 1
        sys.settrace(self.entered)
        try:
            return call()
        finally:
            if sys.gettrace() == self.entered:  # a call that never ends is stopped by another trace
                sys.settrace(None)
            self.waiting = [
                one for one in self.waiting if self.ran.isdisjoint(range(one.first, one.last + 1))
            ]

    def entered(self, frame: FrameType, event: str, _: object) -> Any:
        """Follow the lines of functions of the file, and of no other."""
        return self.line if self.left > 0 and frame.f_code.co_filename == self.file else None

    def line(self, frame: FrameType, event: str, _: object) -> Any:
        """Remember a line that ran."""
        self.ran.add(frame.f_lineno)
        self.left -= 1
        return self.line

    def notes(self) -> tuple[str, ...]:
        """Return the sentence on branches that never ran though their `if` was reached, if any."""
        never = [str(one) for one in self.waiting if one.at.line in self.ran]
        if not never:
            return ()
        shown = ", ".join(never[:SHOWN])
        more = f" and {len(never) - SHOWN} more" if len(never) > SHOWN else ""
        calls = "no call" if self.left > 0 else f"none of the first {self.calls:,} calls"
        return (f"what stands below {shown}{more} ran in {calls} and was not compared",)


def branches_of(home: Place) -> Iterator[Branch]:
    """Yield the branches of the function at `home`, and of those of its file that it names."""
    tree = tree_of(home.file)
    if tree is None:
        return
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    for function in named_by([one for one in functions if begins(one) == home.line], functions):
        ifs = (node for node in ast.walk(function) if isinstance(node, ast.If))
        yield from (branch for one in ifs for branch in branches_below(one, home.file))


def begins(function: Function) -> int:
    """Return the line at which a function begins: that of its first decorator, if it has one."""
    return min([function.lineno, *(one.lineno for one in function.decorator_list)])


def named_by(some: list[Function], functions: list[Function]) -> list[Function]:
    """Return some functions and those that they name, which name others in turn."""
    found = list(some)
    for one in found:  # which grows meanwhile
        names = {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(one)}
        found += [other for other in functions if other.name in names and other not in found]
    return found


def branches_below(node: ast.If, file: str) -> Iterator[Branch]:
    """Yield the branches of an `if` that compute something, on lines of their own."""
    for otherwise, body in ((False, node.body), (True, node.orelse)):
        if body and computes(body) and body[0].lineno > (node.test.end_lineno or node.lineno):
            last = body[-1].end_lineno or body[-1].lineno
            yield Branch(Place(file, node.lineno), otherwise, body[0].lineno, last)


def computes(body: list[ast.stmt]) -> bool:
    """Return whether statements keep or return something: no refusal, no line that is printed, and
    no `elif`, which has branches of its own."""
    if isinstance(body[-1], ast.Raise) or (len(body) == 1 and isinstance(body[0], ast.If)):
        return False
    kept = (ast.Assign, ast.AugAssign, ast.AnnAssign)
    return any(
        isinstance(node, kept) or (isinstance(node, ast.Return) and node.value is not None)
        for statement in body
        for node in ast.walk(statement)
    )

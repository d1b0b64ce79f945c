"""Which branches of a user's function no call reaches: what stands there was compared with nothing.

`if len(x) > 1000:` is beyond every small point, and `if context:` beyond a network without
dropout. Where nobody says so, a green verdict is read as if it held there too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, TypeVar

from compare.guard.blame import Place, home_of, tree_of

Value = TypeVar("Value")
STEPS = 300_000
"""So many steps of the interpreter are followed, for some tenths of a second in all; a loop over
samples may take more."""
SHOWN = 3
"""Branches that a note quotes."""
Function = ast.FunctionDef | ast.AsyncFunctionDef
Point = tuple[int, int]
"""A line and a column."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a file, from its first character to behind its last."""

    first: Point
    last: Point

    @classmethod
    def of(cls, nodes: Sequence[ast.AST]) -> Span:
        """Return what some nodes in a row take up."""
        first, last = nodes[0], nodes[-1]
        return cls(
            (getattr(first, "lineno", 0), getattr(first, "col_offset", 0)),
            (getattr(last, "end_lineno", 0), getattr(last, "end_col_offset", 0)),
        )

    def holds(self, points: set[tuple[Point, Point]]) -> bool:
        """Return whether one of the steps, given by beginning and end, lies within."""
        return any(self.first <= begin and end <= self.last for begin, end in points)

    def meets(self, lines: set[int], beside: Span) -> bool:
        """Return whether one of its lines, but for those that `beside` shares, has run."""
        own = range(max(self.first[0], beside.last[0] + 1), self.last[0] + 1)
        return any(line in lines for line in own)


@dataclass(frozen=True, slots=True)
class Branch:
    """What runs only after something else has: `body` after `test`, which stands at `at`."""

    at: Place
    kind: str
    test: Span
    body: Span

    def __str__(self) -> str:
        return f"the {self.kind} at {self.at.quoted()}"


class Branches:
    """Follows what calls of `function` run, while there are branches that did not.

    Nothing is followed under a debugger or a measurement of coverage, which follow steps
    themselves.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        home = home_of(function)
        self.file = home.file if home else ""
        self.waiting = list(branches_of(home)) if home else []
        self.steps: set[tuple[CodeType, int]] = set()
        self.ran: set[tuple[Point, Point]] = set()
        self.lines: set[int] = set()
        self.calls = 0
        self.left = STEPS

    def followed(self, call: Callable[[], Value]) -> Value:
        """Return `call()`, a call of the function."""
        if not self.waiting or self.left <= 0 or sys.gettrace() is not None:
            return call()
        sys._getframe().f_trace_opcodes = True  # from 3.13 on this is what turns them on
        sys.settrace(self.entered)
        try:
            return call()
        finally:
            self.calls += self.left > 0
            if sys.gettrace() == self.entered:  # a call that never ends is stopped by another trace
                sys.settrace(None)
            self.ran |= set(places_of(self.steps))
            self.steps.clear()
            self.waiting = [one for one in self.waiting if not self.has_run(one)]

    def has_run(self, one: Branch) -> bool:
        """Return whether something of a branch has run: a step of it, or a line of its own, which
        is all that the first call of a function shows from Python 3.13 on."""
        return one.body.holds(self.ran) or one.body.meets(self.lines, one.test)

    def entered(self, frame: FrameType, event: str, _: object) -> Any:
        """Follow the steps of functions of the file, and of no other."""
        if self.left <= 0 or frame.f_code.co_filename != self.file:
            return None
        frame.f_trace_opcodes = True
        return self.step

    def step(self, frame: FrameType, event: str, _: object) -> Any:
        """Remember a step of the interpreter, up to the last one that is followed."""
        if event == "line":
            self.lines.add(frame.f_lineno)
        else:
            self.steps.add((frame.f_code, frame.f_lasti))
            self.left -= 1
        if self.left <= 0 and sys.gettrace() == self.entered:
            sys.settrace(None)
            frame.f_trace_opcodes = frame.f_trace_lines = False
        return self.step

    def notes(self) -> tuple[str, ...]:
        """Return the sentence on branches that never ran though what leads to them did, if any."""
        never = [str(one) for one in self.waiting
                 if one.test.holds(self.ran) or one.test.first[0] in self.lines]  # fmt: skip
        if not (never and self.calls):
            return ()
        shown = ", ".join(never[:SHOWN])
        more = f" and {len(never) - SHOWN} more" if len(never) > SHOWN else ""
        calls = "no call" if self.left > 0 else f"none of the first {self.calls:,} calls"
        return (f"{calls} reaches {shown}{more}, so nothing there was compared",)


def places_of(steps: set[tuple[CodeType, int]]) -> Iterator[tuple[Point, Point]]:
    """Yield where in the file steps stand, from where to where."""
    positions: dict[CodeType, list[Any]] = {}
    for code, last in steps:
        if code not in positions:
            positions[code] = list(code.co_positions())
        line, end, column, end_column = positions[code][last // 2]
        if None not in (line, end, column, end_column):
            yield (line, column), (end, end_column)


def branches_of(home: Place) -> Iterator[Branch]:
    """Yield the branches of the function at `home`, and of those of its file that it names."""
    tree = tree_of(home.file)
    if tree is None:
        return
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    for function in named_by([one for one in functions if begins(one) == home.line], functions):
        for node in ast.walk(function):
            yield from branches_at(node, home.file)


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


def branches_at(node: ast.AST, file: str) -> Iterator[Branch]:
    """Yield the branches of a statement or expression that compute something."""
    for kind, test, body in parts_of(node):
        if body and computes(body):
            line = getattr(node, "lineno", body[0].lineno)
            yield Branch(Place(file, line), kind, Span.of([test]), Span.of(body))


Body = Sequence[ast.stmt] | Sequence[ast.expr]


def parts_of(node: ast.AST) -> Iterator[tuple[str, ast.AST, Body]]:
    """Yield what may run or not, after what, and what it is called."""
    match node:
        case ast.If(test=test, body=body, orelse=otherwise):
            yield "branch", test, body
            yield "`else`", test, otherwise
        case ast.IfExp(test=test, body=value, orelse=other):
            yield "branch", test, [value]
            yield "`else`", test, [other]
        case ast.While(test=test, body=body):
            yield "loop", test, body
        case ast.For(iter=test, body=body):
            yield "loop", test, body
        case ast.Match(subject=test, cases=cases):
            for case in cases:
                yield f"`case {ast.unparse(case.pattern)}`", test, case.body
        case ast.Try(body=first, handlers=handlers):
            for handler in handlers:
                yield "`except`", first[0], handler.body


def computes(body: Body) -> bool:
    """Return whether something is kept or returned: no refusal, no line that is printed, and no
    `elif`, which has branches of its own."""
    if isinstance(body[0], ast.expr):
        return True
    if isinstance(body[-1], ast.Raise) or (len(body) == 1 and isinstance(body[0], ast.If)):
        return False
    kept = (ast.Assign, ast.AugAssign, ast.AnnAssign)
    return any(
        isinstance(node, kept) or (isinstance(node, ast.Return) and node.value is not None)
        for statement in body
        for node in ast.walk(statement)
    )

"""The straight ways through the code that trains: what runs once, and what runs at every update.

The second part of judging updates (`loop_steps`). A branch gets the lines of the bodies around it
that come before it, each choice is a way of its own, and the innermost loop is what is repeated. A
loop over the weights (`for k in params`) is no repetition: it stands for one of them. What a loop
sums up has no value that can be followed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from compare.examine.starter.update_lines import RETURNED, Line, keys_in, lines_of
from compare.examine.starter.update_words import number_in

MOST = 32
"""Ways through one place; more are not followed."""
FRESH = frozenset({"zeros", "zeros_like", "empty", "empty_like", "full_like"})
"""What makes an array that nothing was computed for: a velocity before its first update."""
Loop = ast.For | ast.AsyncFor | ast.While


class TooMany(Exception):
    """More ways through the branches than are followed."""


@dataclass(frozen=True)
class Way:
    """One way through the code: lines that run once, lines that run at every update.

    `chosen` holds the lines of the branches that were taken, `counts` where the names of the loops
    begin to count.
    """

    before: tuple[Line, ...] = ()
    lines: tuple[Line, ...] = ()
    ended: bool = False
    chosen: frozenset[int] = frozenset()
    repeated: bool = False
    counts: tuple[tuple[str, int], ...] = ()

    def to(self, *lines: Line) -> Way:
        """Return the way with these lines behind it."""
        return replace(self, lines=(*self.lines, *lines))


@dataclass
class Walker:
    """Follows statements along every choice that moves something `relevant`.

    `inner` are the ways through loops, which are repeated apart.
    """

    relevant: Set[str]
    inner: list[Way]

    def body(self, body: Iterable[ast.stmt], ways: list[Way], file: str) -> list[Way]:
        """Follow statements in their order."""
        for one in body:
            open_ = [way for way in ways if not way.ended]
            ways = [way for way in ways if way.ended] + self.statement(one, open_, file)
            if len(ways) + len(self.inner) > MOST:
                raise TooMany
        return ways

    def statement(self, one: ast.stmt, ways: list[Way], file: str) -> list[Way]:
        """Follow one statement."""
        if isinstance(one, ast.With | ast.AsyncWith):
            return self.body(one.body, ways, file)
        if isinstance(one, ast.If):
            return self.branches([one.body, one.orelse], ways, file)
        if isinstance(one, ast.Try):
            ways = self.branches(
                [[*one.body, *one.orelse], *(handler.body for handler in one.handlers)], ways, file
            )
            return self.body(one.finalbody, ways, file)
        if isinstance(one, ast.Match):
            return self.branches([case.body for case in one.cases], ways, file)
        if isinstance(one, Loop):
            return self.loop(one, ways, file)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return ways
        lines = [line for line in lines_of(one, file) if self.matters(line)]
        ended = isinstance(one, ast.Return | ast.Continue | ast.Break | ast.Raise)
        return [replace(way.to(*lines), ended=ended) for way in ways]

    def branches(
        self, bodies: Sequence[Sequence[ast.stmt]], ways: list[Way], file: str
    ) -> list[Way]:
        """Follow each branch; one that only makes buffers is taken once, before all updates."""
        held = [[one for one in all_lines(body, file) if self.matters(one)] for body in bodies]
        if not any(held):
            return ways
        starts = [bool(lines) and all(map(is_fresh, lines)) for lines in held]
        first = [line for lines, fresh in zip(held, starts, strict=True) if fresh for line in lines]
        ways = [replace(way, before=(*way.before, *first)) for way in ways]
        kept = [
            (body, bool(lines))
            for body, lines, fresh in zip(bodies, held, starts, strict=True)
            if not fresh
        ]
        found: list[Way] = []
        for body, matters in kept:
            taken = frozenset({body[0].lineno}) if matters else frozenset[int]()
            begun = [replace(way, chosen=way.chosen | taken) for way in ways]
            found += self.body(body, begun, file)
        return found or ways

    def loop(self, one: Loop, ways: list[Way], file: str) -> list[Way]:
        """Follow a loop: once if it goes over the weights, else as what is repeated."""
        held = [line for line in all_lines(one.body, file) if self.matters(line)]
        if not held:
            return ways
        if isinstance(one, ast.While) and all(map(rescales, held)):
            return ways  # a line search: it stays a number, of the same sign
        if goes_over(one, held):
            return self.body([*one.body, *one.orelse], ways, file)
        begun = [
            Way((*way.before, *way.lines), chosen=way.chosen, repeated=True,
                counts=(*way.counts, *counts_of(one)))
            for way in ways
        ]  # fmt: skip
        self.inner += self.body(one.body, begun, file)
        summed = [Line(key, None, one.lineno, file) for key in dict.fromkeys(x.key for x in held)]
        kept = [line for line in summed if not line.key.startswith(RETURNED)]
        return [way.to(*kept) for way in ways]

    def matters(self, line: Line) -> bool:
        """Return whether a line gives a value to something that an update reads, or is one."""
        return line.key in self.relevant


def all_lines(body: Iterable[ast.stmt], file: str) -> Iterator[Line]:
    """Yield every assignment in a body, however deep, but those of functions inside."""
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        yield from lines_of(one, file)
        for name in ("body", "orelse", "finalbody"):
            yield from all_lines(getattr(one, name, []), file)
        for part in (*getattr(one, "handlers", []), *getattr(one, "cases", [])):
            yield from all_lines(part.body, file)


def goes_over(loop: Loop, held: Iterable[Line]) -> bool:
    """Return whether a loop goes over the weights: its names stand in what it gives values to."""
    if isinstance(loop, ast.While):
        return False
    names = {part.id for part in ast.walk(loop.target) if isinstance(part, ast.Name)}
    return any(names & set(keys_in(ast.parse(line.key, mode="eval"))) for line in held
               if not line.key.startswith(RETURNED))  # fmt: skip


def counts_of(loop: Loop) -> Iterator[tuple[str, int]]:
    """Yield the names that count the turns of a loop, with the first number of each."""
    if isinstance(loop, ast.While) or not isinstance(loop.iter, ast.Call):
        return
    name, given = ast.unparse(loop.iter.func), loop.iter.args
    if name == "range" and isinstance(loop.target, ast.Name):
        start = given[0] if len(given) > 1 else ast.Constant(0)
    elif name == "enumerate" and isinstance(loop.target, ast.Tuple):
        start = given[1] if len(given) > 1 else ast.Constant(0)
    else:
        return
    counted = loop.target.elts[0] if isinstance(loop.target, ast.Tuple) else loop.target
    if isinstance(start, ast.Constant) and isinstance(start.value, int):
        yield ast.unparse(counted), start.value


def rescales(line: Line) -> bool:
    """Return whether a line makes a number larger or smaller: `t *= 0.5`, `t = t / 2`."""
    value = line.value
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Mult | ast.Div):
        return False
    factor = number_in(value.right)
    return ast.unparse(value.left) == line.key and factor is not None and factor > 0


def is_fresh(line: Line) -> bool:
    """Return whether a line only makes a buffer: zeros, an empty dictionary, the number 0."""
    value = line.value
    if isinstance(value, ast.Constant):
        return value.value in (0, None)
    if isinstance(value, ast.Dict | ast.List) and not keys_in(value):
        return True
    if isinstance(value, ast.DictComp):
        value = value.value
    elif isinstance(value, ast.ListComp):
        value = value.elt
    called = isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2]
    return called in FRESH

"""Where in a file weights may be updated: functions, methods, functions inside of them, loose code.

The first part of judging updates (`loop_steps`), with the numbers that the file gives names to.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set
from dataclasses import dataclass, field

from compare.examine.starter.binding import plain
from compare.examine.starter.missed import trains_inline
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Kind
from compare.examine.starter.update_words import COUNT, number_in

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Site:
    """A piece of code in which weights may be updated, and how it is called in the report.

    `home` is the top-level function or class it belongs to.
    """

    statements: tuple[tuple[str, ast.stmt], ...]
    where: str
    home: str = ""
    loose: bool = False
    parameters: frozenset[str] = frozenset()
    defaults: dict[str, float] = field(default_factory=dict)

    @property
    def nodes(self) -> list[ast.AST]:
        """Return every node of its code."""
        return [part for _, one in self.statements for part in ast.walk(one)]


LOOSE = "training loop"
"""What the code outside of functions is called."""


def sites(source: Source, done: Set[str], cut: Set[str] = frozenset()) -> Iterator[Site]:
    """Yield the functions, methods and loose code in which weights may be updated.

    Where gradients are computed on the spot, and were not `cut` out and compared, the whole of it
    is said not to be.
    """
    loose: list[tuple[str, ast.stmt]] = []
    for one in source.statements:
        node = one.node
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, Function) and not trains_inline(part):
                    yield from functions(part, f"{node.name}.", one.file, node.name)
        elif isinstance(node, Function):
            if node.name in cut or (node.name not in done and not trains_inline(node)):
                yield from functions(node, "", one.file, node.name)
        elif one.kind in (Kind.LEFT_OUT, Kind.CONSTANT) and (
            LOOSE in cut or not trains_inline(node)
        ):
            loose.append((one.file, node))
    yield Site(tuple(loose), "in the training loop", loose=True)


def functions(node: Function, ahead: str, file: str, home: str) -> Iterator[Site]:
    """Yield a function and the functions inside it."""
    name = f"{ahead}{node.name}"
    given = node.args
    parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    late = zip(reversed([*given.posonlyargs, *given.args]), reversed(given.defaults), strict=False)
    pairs = [*late, *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    numbers = {one.arg: number_in(value) for one, value in pairs}
    yield Site(
        tuple((file, one) for one in node.body), f"in {name}", home,
        parameters=frozenset(one.arg for one in parameters),
        defaults={key: value for key, value in numbers.items()
                  if value is not None and not begins_to_count(key, value)},
    )  # fmt: skip
    for part in ast.walk(node):
        if isinstance(part, Function) and part is not node and part in inner_functions(node):
            yield from functions(part, f"{name}.", file, home)


def begins_to_count(name: str, value: float) -> bool:
    """Return whether a default is where a caller's count of updates begins: `t=1`."""
    return value in (0.0, 1.0) and bool(COUNT.fullmatch(plain(name)))


def inner_functions(node: Function) -> list[Function]:
    """Return the functions directly inside of one."""
    found: list[Function] = []
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, Function):
            found.append(one)
        elif not isinstance(one, ast.ClassDef):
            waiting += ast.iter_child_nodes(one)
    return found


def constants_of(source: Source) -> dict[str, float]:
    """Return the numbers that the file gives names to."""
    found: dict[str, float] = {}
    for one in source.statements:
        if isinstance(one.node, ast.Assign):
            value = number_in(one.node.value)
            found |= {} if value is None else {ast.unparse(t): value for t in one.node.targets}
    return found

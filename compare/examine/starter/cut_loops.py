"""The training loops of one place, each as if it stood there alone.

A script or a notebook may train twice, the second time with another mistake. What is cut out
(`cut`) is one back propagation, so the others are taken away before each is.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

from compare.examine.starter.cut_gradient import is_gradient
from compare.examine.starter.cut_names import stored
from compare.examine.starter.missed import multiplies_by_transpose, trains_inline
from compare.examine.starter.statements import Statement

Loop = ast.For | ast.AsyncFor | ast.While
Assigned = ast.Assign | ast.AugAssign


@dataclass(frozen=True)
class Alone:
    """The statements of a place with one of its training loops, and where that begins."""

    statements: list[Statement]
    line: int
    file: str
    looped: bool = True
    """Whether a loop is left; else what stands outside of all of them."""

    @property
    def where(self) -> str:
        """Return its line, and in a notebook its cell."""
        cell = self.file.partition(", ")[2]
        return ", ".join(filter(None, (cell, f"line {self.line}")))


def each_loop(statements: Sequence[Statement]) -> list[Alone]:
    """Return the place once for each of its training loops; once as it is where it has no two."""
    loops = [(loop, one.file) for one in statements for loop in training_loops([one.node])]
    outside = beside_loops(statements, [loop for loop, _ in loops])
    if len(loops) + bool(outside) < 2:
        kept = [one for one in statements if not (loops and is_product_beside(one))]
        return [Alone(kept, statements[0].line, statements[0].file)]
    found = []
    for loop, file in loops:
        others = {id(other) for other, _ in loops if other is not loop}
        found.append(Alone([without(one, others) for one in statements], loop.lineno, file))
    if outside:
        every = {id(loop) for loop, _ in loops}
        cells = [without(one, every) for one in statements]
        found.append(Alone(cells, outside[0].line, outside[0].file, looped=False))
    return found


def is_product_beside(one: Statement) -> bool:
    """Return whether a statement beside a loop multiplies by a transpose, as the loop does."""
    simple = isinstance(one.node, Assigned)
    return simple and any(map(multiplies_by_transpose, ast.walk(one.node)))


def beside_loops(statements: Sequence[Statement], loops: Sequence[Loop]) -> list[Statement]:
    """Return the statements that compute a gradient beside all training loops, if these do not
    compute it in the same way.

    What no loop computes under that name is none of its network: a step of a regression, or one
    gradient computed again to look at it.
    """
    parts = [part for loop in loops for part in ast.walk(loop) if isinstance(part, ast.stmt)]
    inside = {ast.unparse(part): stored(part) for part in parts if isinstance(part, Assigned)}
    names = {name for loop in loops for name in stored(loop)}
    found = [
        one
        for one in statements
        if any(map(is_gradient, names & set(stored(one.node)))) and is_product_beside(one)
    ]
    beside = {ast.unparse(one.node) for one in statements}
    shared = {name for text in beside & inside.keys() for name in inside[text]}
    more = any(text not in beside and shared & set(given) for text, given in inside.items())
    return found if more or any(ast.unparse(one.node) not in inside for one in found) else []


def training_loops(nodes: Sequence[ast.stmt]) -> Iterator[Loop]:
    """Yield the outermost loops that train, those of branches and of a function's body too."""
    for one in nodes:
        if isinstance(one, Loop):
            if trains_inline(one):
                yield one
        elif not isinstance(one, ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                yield from training_loops(getattr(one, name, []))


def without(statement: Statement, others: Set[int]) -> Statement:
    """Return a statement with some loops in it replaced by nothing."""
    if not any(id(part) in others for part in ast.walk(statement.node)):
        return statement
    return replace(statement, node=emptied(statement.node, others))


def emptied(node: ast.stmt, others: Set[int]) -> ast.stmt:
    """Return a statement in which these loops do nothing."""
    if id(node) in others:
        return ast.copy_location(ast.Pass(), node)
    found = copy.copy(node)
    for name in ("body", "orelse", "finalbody"):
        if isinstance(body := getattr(node, name, None), list):
            setattr(found, name, [emptied(one, others) for one in body])
    return found

"""Which loops of a file step: they move weights, or call what does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set

from compare.examine.starter.missed import descends
from compare.examine.starter.source import Source
from compare.examine.starter.statements import last_name
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.trained import Training

MOVES = re.compile(r"\w*(step|update|optim|descent|learn|apply_?grad|train)\w*", re.IGNORECASE)
"""Calls that move weights; what is only applied to rows is a forward pass."""
Loop = ast.For | ast.While


def loops_at(source: Source, file: str, line: int) -> Iterator[Loop]:
    """The loops that begin at a line."""
    for one in source.statements:
        if one.file == file:
            yield from (part for part in ast.walk(one.node)
                        if isinstance(part, Loop) and part.lineno == line)  # fmt: skip


def batch_known(source: Source, program: Program, training: Training) -> bool:
    """Whether it was seen which rows a step is made of: fewer than all, or the loop cuts none out
    of them, as `gradients(X[i:i + 32], ...)` does of which no name is left."""
    name = training.data.names[0].rpartition(".")[2]
    inside = [part for loop in loops_at(source, *program.places[training.loop])
              for part in ast.walk(loop)]  # fmt: skip
    cut = any(isinstance(one, ast.Subscript) and ast.unparse(one.value).endswith(name)
              for one in inside)  # fmt: skip
    return len(training.rows) < len(training.data.x) or not cut


def steps_in(source: Source, file: str, line: int) -> bool:
    """Whether the loop at a line calls what moves weights, or takes something off them."""
    loops = loops_at(source, file, line)
    inside = [one for loop in loops for part in loop.body for one in ast.walk(part)]
    moving = {
        one.name
        for each in source.statements
        for one in ast.walk(each.node)
        if isinstance(one, ast.FunctionDef) and any(map(takes_a_step, ast.walk(one)))
    }
    return any(
        (isinstance(one, ast.Call) and moves(last_name(one) or "", moving))
        or descends(one) or thrown_away(one)
        for one in inside
    )  # fmt: skip


def moves(called: str, moving: Set[str]) -> bool:
    """Whether a function moves weights, by its name or by what it computes."""
    return called in moving or bool(MOVES.fullmatch(called))


def takes_a_step(node: ast.AST) -> bool:
    """True for `w - rate * dw`, whatever becomes of it."""
    difference = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)
    product = difference and isinstance(node, ast.BinOp) and isinstance(node.right, ast.BinOp)
    return product or descends(node)


def thrown_away(node: ast.AST) -> bool:
    """True for `w - rate * dw`, of which nothing is kept."""
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.BinOp) and isinstance(value.op, ast.Sub)

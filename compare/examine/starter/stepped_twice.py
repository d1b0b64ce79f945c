"""A training that takes two steps on one gradient: no update of it is wrong, the second is.

    self.backward(y)
    self.step(rate)
    self.step(rate)                      for _ in range(2):
                                             W -= rate * dW

Nothing is run. What is called must only move weights: a function that computes its own gradient
may be called as often as one likes. Beside plain descent the same numbers come from another rate,
so nothing is accused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import pairwise

from compare.contracts.result import Verdict
from compare.examine.starter.cut_names import loaded
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.missed import descends
from compare.examine.starter.source import Source
from compare.examine.starter.statements import last_name
from compare.examine.starter.update_sites import LOOSE
from compare.examine.starter.update_words import is_weight
from compare.guard.blame import Place

SAID = (
    "were not compared: {} takes another step on the same gradient, which is that of where the "
    "weights were before the first"
)
SLOPE = re.compile(
    r"(d_?[A-Z]\w*|d_?[wb]\d*|d_?(weight|bias)\w*|\w*grad\w*|g|gw|gb|delta\w*|nabla\w*)(\[.*\])?"
)
"""What people call a gradient by which a weight is moved."""
PLAIN = frozenset(
    "zip range len enumerate reversed list items keys values zeros_like copy print".split()
)
"""Calls that make no gradient."""
Loop = ast.For | ast.While
Function = ast.FunctionDef | ast.AsyncFunctionDef


def stepped_twice(source: Source) -> Iterator[FunctionVerdict]:
    """Say in which trainings of a file a second step is taken on one gradient."""
    moving = only_moving([one.node for one in source.statements])
    for one in source.statements:
        for where, line in dict(second_steps(one.node, moving)).items():
            place = Place(one.file, line)
            name = f"the steps in {where or f'the {LOOSE}'}"
            said = SAID.format(place.line_quoted())
            yield FunctionVerdict(name, "step", place, Verdict.UNDECIDABLE, said)


def only_moving(nodes: Sequence[ast.AST]) -> frozenset[str]:
    """Return the names of functions that move weights and do nothing else, or call such alone.

    Each of that name has to: `Net.update` may compute the gradient that `Layer.update` goes by.
    """
    named: dict[str, list[Function]] = {}
    for one in (part for node in nodes for part in ast.walk(node) if isinstance(part, Function)):
        named.setdefault(one.name, []).append(one)
    moving: frozenset[str] = frozenset()
    while True:
        more = frozenset(
            name
            for name, functions in named.items()
            if all(moves_only(one, moving | {name}) for one in functions)
            and (name in moving or any(map(descends_by_rate, inside(functions))))
        )
        if more <= moving:
            return moving
        moving |= more


def inside(functions: Iterable[Function]) -> Iterator[ast.AST]:
    """Yield every node of some functions."""
    return (part for one in functions for part in ast.walk(one))


def moves_only(function: Function, moving: Set[str]) -> bool:
    """Whether a function moves weights, itself or by a call, and computes no gradient."""
    parts = [part for part in ast.walk(function) if part is not function]
    called = {last_name(part) for part in parts if isinstance(part, ast.Call)}
    steps = bool(called & moving) or any(map(descends_by_rate, parts))
    return steps and called <= moving | PLAIN and not any(map(derives, parts))


def derives(node: ast.AST) -> bool:
    """Whether a gradient may be computed there: a product of matrices, a sum or mean of rows."""
    if isinstance(node, ast.Call):
        return last_name(node) in DERIVING
    return isinstance(node, ast.MatMult) or (isinstance(node, ast.Attribute) and node.attr == "T")


DERIVING = frozenset({"dot", "matmul", "einsum", "outer", "tensordot", "sum", "mean", "average"})


def descends_by_rate(node: ast.AST) -> bool:
    """Whether a statement takes a product off something: a rate times what is called a gradient,
    and not what it goes by itself."""
    taken = amount(node) if descends(node) else None
    if not (isinstance(taken, ast.BinOp) and isinstance(taken.op, ast.Mult)):
        return False
    read = {ast.unparse(part) for part in ast.walk(taken) if isinstance(part, ast.expr)}
    known = any(SLOPE.fullmatch(one.rpartition(".")[2]) for one in read)
    return known and not read & {ast.unparse(one) for one in targets(node)}


def amount(node: ast.AST) -> ast.expr | None:
    """Return what a statement takes off its target."""
    if isinstance(node, ast.AugAssign):
        return node.value
    value = node.value if isinstance(node, ast.Assign) else None
    return value.right if isinstance(value, ast.BinOp) else None


def second_steps(
    node: ast.AST, moving: Set[str], where: str = "", loops: int = 0
) -> Iterator[tuple[str, int]]:
    """Yield where, and at which line, a loop takes a step on a gradient that it has stepped on."""
    if isinstance(node, Function):
        where, loops = node.name, 0
    if isinstance(node, Loop):
        if loops and goes_round_on_one(node, moving):
            yield where, node.lineno
        loops += 1
    for block in (getattr(node, field, None) for field in ("body", "orelse", "finalbody")):
        for one, other in pairwise(block if loops and isinstance(block, list) else ()):
            if is_step(one, moving) and ast.dump(one) == ast.dump(other):
                yield where, other.lineno
    for part in ast.iter_child_nodes(node):
        yield from second_steps(part, moving, where, loops)


def is_step(node: ast.AST, moving: Set[str]) -> bool:
    """Whether a statement is nothing but a call of what moves weights."""
    value = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    return isinstance(value, ast.Call) and last_name(value) in moving


def goes_round_on_one(loop: Loop, moving: Set[str]) -> bool:
    """Whether a loop only counts, and moves weights by what it does not change."""
    if not isinstance(loop, ast.For) or not is_counted(loop):
        return False
    changed = {ast.unparse(target) for one in loop.body for target in targets(one)}
    return all(is_step(one, moving) or moves(one, changed) for one in loop.body)


def targets(node: ast.AST) -> list[ast.expr]:
    """Return what a statement gives a value to."""
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign) else []


def moves(node: ast.stmt, changed: Set[str]) -> bool:
    """Whether a statement takes off a weight what the loop leaves as it is."""
    taken = amount(node)
    if taken is None or not descends_by_rate(node) or any(map(derives, ast.walk(node))):
        return False
    read = {ast.unparse(part) for part in ast.walk(taken) if isinstance(part, ast.expr)}
    return all(is_weight(ast.unparse(one)) for one in targets(node)) and not read & changed


def is_counted(loop: ast.For) -> bool:
    """Whether a loop runs over numbers that it does not read."""
    counted = isinstance(loop.iter, ast.Call) and last_name(loop.iter) == "range"
    read = {name for one in loop.body for name in loaded(one)}
    return counted and isinstance(loop.target, ast.Name) and loop.target.id not in read

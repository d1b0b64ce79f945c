"""Whether a function takes a list: what it unpacks, walks through, or asks for by its place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from compare.examine.starter.bundles import is_name
from compare.examine.starter.nodes import nodes_of


def walked_through(node: ast.expr) -> Iterator[ast.expr]:
    """What a loop goes through: no number of turns, and no part of what is written down there."""
    yield node
    named = node.func if isinstance(node, ast.Call) else None
    if isinstance(node, ast.Call) and not (isinstance(named, ast.Name) and named.id == "range"):
        held = [named.value] if isinstance(named, ast.Attribute) else []
        for one in (*node.args, *held):
            yield from walked_through(one)
    elif isinstance(node, ast.Subscript):
        yield from walked_through(node.value)


def counted_in(function: ast.AST) -> set[str]:
    """The numbers that loops over a range count with: `sizes[i - 1]` asks for a place."""
    return {
        node.target.id for node in nodes_of(function)
        if isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name)
        and any(isinstance(one, ast.Name) and one.id == "range" for one in ast.walk(node.iter))
    }  # fmt: skip


def is_place(node: ast.expr, counted: set[str]) -> bool:
    """Whether an index is a number, or made of one that a loop counts with: `W{i}` is a key."""
    if isinstance(node, ast.UnaryOp):
        return is_place(node.operand, counted)
    if isinstance(node, ast.BinOp):
        return is_place(node.left, counted) and is_place(node.right, counted)
    if isinstance(node, ast.Name):
        return node.id in counted
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def positional(function: ast.AST, parameter: str) -> bool:
    """Whether a parameter is unpacked, walked through or asked for by number."""
    for node in nodes_of(function):
        if isinstance(node, ast.Assign) and is_name(node.value, parameter):
            if isinstance(node.targets[0], ast.Tuple | ast.List):
                return True
        elif isinstance(node, ast.For | ast.comprehension):
            if any(is_name(one, parameter) for one in walked_through(node.iter)):
                return True
        elif isinstance(node, ast.Subscript) and is_name(node.value, parameter):
            if is_place(node.slice, counted_in(function)):
                return True
    return False

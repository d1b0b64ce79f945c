"""What class numbers count from: 0, or 1 where a function takes 1 off them.

    d[np.arange(len(y)), y - 1] -= 1          np.eye(K)[labels - 1]

The 1 may be taken off in a function that they are handed on to. One file counts in one way: a loss
of numbers from 1 beside a gradient of numbers from 0 is a mistake (`together`).
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from compare.examine.starter.nodes import nodes_of
from compare.examine.starter.source import Source

LABELS = "labels"
FROM_ONE = "class numbers from 1"
"""The quantities: class numbers from 0, and from 1."""
SHIFTED = "classes-shifted"
MIXED = "its loss and its gradient count classes differently: one from 1, the other from 0"
DEEPEST = 4


def counts_from_one(
    functions: Mapping[str, ast.AST], name: str, parameter: str, depth: int = 0
) -> bool:
    """Whether a function takes 1 off a parameter, or hands it to one that does."""
    node = functions.get(name)
    if node is None or depth > DEEPEST:
        return False
    if any(less_one(part) == parameter for part in nodes_of(node)):
        return True
    return any(counts_from_one(functions, called, taken, depth + 1)
               for called, taken in handed_on(functions, node, parameter))  # fmt: skip


def takes_one_off(source: Source, name: str) -> bool:
    """Whether a function takes 1 off one of its arguments, as off class numbers from 1."""
    functions = {one: known.node for one, known in source.definitions.items()}
    return any(counts_from_one(functions, name, one) for one in source.signature(name))


def is_handed_less_one(source: Source, name: str) -> bool:
    """Whether a call hands a function `labels - 1`: then its numbers from 0 are those from 1."""
    calls = (part for one in source.statements for part in nodes_of(one.node)
             if isinstance(part, ast.Call) and ast.unparse(part.func) == name)  # fmt: skip
    return any(less_one(given) for call in calls for given in call.args)


def less_one(node: ast.AST) -> str:
    """The name that 1 is taken off, as of class numbers: of entries of it, or of a method's value,
    too; empty for any other expression, `2 * y - 1` of signs for one."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)):
        return ""
    taken, left = node.right, node.left
    if not (isinstance(taken, ast.Constant) and taken.value == 1):
        return ""
    while not isinstance(left, ast.Name):
        if isinstance(left, ast.Subscript | ast.Attribute):
            left = left.value
        elif isinstance(left, ast.Call) and isinstance(left.func, ast.Attribute):
            left = left.func.value
        elif isinstance(left, ast.Call) and ast.unparse(left.func) == "int" and left.args:
            left = left.args[0]
        else:
            return ""
    return left.id


def handed_on(
    functions: Mapping[str, ast.AST], node: ast.AST, parameter: str
) -> Iterable[tuple[str, str]]:
    """The functions that a parameter is handed to, each with its own name for it."""
    for call in nodes_of(node):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            continue
        other = functions.get(call.func.id)
        if not isinstance(other, ast.FunctionDef):
            continue
        taken = [one.arg for one in other.args.args]
        given = [*zip(taken, call.args, strict=False),
                 *((one.arg or "", one.value) for one in call.keywords)]  # fmt: skip
        yield from ((other.name, one) for one, value in given
                    if isinstance(value, ast.Name) and value.id == parameter and one)  # fmt: skip


def from_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is handed class numbers from 1 where it is called with such from 0."""

    @functools.wraps(function)
    def called(*given: Any) -> Any:
        return function(*(one + 1 if are_numbers(one) else one for one in given))

    return called


def are_numbers(value: Any) -> bool:
    """Whether an argument is class numbers."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu"


def numbers_in(quantities: Iterable[object]) -> str:
    """Which class numbers are among what is handed over; empty where there are none."""
    named = {str(one) for one in quantities}
    return FROM_ONE if FROM_ONE in named else LABELS if LABELS in named else ""

"""Functions that do the same whatever they are handed: one right use tells them whole.

Of `act_grad(z, kind)` a right class may use the slope of tanh only, while that of the sigmoid is
wrong. Where nothing chooses, all that a function computes is in the one value that it returns.
"""

from __future__ import annotations

import ast

from compare.examine.starter.source import Source
from compare.examine.starter.statements import last_name

CHOICES = (
    ast.If, ast.IfExp, ast.Match, ast.Try, ast.While, ast.For, ast.BoolOp, ast.comprehension,
    ast.Lambda, ast.ClassDef, ast.AsyncFunctionDef, ast.Dict, ast.Set,
)  # fmt: skip
"""What may leave a part of a function unused."""
CHOOSING = frozenset({"where", "select", "choose", "piecewise", "getattr", "eval", "get"})
"""Calls that hand on one of several values."""


def is_straight(source: Source, name: str) -> bool:
    """Whether a function and all it calls in its file compute the same in every call."""
    reached = [source.definitions[one].node for one in source.closure([name])
               if one in source.definitions]  # fmt: skip
    return bool(reached) and all(map(computes_one_value, reached))


def computes_one_value(node: ast.stmt) -> bool:
    """Whether a function has no branch, no argument that may be left out and one value."""
    if not isinstance(node, ast.FunctionDef) or takes_a_choice(node.args):
        return False
    parts = list(ast.walk(node))
    returned = [one.value for one in parts if isinstance(one, ast.Return)]
    several = any(isinstance(one, ast.Tuple | ast.List) for one in returned)
    return len(returned) == 1 and not several and not any(map(chooses, parts))


def takes_a_choice(given: ast.arguments) -> bool:
    """Whether an argument may be left out: what happens with it is another use."""
    return bool(given.defaults or given.kwonlyargs or given.vararg or given.kwarg)


def chooses(node: ast.AST) -> bool:
    """Whether a part of a function picks one of several values: by a branch, a word or a table."""
    if isinstance(node, ast.Call):
        return last_name(node) in CHOOSING or not isinstance(node.func, ast.Name | ast.Attribute)
    if isinstance(node, ast.Compare):
        return any(isinstance(one, ast.Eq | ast.NotEq | ast.Is | ast.IsNot | ast.In | ast.NotIn)
                   for one in node.ops)  # fmt: skip
    return isinstance(node, CHOICES)

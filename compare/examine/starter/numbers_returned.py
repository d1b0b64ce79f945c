"""Functions that give a loss by what they return, whatever they are called: a sum or a mean.

    def fehler(ausgabe, ziel):
        return -np.sum(ziel * np.log(ausgabe))

Names in other languages say nothing; that the number is the loss of a network its value tells.
"""

from __future__ import annotations

import ast

from compare.examine.starter.batches import ADDING, along_axis
from compare.examine.starter.binding import plain
from compare.examine.starter.flow import Code, Flow
from compare.examine.starter.recipe import LOSS

COUNTING = frozenset({"argmax", "argmin", "equal", "round", "rint"})
"""Calls of an accuracy."""


def may_be_loss(name: str, node: Code) -> bool:
    """Whether a function is named like a loss, or returns everything added up."""
    return bool(LOSS.fullmatch(plain(name))) or adds_everything_up(node)


def only_by_value(flow: Flow, name: str) -> bool:
    """Whether nothing but its number can tell that a function is the loss: another sum of the same
    form is a measure, such as the mean distance, and no part of the training."""
    handed = {value.split(".")[0] for values in flow.handed.values() for value in values}
    named = LOSS.fullmatch(plain(name)) is not None
    return not named and name not in handed and adds_everything_up(flow.functions[name])


def adds_everything_up(node: Code) -> bool:
    """Whether the one value that a function returns is a sum or mean, times and plus others."""
    returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)]
    if len(returned) != 1 or returned[0] is None or is_counted(node):
        return False
    return any(map(is_total, terms_of(written_for(returned[0], node))))


def written_for(value: ast.expr, node: Code) -> ast.expr:
    """What a name was given last, any other expression itself."""
    given = [
        one.value for one in ast.walk(node)
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == ast.unparse(value)
    ]  # fmt: skip
    return given[-1] if given and isinstance(value, ast.Name) else value


def terms_of(value: ast.expr) -> list[ast.expr]:
    """What is added, multiplied and negated."""
    if isinstance(value, ast.UnaryOp):
        return terms_of(value.operand)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub | ast.Mult):
        return [*terms_of(value.left), *terms_of(value.right)]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div):
        return terms_of(value.left)
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "float":
        return [term for one in value.args for term in terms_of(one)]
    return [value]


def is_total(value: ast.expr) -> bool:
    """Whether an expression adds up over all axes."""
    named = value.func if isinstance(value, ast.Call) else None
    added = isinstance(named, ast.Attribute) and named.attr in ADDING
    return added and isinstance(value, ast.Call) and not along_axis(value)


def is_counted(node: Code) -> bool:
    """Whether a function compares or counts, as an accuracy does."""
    parts = list(ast.walk(node))
    calls = {one.attr for one in parts if isinstance(one, ast.Attribute)}
    return bool(calls & COUNTING) or any(isinstance(one, ast.Compare) for one in parts)

"""Functions that compute gradients, and from which nothing that was compared came.

A file may agree on the strength of one helper, or of the updates of its training, while the
function that computes the gradients was never called: it is named, and the file is undecided.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_calls import ADVICE
from compare.examine.starter.gradient_functions import TRAINING
from compare.examine.starter.missed import (
    PRODUCTS,
    multiplies_by_transpose,
    names_in,
    trains_inline,
)
from compare.examine.starter.source import Source
from compare.examine.starter.statements import last_name

OF_LOSS = re.compile(r"d_?(x|w|b|z|a|h|y|o|p|s|out|logits|scores|theta)_?\d*|.*grad.*")
"""Names that lines give to gradients."""
SUMS = PRODUCTS | {"sum", "mean", "multiply", "subtract"}
"""Calls that compute a gradient without any sign for it."""
AGAINST = re.compile(r"approx|finite|estimate")
"""In the name of a function that computes gradients to check others, beside those of training."""


def uncompared(source: Source, names: Iterable[str]) -> Iterator[FunctionVerdict]:
    """Say that functions compute gradients, of those that nothing compared came from."""
    for name in names:
        node = source.definitions[name].node
        found = gradients_computed(node) if isinstance(node, ast.FunctionDef) else []
        if found and not trains_inline(node) and not for_others(name):
            sentence = (
                f"was not compared: it computes {' and '.join(found[:4])}, and what its arguments"
                f" are was not found; {ADVICE}"
            )
            where = source.where(name)
            yield FunctionVerdict(name, "gradient", where, Verdict.UNDECIDABLE, sentence)


def for_others(name: str) -> bool:
    """Whether a function uses gradients or checks them, as its name says."""
    return bool(TRAINING.search(plain(name)) or AGAINST.search(plain(name)))


def gradients_computed(node: ast.FunctionDef) -> list[str]:
    """The names of gradients that a function computes itself, in order, if it returns anything."""
    returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value]
    given = {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}
    made = [name for name, value in named_values(node) if computes(value)]
    found = [one for one in dict.fromkeys(made) if one not in given]
    named = [one for one in found if OF_LOSS.fullmatch(plain(one))]
    products = [ast.unparse(one) for value in returned for one in several_products(value)]
    return (named or products) if returned else []


def several_products(value: ast.expr) -> list[ast.expr]:
    """What a function returns if it is several products with a transpose: gradients of weights."""
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
    found = [part for part in parts if any(map(multiplies_by_transpose, ast.walk(part)))]
    return found if len(found) > 1 else []


def named_values(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What a function gives a name to, as a variable or under a key."""
    for one in ast.walk(node):
        if isinstance(one, ast.Assign):
            yield from ((name, one.value) for target in one.targets
                        for name in names_in(target, ast.Store))  # fmt: skip
        elif isinstance(one, ast.AugAssign):
            changed = ast.BinOp(one.target, one.op, one.value)
            yield from ((name, changed) for name in root_of(one.target))
        elif isinstance(one, ast.Dict):
            for key, value in zip(one.keys, one.values, strict=True):
                if isinstance(key, ast.Constant):
                    yield str(key.value), value


def root_of(target: ast.expr) -> list[str]:
    """The name that an array is changed in place under: dx of `dx[rows, y] -= 1`."""
    while isinstance(target, ast.Subscript):
        target = target.value
    return [target.id] if isinstance(target, ast.Name) else []


def computes(value: ast.expr) -> bool:
    """Whether an expression multiplies, adds or sums: `np.load(...)` and a call of another function
    compute nothing here."""
    return any(isinstance(one, ast.BinOp) or (isinstance(one, ast.Call) and last_name(one) in SUMS)
               for one in ast.walk(value))  # fmt: skip

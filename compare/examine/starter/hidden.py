"""What else a file holds of the assignment: a forward pass with its softmax inside, and functions
that stand inside of others, where nobody can call them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_functions import TRAINING
from compare.examine.starter.missed import trains_inline
from compare.examine.starter.roles import role_of
from compare.examine.starter.source import Source
from compare.guard.blame import Place

PRODUCTS = frozenset({"dot", "matmul", "einsum"})
AGAIN = "and run the same command again"


def inside(source: Source, compared: Iterable[str]) -> Iterator[FunctionVerdict]:
    """Yield the functions of the assignment that stand inside of others, which nothing calls."""
    called = source.closure(compared)
    for one in source.statements:
        if isinstance(one.node, ast.FunctionDef) and one.node.name not in called:
            for inner in nested(one.node):
                sentence = (
                    f"it stands inside {one.node.name} and was not compared: move it out, {AGAIN}"
                )
                place = Place(one.file, inner.lineno)
                role = role_of(inner.name) or ""
                yield FunctionVerdict(inner.name, role, place, Verdict.UNDECIDABLE, sentence)


def forward_passes(source: Source, compared: Iterable[str]) -> list[str]:
    """Return the functions with a softmax of their own that nothing compared calls, no training."""
    called = source.closure(compared)
    return [
        name
        for name, one in source.definitions.items()
        if name not in called and isinstance(one.node, ast.FunctionDef)
        and source.signature(name) and computes_softmax(one.node)
        and not trains_inline(one.node) and not TRAINING.search(plain(name))
    ]  # fmt: skip


def nested(outer: ast.FunctionDef) -> list[ast.FunctionDef]:
    """Return the functions inside of a function whose names are known."""
    return [
        node
        for node in ast.walk(outer)
        if isinstance(node, ast.FunctionDef) and node is not outer and role_of(node.name)
    ]


def computes_softmax(node: ast.FunctionDef) -> bool:
    """Whether a function multiplies matrices, takes exponentials, divides by a sum, and returns."""
    parts = list(ast.walk(node))
    products = any(
        isinstance(one, ast.MatMult) or (isinstance(one, ast.Attribute) and one.attr in PRODUCTS)
        for one in parts
    )
    called = {
        one.func.attr
        for one in parts
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)
    }
    quotients = any(isinstance(one, ast.Div) for one in parts)
    returns = any(isinstance(one, ast.Return) and one.value is not None for one in parts)
    return products and returns and quotients and {"exp", "sum"} <= called

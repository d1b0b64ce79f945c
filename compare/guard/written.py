"""Where in their file a number is written: the line of a guard that was found in the numbers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from compare.guard.blame import Place, home_of, tree_of
from compare.guard.implementation import Guarded

CLOSE = 1e-12
"""Relative distance within which a number that was found is the one that was typed."""
DRAWS = frozenset({
    "rand", "randn", "random", "random_sample", "normal", "standard_normal", "uniform", "binomial",
    "choice", "permutation", "shuffle", "integers", "randint", "bernoulli", "gauss", "dropout",
})  # fmt: skip
"""Functions that draw random numbers, whatever they are called on."""
LOGARITHMS = ("log", "log2", "log10", "log1p")


def where_written(function: Callable[..., Any], number: float) -> Place | None:
    """Return the line of the function's file with this number in a logarithm, or else the first
    one with it; None where it is not written as a number or the file cannot be read."""
    home, tree = parsed(function)
    if home is None or tree is None:
        return None
    logs = (node for node in ast.walk(tree) if is_logarithm(node))
    for part in (*logs, tree):
        for line in lines_with(part, number):
            return Place(home.file, line)
    return None


def where_random(function: Callable[..., Any]) -> Place | None:
    """Return the first line of the function that draws random numbers, None if none does."""
    home, tree = parsed(function)
    if home is None or tree is None:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.Lambda) and node.lineno == home.line:
            calls = (part for part in ast.walk(node) if isinstance(part, ast.Call))
            lines = [call.lineno for call in calls if draws(call)]
            return Place(home.file, min(lines)) if lines else None
    return None


def parsed(function: Callable[..., Any]) -> tuple[Place | None, ast.Module | None]:
    """Return where a function stands and its parsed file; None for what cannot be found or read."""
    while isinstance(function, Guarded):
        function = function.function
    home = home_of(function)
    return (None, None) if home is None else (home, tree_of(home.file))


def draws(call: ast.Call) -> bool:
    """Return whether a call draws random numbers: `np.random.rand(...)`, `rng.normal(...)`."""
    return ast.unparse(call.func).split(".")[-1] in DRAWS


def is_logarithm(node: ast.AST) -> bool:
    """Return whether a node is a call of a logarithm, `np.log` or `log`."""
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in LOGARITHMS


def lines_with(node: ast.AST, number: float) -> Iterator[int]:
    """Yield the lines below a node on which the number is written."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, int | float):
            if abs(part.value - number) <= CLOSE * abs(number):
                yield part.lineno

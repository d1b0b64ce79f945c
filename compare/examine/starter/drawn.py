"""Where a file draws random numbers: for its weights only, or in its passes too.

Every object of a class draws its weights when it is made, and one is made for each call: that the
call moves a global generator says nothing about the passes then, and is not said of them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.source import Source
from compare.guard.effects import MOVED

INITIALISER = re.compile(r"_*init")
"""How a function begins its name that draws weights."""


def remarks(one: FunctionVerdict, source: Source) -> tuple[str, ...]:
    """Return what is said of a function beside its verdict, without what its weights explain."""
    drawing = set(draw(source))
    if not drawing or not all(map(INITIALISER.match, drawing)):
        return one.conventions
    return tuple(words for words in one.conventions if MOVED not in words)


def draw(source: Source) -> Iterator[str]:
    """Yield the name of every function or method that names a module of random numbers."""
    for each in source.statements:
        for node in ast.walk(each.node):
            if isinstance(node, ast.FunctionDef) and any(map(is_random, ast.walk(node))):
                yield node.name


def is_random(node: ast.AST) -> bool:
    """Whether a node is `np.random`, `random` or `default_rng`."""
    named = {"id", "attr"} & set(node._fields)
    return any(getattr(node, field) in ("random", "default_rng") for field in named)

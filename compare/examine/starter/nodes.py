"""All nodes of a tree, walked through once: a file is asked the same things over and over.

A tree is known by its identity, so what is copied and changed is walked through anew.
"""

from __future__ import annotations

import ast
from functools import lru_cache

MOST_TREES = 512


@lru_cache(MOST_TREES)
def nodes_of(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return what `ast.walk` yields, as often as it is asked for."""
    return tuple(ast.walk(tree))


@lru_cache(MOST_TREES)
def by_line(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return the same in the order of the lines; what has no place comes first."""
    return tuple(sorted(nodes_of(tree), key=where))


def where(node: ast.AST) -> tuple[int, int]:
    """Return where a node stands; what has no place comes first."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)

"""The names that a statement reads and gives values to, also in part."""

from __future__ import annotations

import ast


def stored(node: ast.AST) -> list[str]:
    """Return the names that a statement gives values to, whole or in part."""
    found = []
    for part in ast.walk(node):
        target = part
        while isinstance(target, ast.Subscript | ast.Attribute):
            target = target.value
        context = getattr(part, "ctx", None)
        if isinstance(context, ast.Store) and isinstance(target, ast.Name):
            found.append(target.id)
    return found


def loaded(node: ast.AST) -> set[str]:
    """Return the names that a statement reads, also those it changes in part."""
    own = {part.id for one in ast.walk(node) if isinstance(one, ast.comprehension)
           for part in ast.walk(one.target) if isinstance(part, ast.Name)}  # fmt: skip
    names = {part.id for part in ast.walk(node)
             if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}  # fmt: skip
    if isinstance(node, ast.AugAssign):
        names |= {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)}
    if isinstance(node, ast.For):
        own |= {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)}
    return names - own

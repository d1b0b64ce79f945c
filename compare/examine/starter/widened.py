"""Code that computes in float32 throughout, read as if it computed in float64.

Its formulas are what is asked about, and the same code one precision up shows them without its
rounding. Where only one place converts, in code that has float64 elsewhere, that is a slip of its
own and stays.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache

from compare.examine.starter.nodes import nodes_of

NARROW = frozenset({"float32", "float16", "single", "half"})
WIDE = frozenset({"float64", "double", "float_"})
TEXTS = NARROW | {"f4", "f2", "<f4"}
"""What a format is called in quotes."""
SAID = "float32 of the file was read as float64: its formulas are compared, not its rounding"


@lru_cache(maxsize=64)
def narrow_throughout(statements: tuple[ast.stmt, ...]) -> bool:
    """Return whether at least two functions or statements of a file ask for a short format, and
    none for float64."""
    short = {name for one in statements for name in named_formats(one)}
    parts = [part for one in statements if not named_formats(one) for part in parts_of(one)]
    if any(asks(part, WIDE, frozenset()) for part in parts):
        return False
    return sum(asks(part, NARROW, frozenset(short)) for part in parts) > 1


def parts_of(statement: ast.stmt) -> Iterable[ast.stmt]:
    """Return a statement, or what is in a class."""
    return statement.body if isinstance(statement, ast.ClassDef) else [statement]


def named_formats(statement: ast.stmt) -> list[str]:
    """Return the names that are given to a short format: `dt = np.float32`."""
    if not isinstance(statement, ast.Assign) or not is_format(statement.value, NARROW):
        return []
    return [one.id for one in statement.targets if isinstance(one, ast.Name)]


def asks(statement: ast.stmt, formats: frozenset[str], names: frozenset[str]) -> bool:
    """Return whether a statement has one of these formats, or a name that stands for one."""
    nodes = nodes_of(statement)
    named = any(isinstance(one, ast.Name) and one.id in names for one in nodes)
    return named or any(is_format(one, formats) for one in nodes)


def is_format(node: ast.AST, formats: frozenset[str]) -> bool:
    """Return whether this is `np.float32`, `float32` or a text that says so."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value in formats
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in formats


class Widened(ast.NodeTransformer):
    """Replaces short formats by float64."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Replace `np.float32`."""
        self.generic_visit(node)
        if node.attr in NARROW and isinstance(node.value, ast.Name):
            node.attr = "float64"
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Replace the texts in `x.astype("float32")` and `np.zeros(3, dtype="f4")`."""
        self.generic_visit(node)
        casts = isinstance(node.func, ast.Attribute) and node.func.attr == "astype"
        node.args = [widened_text(one) if casts else one for one in node.args]
        for keyword in node.keywords:
            if keyword.arg == "dtype":
                keyword.value = widened_text(keyword.value)
        return node


def widened_text(node: ast.expr) -> ast.expr:
    """Return a text that is a short format as that of float64, anything else as it is."""
    short = isinstance(node, ast.Constant) and node.value in TEXTS
    return ast.copy_location(ast.Constant("float64"), node) if short else node

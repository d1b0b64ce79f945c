"""Names that NumPy once had: `np.float` in a student's file means what it meant then.

`np.float32(0.1)` means 0.1 where everything is float64: its rounding is no mistake. Both are
rewritten in the syntax tree of the student's code. NumPy itself is not touched, so that nothing
changes for anybody else.
"""

from __future__ import annotations

import ast
from collections.abc import Set

import numpy as np

from compare.examine.starter.widened import NARROW
from compare.guard.effects import Notes

BUILTINS = {
    "float": "float",
    "int": "int",
    "bool": "bool",
    "object": "object",
    "str": "str",
    "complex": "complex",
    "long": "int",
    "unicode": "str",
}
RENAMED = {
    "float_": "float64",
    "complex_": "complex128",
    "Inf": "inf",
    "Infinity": "inf",
    "infty": "inf",
    "PINF": "inf",
    "NaN": "nan",
    "NAN": "nan",
    "product": "prod",
    "cumproduct": "cumprod",
    "sometrue": "any",
    "alltrue": "all",
    "row_stack": "vstack",
    "in1d": "isin",
    "trapz": "trapezoid",
}


NONE: Set[str] = frozenset()


class Modern(ast.NodeTransformer):
    """Replaces old NumPy names under any of the names NumPy was imported by."""

    def __init__(self, numpy_names: set[str], notes: Notes, casts: Set[str] = NONE) -> None:
        self.numpy_names = numpy_names
        self.notes = notes
        self.casts = casts
        """What else the narrow formats are called."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Replace a number that is cast to a narrow format by the number."""
        self.generic_visit(node)
        named = node.func
        narrow = named.id in self.casts if isinstance(named, ast.Name) else (
            isinstance(named, ast.Attribute) and named.attr in NARROW
            and isinstance(named.value, ast.Name) and named.value.id in self.numpy_names
        )  # fmt: skip
        numbers = [one for one in node.args if isinstance(one, ast.Constant)
                   and type(one.value) in (int, float)]  # fmt: skip
        if not narrow or node.keywords or len(node.args) != 1 or not numbers:
            return node
        return ast.copy_location(ast.Constant(float(ast.literal_eval(numbers[0]))), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Replace `np.OLD` where NumPy has no OLD any more."""
        self.generic_visit(node)
        owner, name = node.value, node.attr
        if not isinstance(owner, ast.Name) or owner.id not in self.numpy_names or exists(name):
            return node
        if name in BUILTINS:
            self.notes.add(f"np.{name} is gone from NumPy; it was read as {BUILTINS[name]}")
            return ast.copy_location(ast.Name(BUILTINS[name], node.ctx), node)
        if name in RENAMED:
            self.notes.add(f"np.{name} is gone from NumPy; it was read as np.{RENAMED[name]}")
            node.attr = RENAMED[name]
        return node


def exists(name: str) -> bool:
    """True if this NumPy has the name. `dir`, because asking for a lost one warns."""
    return name in dir(np)

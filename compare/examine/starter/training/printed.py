"""Losses that a training prints and keeps in no name, kept: `print(0.5 * np.sum(error ** 2))`.

A loss says what the gradients have to be of. What is printed is evaluated once, as it is written.
"""

from __future__ import annotations

import ast

from compare.examine.starter.numbers_returned import is_total, terms_of

PRINTED = "printed_number_"
INNER = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda


class Printed(ast.NodeTransformer):
    """Gives names to what is added up in a call of `print`."""

    def __init__(self) -> None:
        self.kept = 0

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        """A call that stands alone."""
        call = node.value
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "print":
            call.args = [self.named(one) for one in call.args]
        return node

    def named(self, node: ast.expr) -> ast.expr:
        """Return an expression with names for the sums and means in it."""
        if isinstance(node, INNER):
            return node
        if any(map(is_total, terms_of(node))):
            self.kept += 1
            name = ast.copy_location(ast.Name(f"{PRINTED}{self.kept}", ast.Store()), node)
            return ast.copy_location(ast.NamedExpr(name, node), node)
        for field, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(node, field, self.named(value))
            elif isinstance(value, list):
                setattr(node, field, [self.named(one) if isinstance(one, ast.expr) else one
                                      for one in value])  # fmt: skip
        return node

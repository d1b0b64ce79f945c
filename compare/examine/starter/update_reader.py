"""What an expression of an update reads: names, and what is computed on the spot.

A part of judging updates (`loop_steps`). What does more than arithmetic cannot be read.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container

from compare.examine.starter.update_lines import word

ELEMENTWISE = frozenset({"sqrt", "sign", "square", "copy", "array", "asarray", "multiply", "add",
                         "subtract", "divide", "negative", "zeros_like", "abs", "power",
                         "maximum"})  # fmt: skip
COMPUTED = frozenset({"dot", "matmul", "outer", "einsum", "sum", "mean", "average", "clip",
                      "reshape", "transpose"})  # fmt: skip
"""What computes a gradient on the spot."""
REDUCED = frozenset({"sum", "mean", "average"})
OF_PARAMETERS = re.compile(
    r"d(l|j|e|c|loss)?d?(w|b|theta|p|param|weight|bias)\w*"
    r"|grads|gradients|(grads?|gradients?|nabla)(w|b|theta|param|weight|bias)\w*"
)
"""Names of gradients of weights and biases; those of units are summed to make one of these."""


class Unread(Exception):
    """An update that cannot be read off its lines."""


def read(value: ast.expr | None, known: Container[str] = ()) -> list[str]:
    """Return the names that a value reads, and what it computes on the spot; raises `Unread` where
    it does more than arithmetic."""
    if value is None:
        raise Unread("its value is what a call returns")
    reader = Reader(known)
    reader.visit(ast.parse(ast.unparse(value), mode="eval").body)
    return list(reader.keys)


class Reader(ast.NodeTransformer):
    """Replaces the names of an expression by plain ones, which `keys` lists."""

    def __init__(self, known: Container[str] = ()) -> None:
        self.known = known
        self.keys: dict[str, str] = {}

    def key(self, node: ast.expr) -> ast.expr:
        """Return the plain name of a name, attribute, entry, or of what is computed on the spot."""
        name = self.keys.setdefault(ast.unparse(node), f"k{len(self.keys)}")
        return ast.Name(name, ast.Load())

    visit_Name = visit_Subscript = visit_Attribute = key

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """A matrix product computes a gradient."""
        if isinstance(node.op, ast.MatMult):
            return self.key(node)
        return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """A choice cannot be followed."""
        raise Unread(f"{ast.unparse(node)} is a choice")

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Elementwise functions of NumPy, sums and products, and functions that were compared."""
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)
        root = ast.unparse(called.value) if isinstance(called, ast.Attribute) else ""
        if name in REDUCED and is_one_number(node):
            raise Unread(f"{ast.unparse(node)} is one number for all entries of a gradient")
        if name in self.known or name in COMPUTED or name in ("len", "getattr"):
            return self.key(node)
        if name == "copy" and isinstance(called, ast.Attribute) and not node.args:
            whole: ast.expr = self.visit(called.value)
            return whole
        if name == "float" and len(node.args) == 1:
            passed: ast.expr = self.visit(node.args[0])
            return passed
        if name in ELEMENTWISE and root in ("np", "numpy") and not node.keywords:
            return ast.Call(ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load()),
                            [self.visit(one) for one in node.args], [])  # fmt: skip
        if name == "sqrt" and root == "math" and len(node.args) == 1:
            return ast.BinOp(self.visit(node.args[0]), ast.Pow(), ast.Constant(0.5))
        raise Unread(f"{ast.unparse(node)} is more than arithmetic")


def is_one_number(node: ast.Call) -> bool:
    """Return whether all entries of something called a gradient of parameters are added up or
    averaged, `dW.mean()` or `np.sum(grads[k])`, along no axis; `sum` alone adds up a list."""
    if not isinstance(node.func, ast.Attribute) or node.keywords:
        return False
    of_module = ast.unparse(node.func.value) in ("np", "numpy")
    if len(node.args) != int(of_module):
        return False
    reduced = node.args[0] if of_module else node.func.value
    plain = isinstance(reduced, ast.Name | ast.Attribute | ast.Subscript)
    return plain and OF_PARAMETERS.fullmatch(word(ast.unparse(reduced))) is not None

"""The strengths of penalties that a training writes as numbers, beside its weights.

    loss = ce + 5e-4 * np.sum(W1 * W1)          dW1 = x.T @ dz + 1e-3 * W1

A training is run without its penalties first, and then with two other strengths (`penalised`). A
number that multiplies nothing but weights, or sums of their squares, is one of them, unless the
strength beside it has a name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence, Set

from compare.examine.starter.binding import plain
from compare.examine.starter.cut import DECAY
from compare.examine.starter.cut_names import loaded
from compare.examine.starter.missed import descends
from compare.examine.starter.update_words import is_weight, number_in

SUMS = frozenset({"sum", "square", "dot", "vdot", "norm", "power"})
"""What the squares of weights are added up with."""


class Terms(ast.NodeTransformer):
    """Multiplies by `strength` every number that is the strength of a penalty; `weights` are those
    that the program moves."""

    def __init__(self, strength: float, weights: Set[str]) -> None:
        self.strength, self.weights, self.found = strength, weights, False

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        """What is assigned, unless it is a weight times numbers under its own name: it is scaled as
        a whole, by no strength."""
        for one in node.targets:
            pairs = list(zip(parts_of(one), parts_of(node.value), strict=False))
            if len(parts_of(one)) == len(parts_of(node.value)) and any(
                is_scaled(target, value) for target, value in pairs
            ):
                return node
        self.generic_visit(node)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """A product: its first number, if weights and nothing named like a strength are in it."""
        parts = list(factors(node))
        numbers = [one for one in parts if 0 < (number_in(one) or 0) < 1]
        of_weights = any(self.is_of_weights(one) for one in parts)
        if len(parts) == 1 or not numbers or not of_weights or any(map(is_strength, parts)):
            self.generic_visit(node)
            return node
        self.found = True
        number = ast.Constant((number_in(numbers[0]) or 0.0) * self.strength)
        return exchanged(node, numbers[0], ast.copy_location(number, node))

    def is_of_weights(self, part: ast.expr) -> bool:
        """Whether a factor is a weight, or sums of weights alone."""
        if root(part) in self.weights:
            return True
        called = [one for one in ast.walk(part) if isinstance(one, ast.Call)]
        if not called or not all(last_word(one) in SUMS for one in called):
            return False
        read = {one for one in map(root, atoms(part)) if one not in ("np", "numpy", *SUMS)}
        return bool(read & self.weights) and read <= self.weights


def parts_of(node: ast.expr) -> list[ast.expr]:
    """Return what a tuple or list holds, or the one expression that is none."""
    return node.elts if isinstance(node, ast.Tuple | ast.List) else [node]


def is_scaled(target: ast.expr, value: ast.expr) -> bool:
    """Return whether a value is a product with what it is assigned to: `W = 0.1 * W`."""
    parts = list(factors(value))
    return len(parts) > 1 and ast.unparse(target) in map(ast.unparse, parts)


def factors(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the factors and divisors of a product."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield from factors(node.left)
        yield from factors(node.right)
    else:
        yield node


def exchanged(node: ast.expr, old: ast.expr, new: ast.expr) -> ast.expr:
    """A product with another factor in the place of one."""
    if node is old:
        return new
    if isinstance(node, ast.BinOp):
        node.left, node.right = exchanged(node.left, old, new), exchanged(node.right, old, new)
    return node


def is_strength(part: ast.expr) -> bool:
    """Whether a factor is named like the strength of a penalty."""
    return any(DECAY.fullmatch(plain(one.rpartition(".")[2])) for one in map(root, atoms(part)))


def atoms(part: ast.expr) -> Iterator[ast.expr]:
    """Yield the names, attributes and entries in an expression, but for what they are made of."""
    if isinstance(part, ast.Name | ast.Attribute | ast.Subscript):
        yield part
        return
    inner = part.args if isinstance(part, ast.Call) else ast.iter_child_nodes(part)
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
        yield from atoms(part.func.value)
    for one in inner:
        if isinstance(one, ast.expr):
            yield from atoms(one)


def root(part: ast.expr) -> str:
    """The text of a name or attribute, without the entry that is meant."""
    return re.split(r"\[", ast.unparse(part))[0]


def last_word(call: ast.Call) -> str:
    """What a call is of, without its module."""
    return ast.unparse(call.func).rpartition(".")[2]


def moved(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yield the names of what is moved by a rate times something, or is named like a weight and
    moved."""
    for one in (part for node in nodes for part in ast.walk(node)):
        if isinstance(one, ast.Assign | ast.AugAssign) and descends(one):
            targets: Iterable[ast.expr] = (
                one.targets if isinstance(one, ast.Assign) else [one.target]
            )
            for target in targets:
                product = any(isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult)
                              for part in ast.walk(one.value))  # fmt: skip
                if (product and loaded(one.value)) or is_weight(ast.unparse(target)):
                    yield root(target)

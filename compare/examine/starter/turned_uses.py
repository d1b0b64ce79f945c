"""How a file takes the gradients of its weights: as they are, turned, or in a way not looked into.

A gradient in the transpose of the shape of its weights is a mistake only if it is taken as it is:
`W -= lr * dW`. One that is turned in whatever spelling (`dW.T`, `np.swapaxes`), or that moves a
view of the weights (`W.T`), is right.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from compare.examine.starter.binding import AROUND, MOST_LAYERS, is_gradient_name, weight_called
from compare.examine.starter.source import Source
from compare.examine.starter.update_lines import word

HANDED_ON = ast.Return | ast.Tuple | ast.List | ast.Dict | ast.Expr
"""What holds gradients and does nothing with them."""
TURNING = frozenset({"T", "transpose", "swapaxes", "einsum", "moveaxis"})
ARITHMETIC = ast.BinOp | ast.UnaryOp | ast.Assign | ast.AugAssign | ast.operator | ast.unaryop


@dataclass(frozen=True)
class Use:
    """One gradient of a matrix that a statement reads: of which weights its name says that it is,
    whether the transpose of it is taken, and whether it moves weights as it is."""

    weight: str
    turns: bool
    plain: bool

    def may_be(self, weight: str) -> bool:
        """Return whether it may be the gradient of these weights: of no others, by its name."""
        return self.weight in ("", weight)


def uses_of(source: Source) -> list[Use]:
    """Return how the gradients of weights are read in a file, but where they are only handed on."""
    return [use for one in source.statements for use in uses_in(one.node, ())]


def uses_in(node: ast.AST, around: tuple[ast.AST, ...]) -> Iterator[Use]:
    """Yield the uses in a part of a statement; `around` is what it stands in, innermost last."""
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and is_gradient(node):
        inner = statement(around)
        if isinstance(node.ctx, ast.Load) and not is_handed_on(inner):
            turned = any(map(turns, (*inner, *moved(inner)))) and not multiplies(inner)
            yield Use(weight_of(node), turned, moves_as_it_is(inner))
        return
    for part in ast.iter_child_nodes(node):
        yield from uses_in(part, (*around, node))


def statement(around: tuple[ast.AST, ...]) -> tuple[ast.AST, ...]:
    """Return what something stands in, from its own statement on."""
    starts = [place for place, one in enumerate(around) if isinstance(one, ast.stmt)]
    return around[starts[-1] :] if starts else around


def is_handed_on(inner: tuple[ast.AST, ...]) -> bool:
    """Return whether nothing is done with a gradient, but arithmetic under its own name."""
    own = any(is_gradient(one) for one in moved(inner)) and is_arithmetic(inner)
    return own or all(isinstance(one, HANDED_ON) for one in inner)


def moved(inner: tuple[ast.AST, ...]) -> list[ast.expr]:
    """Return what a statement assigns to, if it is one thing."""
    first = inner[0] if inner else None
    if isinstance(first, ast.Assign):
        return first.targets
    return [first.target] if isinstance(first, ast.AugAssign) else []


def moves_as_it_is(inner: tuple[ast.AST, ...]) -> bool:
    """Return whether weights are moved by arithmetic alone, under their own name."""
    targets = moved(inner)
    own = all(is_matrix(word(ast.unparse(one))) and not any(map(turns, ast.walk(one)))
              for one in targets)  # fmt: skip
    return bool(targets) and own and is_arithmetic(inner)


def is_arithmetic(inner: tuple[ast.AST, ...]) -> bool:
    """Return whether a statement only adds and multiplies, entry by entry."""
    return not multiplies(inner) and all(isinstance(one, ARITHMETIC) for one in inner)


def multiplies(inner: tuple[ast.AST, ...]) -> bool:
    """Return whether something stands in a product of matrices."""
    return any(isinstance(getattr(one, "op", None), ast.MatMult) for one in inner)


def turns(node: ast.AST) -> bool:
    """Return whether something may be the transpose of what is in it."""
    parts = ast.walk(node) if isinstance(node, ast.Subscript) else [node]
    called = [one.func if isinstance(one, ast.Call) else one for one in parts]
    return any(isinstance(one, ast.Attribute) and one.attr in TURNING for one in called)


def is_matrix(name: str) -> bool:
    """Return whether a name is one of weights, no bias."""
    weight = weight_called(name) or weight_called(name, MOST_LAYERS)
    return weight[:1] == "w" or name in ("w", "weight", "weights")


def weight_of(node: ast.expr) -> str:
    """Return the weights that the name of a gradient says it is of, w1 of `dW1` and `grads["W1"]`;
    empty where it says none."""
    name = word(ast.unparse(node))
    found = AROUND.match(name)
    return weight_called(found["inner"] if found else name)


def is_gradient(node: ast.expr) -> bool:
    """Return whether something is called like the gradient of weights, or lies among such."""
    text = ast.unparse(node)
    name = word(text)
    turned = isinstance(node, ast.Attribute) and node.attr in TURNING
    if turned or (is_matrix(name) and "grad" not in text.lower()):
        return False
    found = AROUND.match(name)
    inner = found["inner"] if found else name
    bias = inner[:1] == "b" and (is_gradient_name(name) or inner in ("b", "bias", "biases"))
    known = is_gradient_name(name) or (name != inner and is_matrix(inner))
    return (known or "grad" in text.lower()) and not bias

"""The classes of a file that only move weights which they are handed: no networks.

Their updates are judged by their lines (`loop_steps`). A name is not enough: `NetSGD` with
`gradients(self, X, y)` is a network that trains itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from compare.examine.starter.binding import certain, plain
from compare.examine.starter.flow import Code
from compare.examine.starter.layer_classes import methods_of
from compare.examine.starter.missed import PRODUCTS
from compare.examine.starter.recipe import FORWARD
from compare.examine.starter.roles import argument_named
from compare.examine.starter.source import Source
from compare.examine.starter.update_words import of_gradient

OPTIMISER = re.compile(r"(\w*optimi[sz]er\w*|\w*(sgd|momentum|nesterov|ada\w*|nadam|rms_?prop))",
                       re.IGNORECASE)  # fmt: skip
BATCHES = re.compile(r"(mini|training|train)?(batch(es)?|data|samples|set)")
STEP = "t"
"""Targets, or which step of Adam it is."""


def is_optimiser(source: Source, name: str) -> bool:
    """Whether a class is named like one and none of its methods takes data or multiplies matrices,
    as every forward and backward pass does."""
    if not OPTIMISER.fullmatch(name):
        return False
    methods = methods_of(source, name).values()
    ahead = any(FORWARD.fullmatch(plain(one.name)) for one in methods)
    return not (ahead or any(takes_data(one) or multiplies(one) for one in methods))


def takes_data(method: Code) -> bool:
    """Whether a method is handed targets or whole batches."""
    given = method.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    if any(BATCHES.fullmatch(plain(one)) for one in names):
        return True
    targets = [one for one in names if certain(one) == "y" or argument_named(one) == "target"]
    inputs = [one for one in names if certain(one) == "x" or argument_named(one) == "x"]
    moves = any(of_gradient(plain(one)) for one in names)
    return any(one != STEP or (inputs and not moves) for one in targets)


def multiplies(method: Code) -> bool:
    """Whether there is a product of matrices in a method."""
    return any(map(is_product, ast.walk(method)))


def is_product(node: ast.AST) -> bool:
    """Whether a node multiplies matrices."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in PRODUCTS


def by_updates_alone(source: Source) -> tuple[str, ...]:
    """Name the classes that were taken for optimisers, and so not compared as networks."""
    names = [name for name in classes_of(source) if is_optimiser(source, name)]
    if not names:
        return ()
    return (f"taken for an optimiser, looked at by its updates alone: {', '.join(names)}",)


def classes_of(source: Source) -> Iterable[str]:
    """The classes of a file."""
    return (name for name, one in source.definitions.items() if isinstance(one.node, ast.ClassDef))

"""A program without what keeps its numbers in bounds: what is added in a logarithm or cut off at
its ends, and gradients that are clipped. A right gradient does not know of them. What bounds units,
as `np.clip(z, 0, None)` does, is a part of the network and stays."""

from __future__ import annotations

import ast
import copy
from dataclasses import replace

from compare.examine.starter.binding import plain
from compare.examine.starter.cut_names import loaded
from compare.examine.starter.loss_lines import Unguarded
from compare.examine.starter.training.program import Program
from compare.examine.starter.update_lines import word
from compare.examine.starter.update_words import SMALL, number_in, of_gradient

CLIPS = frozenset({"clip", "clip_by_value"})
MOST = 1e-2
"""A bound of a probability that only keeps its logarithm finite."""


def unguarded(program: Program) -> tuple[Program, str]:
    """Return a program without guards, and which were left out, in words."""
    logs, clips = Unguarded(), Unclipped()

    def bare(node: ast.stmt) -> ast.stmt:
        found = clips.visit(logs.visit(copy.deepcopy(node)))
        assert isinstance(found, ast.stmt)
        return ast.fix_missing_locations(found)

    statements = tuple(replace(one, node=bare(one.node)) for one in program.source.statements)
    main = tuple(map(bare, program.main))
    words = [f"the guard {one}" for one in dict.fromkeys(logs.guards)] + clips.words[:1]
    source = replace(program.source, statements=statements, compiled={})
    return replace(program, source=source, main=main, idle={}, compiled={}), " and ".join(words)


class Unclipped(ast.NodeTransformer):
    """Takes calls of `np.clip` for what is clipped."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        """`np.clip(dW, -5, 5, out=dW)` alone."""
        if isinstance(node.value, ast.Call) and self.takes(node.value):
            return ast.copy_location(ast.Pass(), node)
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """`np.clip(p, 1e-9, 1 - 1e-9)`."""
        self.generic_visit(node)
        return node.args[0] if self.takes(node) else node

    def takes(self, node: ast.Call) -> bool:
        """Whether this is such a call, of a gradient or with a small bound above 0."""
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        found = called in CLIPS and len(node.args) > 1 and is_guard(*node.args[:2])
        self.words += ["what clips"] if found else []
        return found


def is_guard(value: ast.expr, bound: ast.expr) -> bool:
    """Whether a lower bound is none of a unit: that of a gradient, or of a probability."""
    number = number_in(bound)
    small = 0 < number <= MOST if number is not None else SMALL.fullmatch(word(ast.unparse(bound)))
    return bool(small) or any(of_gradient(plain(name)) for name in loaded(value))

"""A program without what keeps its numbers in bounds: what is added in a logarithm or cut off at
its ends, and gradients that are clipped. A right gradient does not know of them."""

from __future__ import annotations

import ast
import copy
from dataclasses import replace

from compare.examine.starter.loss_lines import Unguarded
from compare.examine.starter.training.program import Program

CLIPS = frozenset({"clip", "clip_by_value"})


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
        if isinstance(node.value, ast.Call) and self.clips(node.value):
            return ast.copy_location(ast.Pass(), node)
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """`np.clip(p, 1e-9, 1 - 1e-9)`."""
        self.generic_visit(node)
        return node.args[0] if self.clips(node) else node

    def clips(self, node: ast.Call) -> bool:
        """Whether this is such a call."""
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        found = called in CLIPS and len(node.args) > 1
        self.words += ["what clips"] if found else []
        return found

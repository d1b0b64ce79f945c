"""Updates in a loop over layers that take the gradient of one layer for all of them.

    for l in range(1, L + 1):
        W[l] -= rate * dW[L]

What is taken off has to depend on what the loop counts: on its variable, or on something that its
body computes. Where it does not, the update was not compared, and nobody is accused.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from compare.contracts.result import Verdict
from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.missed import descends
from compare.examine.starter.source import Source
from compare.examine.starter.update_lines import word
from compare.examine.starter.update_words import of_gradient
from compare.guard.blame import Place


def same_for_all(source: Source) -> Iterator[FunctionVerdict]:
    """Say which updates of a loop take off what its turns have in common."""
    for one in source.statements:
        loops = [part for part in ast.walk(one.node) if isinstance(part, ast.For)]
        for loop, update in [(each, part) for each in loops for part in ast.walk(each)]:
            counted = depends(loop, update)
            if counted and isinstance(update, ast.Assign | ast.AugAssign):
                target = update.targets[0] if isinstance(update, ast.Assign) else update.target
                sentence = (
                    f"was not compared: what it takes off is the same for every {counted}, which"
                    f" {ast.unparse(target)} is not"
                )
                name = f"the update of {ast.unparse(target)}"
                place = Place(one.file, update.lineno)
                yield FunctionVerdict(name, "step", place, Verdict.UNDECIDABLE, sentence)


def keys_counted(node: ast.AST) -> Iterator[str]:
    """The variable of a loop over keys or numbers, which are the same in every turn around it."""
    if isinstance(node, ast.For) and isinstance(node.iter, ast.Name | ast.Attribute):
        yield from stored(node.target)


def depends(loop: ast.For, update: ast.AST) -> str:
    """The variable of a loop that the target of an update depends on, and what is taken off not;
    empty where there is none."""
    if not descends(update) or not isinstance(update, ast.Assign | ast.AugAssign):
        return ""
    target = update.targets[0] if isinstance(update, ast.Assign) else update.target
    taken = update.value.right if isinstance(update.value, ast.BinOp) else update.value
    taken = update.value if isinstance(update, ast.AugAssign) else taken
    counted = set(stored(loop.target))
    in_target = sorted(loaded(target) & counted)
    keys = {name for part in ast.walk(loop) for name in keys_counted(part)}
    made = ({name for part in loop.body for name in stored(part)} - keys) | counted
    indexed = isinstance(target, ast.Subscript | ast.Attribute)
    read = loaded(taken)
    gradient = any(of_gradient(word(name)) for name in read)  # `p[rows, labels] -= 1` moves nothing
    return in_target[0] if indexed and in_target and gradient and not read & made else ""

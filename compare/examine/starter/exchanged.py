"""Names that a call exchanges: `update(W1, db2, db1)` of `def update(W1, db1, db2)`.

    dW1, db2, dW2, db1 = gradients(...)          whose last line is  return dW1, db1, dW2, db2

Where the training was not run nothing else shows it. The names alone accuse nobody.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator, Mapping, Sequence

from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_functions import returned_names
from compare.examine.starter.source import Source
from compare.examine.starter.update_own import inner
from compare.guard.blame import Place

OF_LAYERS = re.compile(r"(grad|d|delta|v|m|s)?(w|b|weights?|bias(es)?|theta)\w*\d")
"""Names of weights and of what belongs to one, without underscores."""
Pairs = Sequence[tuple[str, str]]
"""What a function calls something, and what its caller does."""


def exchanged(source: Source, right: Container[str] = ()) -> Iterator[FunctionVerdict]:
    """Say which calls hand over or take back what the function has under another's name.

    It is a mistake where gradients come back whose names are `right` in the function, and each
    moves the weight that its new name says.
    """
    functions = {name: one.node for name, one in source.definitions.items()
                 if isinstance(one.node, ast.FunctionDef)}  # fmt: skip
    for one in source.statements:
        for node in ast.walk(one.node):
            for called, pairs in pairs_of(node, functions):
                if wrong := out_of_place(pairs):
                    own, theirs = zip(*wrong, strict=True)
                    sentence = (
                        f"was not compared: {' and '.join(theirs)} stand where {called} has"
                        f" {' and '.join(own)}"
                    )
                    place = Place(one.file, getattr(node, "lineno", one.line))
                    about = FunctionVerdict(
                        f"a call of {called}", "call", place, Verdict.UNDECIDABLE, sentence
                    )
                    back = isinstance(node, ast.Assign) and called in right
                    if back and all(moves_its_weight(one.node, name) for name in theirs):
                        about = about.wrong("value", sentence.partition(": ")[2])
                    yield about


def moves_its_weight(node: ast.AST, gradient: str) -> bool:
    """Whether `db2` stands in an assignment to b2, or to what is named like its velocity."""
    weight = inner(gradient)
    for one in ast.walk(node):
        if isinstance(one, ast.Assign | ast.AugAssign):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            to = re.sub("^[vms](?=[wb])", "", plain(named(targets[0])))
            read = {named(part) for part in ast.walk(one.value) if isinstance(part, ast.expr)}
            if weight and to == weight and gradient in read:
                return True
    return False


def pairs_of(
    node: ast.AST, functions: Mapping[str, ast.FunctionDef]
) -> Iterator[tuple[str, Pairs]]:
    """The names of a call beside those of its function: of arguments, and of what comes back."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if known := functions.get(node.func.id):
            given = [named(one) for one in node.args]
            yield known.name, list(zip([one.arg for one in known.args.args], given, strict=False))
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
        target, func = node.targets[0], node.value.func
        known = functions.get(func.id) if isinstance(func, ast.Name) else None
        if known and isinstance(target, ast.Tuple):
            own = returned_names(known)
            yield known.name, list(zip(own, map(named, target.elts), strict=False))


def named(node: ast.expr) -> str:
    """The name of a variable or attribute; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def out_of_place(pairs: Pairs) -> Pairs:
    """The pairs whose names are those of other pairs, if they only trade places."""
    keyed = [(plain(own), plain(theirs), (own, theirs)) for own, theirs in pairs]
    wrong = [one for one in keyed if one[0] != one[1]]
    moved = [one for one in wrong if OF_LAYERS.fullmatch(one[0]) and OF_LAYERS.fullmatch(one[1])]
    trade = sorted(one[0] for one in moved) == sorted(one[1] for one in moved)
    return [one[2] for one in moved] if trade else []

"""The best weights of a training, kept by reference: the loop goes on changing them.

    best = W                where the loop does  W[k] = …,  W[k] -= …  or  W -= …
    best = W.copy()         of a dictionary or list, where it does  W[k] -= …

Nothing is run. A copy of a container holds the same arrays, and `-=` changes those in their place;
`W = W - …` makes new ones, which leaves the kept ones alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.held_out import given
from compare.examine.starter.source import Source
from compare.guard.blame import Place

MISTAKE = "best-weights-by-reference"
TITLE = "best weights that are kept by reference, which training goes on changing"
BEST = re.compile(r"best|saved|snapshot|checkpoint", re.IGNORECASE)
SHALLOW = ("dict", "list", "copy.copy")
"""Calls that make a new container of the same arrays."""
Loop = ast.For | ast.While


@dataclass(frozen=True)
class Kept:
    """What is kept under a name: `shallow`, a new container of the same arrays, or itself."""

    name: str
    line: int
    of: str
    shallow: bool


def best_by_reference(source: Source) -> Iterator[FunctionVerdict]:
    """Say which functions keep the best weights by reference and change them afterwards."""
    for one in source.statements:
        for function in ast.walk(one.node):
            if not isinstance(function, ast.FunctionDef):
                continue
            kept = list(changed_afterwards(function))
            if kept:
                named = " and ".join(dict.fromkeys(each.of for each in kept))
                sentence = (
                    f"{kept[0].name} keeps {named} and no copy of the arrays: the loop goes on"
                    " changing them, so the best ones are lost"
                )
                place = Place(one.file, kept[0].line)
                about = FunctionVerdict(function.name, "gradient", place, Verdict.UNDECIDABLE, "")
                yield about.slip(MISTAKE, sentence, TITLE)


def changed_afterwards(function: ast.FunctionDef) -> Iterator[Kept]:
    """What a function keeps in a loop that changes it in its place, and reads again."""
    read = {ast.unparse(one) for one in ast.walk(function)
            if isinstance(getattr(one, "ctx", None), ast.Load)}  # fmt: skip
    for loop in (one for one in ast.walk(function) if isinstance(one, Loop)):
        for kept in kept_in(loop):
            changes = in_place(loop, kept.of)
            if kept.name in read and any(may_reach(kept, one, function) for one in changes):
                yield kept


def kept_in(loop: Loop) -> Iterator[Kept]:
    """What a loop keeps in a branch that it does not end with."""
    for branch in (one for one in ast.walk(loop) if isinstance(one, ast.If)):
        if isinstance(branch.body[-1], ast.Break | ast.Return):
            continue
        for node in (one for one in branch.body if isinstance(one, ast.Assign)):
            names = [ast.unparse(one) for target in node.targets
                     for one in getattr(target, "elts", [target])]  # fmt: skip
            for name, (_, value) in zip(names, given(node), strict=False):
                if BEST.search(name):
                    yield from (Kept(name, node.lineno, *one) for one in references(value))


def references(value: ast.expr) -> Iterator[tuple[str, bool]]:
    """The names that a value refers to, and whether in a new container."""
    if isinstance(value, ast.Name | ast.Attribute):
        yield ast.unparse(value), False
    elif isinstance(value, ast.Tuple | ast.List):
        for one in value.elts:
            yield from references(one)
    elif isinstance(value, ast.Dict):
        for one in value.values:
            yield from references(one)
    elif isinstance(value, ast.Call):
        called = ast.unparse(value.func)
        if called in SHALLOW and len(value.args) == 1:
            yield ast.unparse(value.args[0]), True
        elif isinstance(value.func, ast.Attribute) and value.func.attr == "copy" and not value.args:
            yield ast.unparse(value.func.value), True


def in_place(loop: Loop, name: str) -> Iterator[ast.Assign | ast.AugAssign]:
    """The statements of a loop that change what a name stands for, or an entry of it."""
    for node in ast.walk(loop):
        if isinstance(node, ast.Assign | ast.AugAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                entry = isinstance(target, ast.Subscript) and ast.unparse(target.value) == name
                whole = isinstance(node, ast.AugAssign) and ast.unparse(target) == name
                if entry or whole:
                    yield node


def may_reach(kept: Kept, change: ast.Assign | ast.AugAssign, function: ast.FunctionDef) -> bool:
    """Whether a change reaches what was kept: an array in it, or a container or array itself."""
    target = change.targets[0] if isinstance(change, ast.Assign) else change.target
    entry = isinstance(target, ast.Subscript)
    if kept.shallow:
        return entry and isinstance(change, ast.AugAssign) and is_container(kept.of, function)
    return entry or is_multiplied(kept.of, function)


def is_container(name: str, function: ast.FunctionDef) -> bool:
    """Whether a name is seen to be a dictionary or list, whose copy holds the same arrays."""
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == name:
            if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                return True
        elif isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
            if isinstance(node.value, ast.Dict | ast.DictComp | ast.List | ast.ListComp):
                return True
    return False


def is_multiplied(name: str, function: ast.FunctionDef) -> bool:
    """Whether a name is seen to be a matrix: a number is changed by no `-=` in its place."""
    for node in ast.walk(function):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            if name in (ast.unparse(node.left), ast.unparse(node.right)):
                return True
        elif isinstance(node, ast.Attribute) and node.attr in ("dot", "T"):
            if ast.unparse(node.value) == name:
                return True
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("dot"):
            if name in map(ast.unparse, node.args):
                return True
    return False

"""What the lines of a file compute beside its functions: the hidden units and a cost in a loop.

An expression is evaluated as it is written, with the arrays of one point under the names that leave
no doubt. What it gives is evidence of what the file means; nobody is accused of it.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.examine.starter.binding import CERTAIN, plain
from compare.examine.starter.chain import MODES, Mode
from compare.examine.starter.networks import Network, point, values_of
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.recipe import LOSS
from compare.examine.starter.source import Opened, Source
from compare.guard.guard import Guard

SAME = 1e-12
"""Relative to the largest entry: above the rounding of one forward pass in float64."""
TAKEN = 2
"""What a loss takes: prediction and target."""
BATCHES = tuple(mode for mode in MODES if not mode.one_by_one)


def hidden_shown(source: Source, activation: str, guard: Guard) -> bool:
    """Whether some line of a file gives the hidden units of an activation."""
    opened = functions_of(source)
    parameters, x, targets = point(UNEQUAL, 0)
    due = values_of(Network(activation), UNEQUAL, 0).hidden[0]
    known = {**parameters, "z1": x @ parameters["w1"] + parameters["b1"]}
    for mode in BATCHES:
        laid = {**mode.rows(x, targets)[0], **{name: placed(one, name, mode)
                                              for name, one in known.items()}}  # fmt: skip
        for node in values_in(source):
            found = evaluated(node, opened, by_names(node, laid), guard)
            if any(same(one, due) for one in (found, np.transpose(found))):
                return True
    return False


def functions_of(source: Source) -> Opened:
    """All functions of a file, in a module of their own."""
    return source.load([name for name, one in source.definitions.items()
                        if isinstance(one.node, ast.FunctionDef)])  # fmt: skip


def placed(array: Array, name: str, mode: Mode) -> Array:
    """A weight or a pre-activation as the code keeps it."""
    if name == "z1":
        return array.T if mode.samples == "columns" else array
    return mode.weight(array)


def cost_shown(
    source: Source, opened: Opened, named: Mapping[str, Any], loss: float, guard: Guard
) -> bool:
    """Whether some line that names a loss gives this one, of the arrays that are `named`."""
    for node, target in assignments(source):
        if LOSS.fullmatch(plain(target)) or plain(target) == "j":
            held = {one: named[plain(one)] for one in names_in(node) if plain(one) in named}
            if same(evaluated(node, opened, held, guard), np.array(loss)):
                return True
    return False


def loss_given(
    source: Source, opened: Opened, p: Array, targets: Array, loss: float, guard: Guard
) -> bool:
    """Whether a function of a file that is named like a loss gives this one of p and the targets,
    which are all that it has to be handed."""
    for name, one in source.definitions.items():
        function = vars(opened.module).get(name)
        if not (LOSS.fullmatch(plain(name)) and isinstance(one.node, ast.FunctionDef)):
            continue
        if handed_over(one.node) != TAKEN or not callable(function):
            continue
        for given in ((p, targets), (targets, p)):
            try:
                found = guard.call(function, *(array.copy() for array in given))
            except UserCodeError:
                continue
            if isinstance(found, float | np.ndarray) and same(np.asarray(found), np.array(loss)):
                return True
    return False


def handed_over(function: ast.FunctionDef) -> int:
    """How many values a function has to be handed: `delta=1.0` is none."""
    given = function.args
    return len(given.posonlyargs) + len(given.args) - len(given.defaults)


def assignments(source: Source) -> Iterator[tuple[ast.expr, str]]:
    """The values that are assigned to one name anywhere in a file, and the name: all that it gets,
    to which no line adds a penalty."""
    nodes = [node for one in source.statements for node in ast.walk(one.node)]
    given = [(node.value, node.targets[0].id) for node in nodes
             if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]  # fmt: skip
    added = {ast.unparse(node.target) for node in nodes
             if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)}  # fmt: skip
    added |= {name for value, name in given if name in names_in(value)}
    yield from ((value, name) for value, name in given if name not in added)


def values_in(source: Source) -> Iterator[ast.expr]:
    """What is assigned anywhere in a file, or returned of the inputs: an activation is a function
    beside others, whether or not it is used."""
    for one in source.statements:
        for node in ast.walk(one.node):
            if isinstance(node, ast.Assign):
                yield node.value
            elif isinstance(node, ast.Return) and node.value and "x" in quantities(node):
                yield node.value


def quantities(node: ast.AST) -> set[str]:
    """What the names that an expression reads stand for."""
    return {CERTAIN.get(plain(one), "") for one in names_in(node)}


def names_in(node: ast.AST) -> set[str]:
    """The names an expression reads."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def by_names(node: ast.expr, known: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays that an expression reads, by names that leave no doubt."""
    meant = {one: CERTAIN.get(plain(one), "") for one in names_in(node)}
    return {one: known[quantity] for one, quantity in meant.items() if quantity in known}


def evaluated(node: ast.expr, opened: Opened, held: Mapping[str, Any], guard: Guard) -> Array:
    """The array an expression gives; an empty one where it cannot be evaluated or reads nothing."""
    nothing = np.zeros(0)
    free = {one for one in names_in(node) if one not in vars(opened.module)} - set(held)
    if not held or free - set(dir(builtins)):
        return nothing
    code = compile(ast.Expression(node), "<line>", "eval")
    scope = {**vars(opened.module), **{name: duplicate(one) for name, one in held.items()}}
    try:
        found = np.asarray(guard.run(lambda: eval(code, scope), "", None))
    except (UserCodeError, ValueError):
        return nothing
    return found if found.dtype.kind == "f" else nothing


def duplicate(value: Any) -> Any:
    """A copy of an array."""
    return value.copy() if isinstance(value, np.ndarray) else value


def same(one: Array, due: Array) -> bool:
    """Whether an array is what is due, to rounding."""
    if one.shape != due.shape or not np.isfinite(one).all():
        return False
    return bool(np.abs(one - due).max() <= SAME * np.abs(due).max())

"""The losses that a program shows of all rows, or of rows held out, of those that a turn trains on.

    if epoch % 100 == 0: print(cost(X, Y, P))       of a turn is cost(xb, yb, P)
    val = mse(predict(Xv, w, b), yv)                of a turn is mse(predict(X, w, b), y)

A training need not compute the loss it descends: what it shows of other rows is the same function.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import cast

from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.supply import data_role, is_aside

OF_LOSSES = re.compile(
    r"loss|cost|entropy|nll|mse|objective|huber|mae$|err|lik(elihood)?$", re.IGNORECASE
)
OF_OBJECT = re.compile(r"[\w.]+\.\w+\(")
MOST = 6
Rows = dict[str, ast.expr]
"""What of the data a turn takes, by the name of the whole."""


def of_batch(
    program: Program, target: ast.expr | None, body: Sequence[ast.stmt]
) -> tuple[tuple[int, str], ...]:
    """Return losses of the rows of a turn, each with the mark behind which these are known."""
    batch, places = batch_in(target, body), parts_in(target, body)
    known = max((place for place, _ in batch.values()), default=0)
    behind = max((place for place, _ in places.values()), default=0)
    parts = {name: part for name, (_, part) in places.items()}
    whole = read_whole(body)
    read = set().union(*map(loaded, body))
    texts = []
    for call in calls_of_losses(program):
        names = loaded(call)
        if isinstance(call.func, ast.Attribute) and not call.args and "self" in read:
            texts.append((0, f"self.{call.func.attr}()"))
        roles = {name: role for name in names if (role := data_role(name)) in batch}
        if set(roles.values()) == {"x", "y"} == set(batch):
            rows: Rows = {name: ast.Name(batch[role][1]) for name, role in roles.items()}
            texts.append((known, exchanged(call, rows)))
        if names & set(parts):
            texts.append((behind, exchanged(call, parts)))
        held_out = {name: data_role(name) for name in names if is_aside(name) and data_role(name)}
        aside = {name: whole[role] for name, role in held_out.items() if role in whole}
        if aside and len(aside) == len(held_out) and not parts:
            texts.append((known, exchanged(call, aside)))
    # A method may tell the loss of what a forward pass has left: of this turn, at its end.
    every = [(at, text) for place, text in texts
             for at in ((place, len(body)) if OF_OBJECT.match(text) else (place,))]  # fmt: skip
    return tuple(dict.fromkeys(every))[:MOST]


def exchanged(call: ast.Call, rows: Mapping[str, ast.expr]) -> str:
    """Return the text of a call with other rows in it."""
    return ast.unparse(Renamed(rows).visit(copy.deepcopy(call)))


def batch_in(target: ast.expr | None, body: Sequence[ast.stmt]) -> dict[str, tuple[int, str]]:
    """Return the names of inputs and targets that a loop sets for each turn, by their role, with
    the mark behind which they are set."""
    found = {}
    for mark, names in enumerate((names_of(target), *(stored(one) for one in body))):
        for name in names:
            role = data_role(name)
            if role and role not in found:
                found[role] = mark, name
    return found


def parts_in(target: ast.expr | None, body: Sequence[ast.stmt]) -> dict[str, tuple[int, ast.expr]]:
    """Return by name what the body takes of data for each turn of its loop, `data[k:k + 10]` or
    `X[rows]`, with the mark behind which its places are known."""
    known = dict.fromkeys(names_of(target), 0)
    found: dict[str, tuple[int, ast.expr]] = {}
    for mark, line in enumerate(body):
        for whole, part in parts_of(line):
            needs = loaded(part.slice) & set(known)
            if needs and (isinstance(part.slice, ast.Slice) or data_role(whole)):
                found.setdefault(whole, (max(known[name] for name in needs), part))
        if isinstance(line, ast.Assign):
            known |= {name: mark + 1 for name in stored(line) if name not in known}
    return found


def parts_of(line: ast.stmt) -> Iterator[tuple[str, ast.Subscript]]:
    """Yield the parts of arrays that a line reads, with the name of the whole."""
    for part in ast.walk(line):
        if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name):
            if isinstance(part.ctx, ast.Load):
                yield part.value.id, part


def read_whole(body: Sequence[ast.stmt]) -> Rows:
    """Return the name of the inputs, and of the targets, that a body trains on, where it is one."""
    names = set(chain.from_iterable(map(loaded, body)))
    found = {role: {one for one in names if data_role(one) == role and not is_aside(one)}
             for role in "xy"}  # fmt: skip
    return {role: ast.Name(min(some)) for role, some in found.items() if len(some) == 1}


def calls_of_losses(program: Program) -> Iterator[ast.Call]:
    """Yield the calls of a file's own losses."""
    own = {one.name for line in program.source.statements
           for one in ast.walk(line.node) if isinstance(one, ast.FunctionDef)}  # fmt: skip
    for node in program.nodes:
        for call in (one for one in ast.walk(node) if isinstance(one, ast.Call)):
            name = last_of(call.func)
            if name in own and OF_LOSSES.search(name) and not call.keywords:
                yield call


def names_of(target: ast.expr | None) -> list[str]:
    """Return the names that a loop counts or goes through."""
    return [one.id for one in ast.walk(target) if isinstance(one, ast.Name)] if target else []


def last_of(node: ast.expr) -> str:
    """Return the last name of what is called."""
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


class Renamed(ast.NodeTransformer):
    """Puts others into the place of some names."""

    def __init__(self, other: Mapping[str, ast.expr]) -> None:
        self.other = other

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """A part of what a name is of: `X[i:i + 50]`, where that is what stands in its place."""
        there = isinstance(node.value, ast.Name) and self.other.get(node.value.id)
        if there and ast.unparse(there) == ast.unparse(node):
            return node
        return cast("ast.expr", self.generic_visit(node))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A name."""
        return copy.deepcopy(self.other.get(node.id, node))

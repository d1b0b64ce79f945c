"""Which lines are updates of a weight, and what they read.

A part of judging updates (`loop_steps`): something is added to a weight or taken off it, and the
result goes to the weight, to another name that is stored or returned, or into a container.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace

from compare.examine.starter.missed import PRODUCTS
from compare.examine.starter.slots import RATE
from compare.examine.starter.update_lines import Line, is_key, keys_in, word
from compare.examine.starter.update_paths import Way
from compare.examine.starter.update_words import is_weight, moved, moves, of_gradient


def may_update(line: Line, lines: Sequence[Line]) -> bool:
    """Return whether a line may be an update: something is added to a weight, or taken off it.

    What goes to another name than the weight's must name a rate or a gradient, or read a line that
    does; so must the update of what has no weight's name.
    """
    value, itself = line.value, moves(line)
    if value is None or "random" in ast.unparse(value):
        return False
    if itself and is_weight(line.key):
        plainly = any(ast.unparse(side) == line.key for side in sides_of(value))
        return plainly or learning(value, lines, (RATE.fullmatch, of_gradient))
    rated = learning(value, lines, (RATE.fullmatch,))
    if any(map(multiplies, ast.walk(value))) and not rated:
        return False  # x @ w + b
    if any(map(is_weight_key, moved(value))):
        return learning(value, lines, (RATE.fullmatch, of_gradient))
    if any(map(is_key, moved(value))):
        return rated and learning(value, lines, (of_gradient,))
    return False


def sides_of(value: ast.expr) -> list[ast.expr]:
    """Return what is added and subtracted, as it is written."""
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add | ast.Sub):
        return [value]
    return [*sides_of(value.left), value.right]


def multiplies(node: ast.AST) -> bool:
    """Return whether a node is a product of matrices."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in PRODUCTS | {"inner", "tensordot"}
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)


def is_weight_key(side: ast.expr) -> bool:
    """Return whether an expression is a name, attribute or entry called like a weight."""
    return is_key(side) and is_weight(ast.unparse(side))


def learning(
    value: ast.expr, lines: Sequence[Line], kinds: Iterable[Callable[[str], object]]
) -> bool:
    """Return whether a value or what it is made of names a learning rate or a gradient."""
    seen, waiting = set[str](), [value]
    while waiting:
        fresh = set(keys_in(waiting.pop())) - seen
        if any(kind(word(key)) for key in fresh for kind in kinds):
            return True
        seen |= fresh
        waiting += [line.value for line in lines if line.key in fresh and line.value is not None]
    return False


def relevant(candidates: Iterable[Line], lines: Sequence[Line]) -> set[str]:
    """Return the keys of possible updates and, over and over, those that their lines read."""
    wanted = {line.key for line in candidates}
    while True:
        values = [line.value for line in lines if line.key in wanted and line.value is not None]
        passed_on = {line.key for line in lines if is_one_of(line.value, wanted)}
        passed_on |= {line.key for line in lines if line.key.partition("[")[0] in wanted}
        more = {key for value in values for key in keys_in(value)} | passed_on
        if more <= wanted:
            return wanted
        wanted |= more


def is_one_of(value: ast.expr | None, names: Set[str]) -> bool:
    """Return whether a value is just one of these names, as in `W1 = W1_new`."""
    return value is not None and ast.unparse(value) in names


def targets(way: Way) -> list[Line]:
    """Return the last line of every weight that a way updates, and what it returns as new ones."""
    found: dict[str, Line] = {}
    for place, line in enumerate(way.lines):
        value = resolved(way.lines, place)
        seen = replace(line, value=value)
        if not may_update(seen, way.lines[:place]):
            continue
        if moves(seen):
            found[line.key] = [one for one in way.lines if one.key == line.key][-1]
            continue
        if line.key.isidentifier() or value is None:
            continue
        sides = [one for one in moved(value) if is_key(one)]
        weight = ast.unparse(next(filter(is_weight_key, sides), sides[0]))
        found.setdefault(weight, replace(line, key=weight, value=value))
    used = {key for line in way.lines if line.value is not None and line.key in found
            for key in keys_in(line.value) if key != line.key}  # fmt: skip
    kept = {key: line for key, line in found.items() if is_weight(key) or key not in used}
    return list(kept.values())


def resolved(lines: Sequence[Line], place: int) -> ast.expr | None:
    """Return the value of a line; a name alone is what it was last given."""
    value = lines[place].value
    for before in range(place - 1, -1, -1):
        line = lines[before]
        if value is None or line.key != ast.unparse(value):
            continue
        if line.value is None or moves(line):
            break
        value = line.value
    return value

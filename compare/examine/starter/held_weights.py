"""A training that changes a weight beside its update: what holds it within a bound.

    W1 -= rate * dW1                             W1 = max_norm(W1 - rate * dW1)
    W1 *= np.minimum(1, 3 / np.linalg.norm(W1, axis=0))

Nothing is run. The update is right whatever stands beside it, and on rows of ours a bound may never
be reached. Whether axis, norm and place are those that were meant nobody can tell from the file, so
nothing is accused: the line is said, as one that was not compared.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Set

from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.source import Source
from compare.examine.starter.stepped_twice import SLOPE, Function, Loop, descends_by_rate, targets
from compare.examine.starter.update_sites import LOOSE
from compare.guard.blame import Place

SAID = (
    "were not compared: {} changes {} beside the update; no option declares a constraint on the "
    "weights, so nothing was held against it"
)
BOUNDING = frozenset(
    "clip minimum maximum fmin fmax min max norm sqrt where sign renorm clip_ clamp".split()
)
"""What a bound is written with."""


def held_weights(source: Source) -> Iterator[FunctionVerdict]:
    """Say in which trainings of a file weights are changed beside their updates."""
    nodes = [one.node for one in source.statements]
    holding = holding_functions(nodes)
    for one in source.statements:
        for where, blocks in trainings(one.node):
            changes = list(changes_in(blocks, holding))
            if changes:
                line, _ = changes[0]
                names = ", ".join(dict.fromkeys(name for _, name in changes))
                place = Place(one.file, line)
                name = f"the bounds of {names} in {where or f'the {LOOSE}'}"
                why = SAID.format(place.line_quoted(), names)
                yield FunctionVerdict(name, "step", place, Verdict.UNDECIDABLE, why)


def holding_functions(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """Return the names of functions that return a bounded first argument and take no gradient."""
    functions = (part for node in nodes for part in ast.walk(node) if isinstance(part, Function))
    return frozenset(one.name for one in functions if holds_its_first(one))


def holds_its_first(function: Function) -> bool:
    """Whether a function bounds what it is handed first and is handed no gradient."""
    given = [one.arg for one in function.args.args if one.arg != "self"]
    returned = [part for part in ast.walk(function) if isinstance(part, ast.Return) and part.value]
    if not given or not returned or any(map(SLOPE.fullmatch, given)):
        return False
    inside = [part for part in ast.walk(function) if isinstance(part, ast.stmt)]
    return bounds(function, given[0], frozenset()) and not any(map(descends_by_rate, inside))


def trainings(node: ast.AST, where: str = "") -> Iterator[tuple[str, list[ast.AST]]]:
    """Yield the functions, and the loops outside of them, with all they hold."""
    if isinstance(node, Function) or (isinstance(node, Loop) and not where):
        yield getattr(node, "name", where), list(ast.walk(node))
        return
    for part in ast.iter_child_nodes(node):
        yield from trainings(part, where)


def changes_in(parts: list[ast.AST], holding: Set[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines that bound a weight which is moved against its gradient there, and it."""
    moved = {ast.unparse(one) for part in parts if descends_by_rate(part) for one in targets(part)}
    for part in parts:
        for target in targets(part):
            name = ast.unparse(target)
            value = getattr(part, "value", None)
            if not isinstance(value, ast.expr):
                continue
            within = any(descent(one, name) for one in ast.walk(value) if one is not value)
            if (name in moved or within) and is_bound(part, value, name, parts, holding):
                yield getattr(part, "lineno", 0), name


def is_bound(
    part: ast.AST, value: ast.expr, name: str, parts: list[ast.AST], holding: Set[str]
) -> bool:
    """Whether a statement gives a name a bounded value of its own, and is no update of it."""
    if isinstance(part, ast.AugAssign):
        scales = isinstance(part.op, ast.Mult | ast.Div)
        return scales and bounds(value, name, lengths(parts, name))
    if stepped(value, name) or name not in read(value):
        return False
    called = {said(one) for one in ast.walk(value) if isinstance(one, ast.Call)}
    return bool(called & holding) or bounds(value, name, lengths(parts, name))


def stepped(node: ast.AST, name: str) -> bool:
    """Whether an expression adds to a name or takes something off it: an update's own form."""
    sums = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Add)
    return sums and isinstance(node, ast.BinOp) and ast.unparse(node.left) == name


def descent(node: ast.AST, name: str) -> bool:
    """Whether an expression takes a rate times a gradient off a name."""
    taken = node.right if stepped(node, name) and isinstance(node, ast.BinOp) else None
    product = isinstance(taken, ast.BinOp) and isinstance(taken.op, ast.Mult)
    return (
        product
        and taken is not None
        and any(SLOPE.fullmatch(one.rpartition(".")[2]) for one in read(taken))
    )


def lengths(parts: list[ast.AST], name: str) -> frozenset[str]:
    """Return what is computed from a name alone by what a bound is written with: its norms."""
    return frozenset(
        ast.unparse(target)
        for part in parts
        if isinstance(part, ast.Assign) and bounds(part.value, name, frozenset())
        for target in part.targets
        if ast.unparse(target) != name
    )


def bounds(node: ast.AST, name: str, known: Set[str]) -> bool:
    """Whether something is called there that a bound is written with, of a name or its norm."""
    calls = (one for one in ast.walk(node) if isinstance(one, ast.Call))
    of_it = any(said(one) in BOUNDING and name in read(one) for one in calls)
    return of_it or bool(read(node) & known)


def said(call: ast.Call) -> str:
    """Return the last part of what is called: `norm` of `np.linalg.norm`."""
    return ast.unparse(call.func).rpartition(".")[2]


def read(node: ast.AST) -> frozenset[str]:
    """Return every expression that is read, as it is written."""
    return frozenset(ast.unparse(one) for one in ast.walk(node) if isinstance(one, ast.expr))

"""What a file holds that looks like a gradient and was not compared: each is said by name.

Without this a file whose back propagation stands in its training loop would agree on the strength
of its `relu`.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Set
from itertools import takewhile

from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.nodes import nodes_of
from compare.examine.starter.roles import role_of
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Kind, Statement
from compare.examine.starter.update_words import is_weight
from compare.guard.blame import Place

PRODUCTS = frozenset({"dot", "matmul", "einsum", "outer"})
MOVE = "move them into a function that takes (x, z1, h1, p, targets, w2) and returns them"
AGAIN = "and run the same command again"


def unseen(source: Source, seen: Set[str], called: Set[str], idle: Set[str]) -> list[str]:
    """The functions and classes that were neither compared nor called by what was."""
    looked_at = (source.closure(seen) - idle) | source.closure(seen - called) | seen
    return [name for name in source.definitions if name not in looked_at]


def missed(source: Source, compared: Iterable[str]) -> list[FunctionVerdict]:
    """Everything that looks like what its author wants checked, and was not compared."""
    done = set(compared)
    return [
        *(unreadable(one.name or "a block", Place(one.file, one.line), one.reason)
          for one in source.broken),
        *(inline(source, one) for one in inline_gradients(source, done)),
    ]  # fmt: skip


def unreadable(name: str, place: Place, reason: str) -> FunctionVerdict:
    """Say that Python cannot read something; the rest is checked all the same."""
    sentence = f"Python cannot read it: {reason} at {place.quoted()}; mend it, {AGAIN}"
    return FunctionVerdict(name, role_of(name) or "", place, Verdict.UNDECIDABLE, sentence)


def inline(source: Source, one: Statement) -> FunctionVerdict:
    """Say that gradients are computed where nobody can call them."""
    name = next(iter(sorted(one.binds)), "") if one.kind is Kind.DEFINITION else ""
    where = f"inside {name}" if name else "outside of functions"
    sentence = (
        f"the gradients computed {where} were not compared: {pasted(source, one) or MOVE}, {AGAIN}"
    )
    place = Place(one.file, one.line)
    return FunctionVerdict(
        name or "training loop", "gradient", place, Verdict.UNDECIDABLE, sentence
    )


def pasted(source: Source, one: Statement) -> str:
    """Say which lines make a function of the gradients, with what it takes and returns; empty where
    an update does more than take a gradient."""
    inner = [body for body in bodies(one.node) if any(map(descends, body))]
    ahead = list(takewhile(lambda part: not descends(part), inner[-1])) if inner else []
    if not any(multiplies_by_transpose(node) for part in ahead for node in nodes_of(part)):
        return ""
    made = {name for part in ahead for name in names_in(part, ast.Store)}
    returned = []
    for update in filter(descends, inner[-1]):
        used = (
            names_in(update.value, ast.Load)
            if isinstance(update, ast.AugAssign | ast.Assign)
            else []
        )
        returned += [name for name in used if name in made]
        if any(multiplies_by_transpose(node) for node in nodes_of(update)):
            return ""
    known = {name for other in source.statements for name in other.binds if other is not one}
    taken = dict.fromkeys(
        name
        for part in ahead
        for name in names_in(part, ast.Load)
        if name not in made | known | set(dir(builtins))
    )
    last = ahead[-1].end_lineno or ahead[-1].lineno
    offset = one.line - one.node.lineno
    return (
        f"put lines {ahead[0].lineno + offset} to {last + offset} into"
        f" `def gradients({', '.join(taken)}):` with `return {', '.join(dict.fromkeys(returned))}`"
        " behind them"
    )


def bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield the bodies of functions and loops, the outer ones first."""
    for part in nodes_of(node):
        if isinstance(part, ast.FunctionDef | ast.For | ast.While | ast.With):
            yield part.body


def names_in(node: ast.AST, context: type[ast.expr_context]) -> list[str]:
    """Return the names that a node reads or binds, in order."""
    names = (part for part in nodes_of(node) if isinstance(part, ast.Name))
    return [name.id for name in names if isinstance(name.ctx, context)]


def inline_gradients(source: Source, compared: set[str]) -> Iterator[Statement]:
    """The functions and loops that multiply by a transpose and subtract from weights."""
    for one in source.statements:
        function = isinstance(one.node, ast.FunctionDef | ast.AsyncFunctionDef)
        loose = one.kind is Kind.LEFT_OUT
        done = bool(one.binds & compared) if function else "training loop" in compared
        if (function or loose) and not done and trains_inline(one.node):
            yield one


def trains_inline(node: ast.AST) -> bool:
    """True for code that holds a back propagation: a product with a transpose, and an update."""
    parts = nodes_of(node)
    return any(map(multiplies_by_transpose, parts)) and any(map(descends, parts))


def multiplies_by_transpose(node: ast.AST) -> bool:
    """True for `a.T @ b`, `np.dot(a, b.T)`, `np.matmul(np.transpose(a), b)`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return is_transpose(node.left) or is_transpose(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        operands = [*node.args, node.func.value]
        return node.func.attr in PRODUCTS and any(map(is_transpose, operands))
    return False


def is_transpose(node: ast.AST) -> bool:
    """True for `a.T`, `a.transpose()` and `np.transpose(a)`."""
    if isinstance(node, ast.Call):
        node = node.func
    return isinstance(node, ast.Attribute) and node.attr in ("T", "transpose")


def descends(node: ast.AST) -> bool:
    """True for `w -= ...`, `w += ...` of a weight, and `w = w - ...`, also of several at once."""
    if isinstance(node, ast.AugAssign):
        adds = isinstance(node.op, ast.Add) and is_weight(ast.unparse(node.target))
        return isinstance(node.op, ast.Sub) or adds
    if not isinstance(node, ast.Assign):
        return False
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return any(map(takes_off, target.elts, value.elts))
    return takes_off(target, value)


def takes_off(target: ast.expr, value: ast.expr) -> bool:
    """True for a value that is its target less something."""
    return (
        isinstance(value, ast.BinOp)
        and isinstance(value.op, ast.Sub)
        and ast.dump(value.left) == ast.dump(as_loaded(target))
    )


def as_loaded(target: ast.expr) -> ast.expr:
    """The target of an assignment as the same expression would be read."""
    loaded = ast.parse(ast.unparse(target), mode="eval")
    return loaded.body

"""The lines of a loop that compute its loss: what a logarithm goes into and what is made of that.

    correct = -np.log(p[range(n), y])
    data_loss = np.sum(correct) / n
    total += -np.sum(y * np.log(p + 1e-9))

A guard in the logarithm is a habit: such a line is read without it. Accuracies, perplexities and
what is computed of other data (`val_loss`) are no losses of a training.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from compare.examine.starter.binding import plain
from compare.examine.starter.cut_names import loaded
from compare.examine.starter.recipe import LOSS
from compare.examine.starter.statements import last_name
from compare.examine.starter.update_words import number_in

LOGS = re.compile(r"((np|numpy|math)\.)?log(2|10)?")
NO_LOSS = re.compile(r"(val|test|valid|validation|dev|eval|best|old|prev|smooth)\w*|acc\w*|perp\w*")
LIKELIHOOD = re.compile(r"ll|logl\w*|(?!n|neg).*likelihood\w*")
LOSSES = re.compile(r"j|(running|total|epoch|batch|train)\w*|history|err(or)?s?|(\w*loss|cost)es|l")
STOPS = frozenset({"exp", "argmax", "argmin"})
"""What a loss does not go through: of a log-softmax it gives p, of a loss the perplexity."""
GUARD = re.compile(r"eps\w*|tiny|delta|np\.finfo\(.*\)\.\w+")
LARGEST_GUARD = 1e-4


@dataclass(frozen=True)
class LossLine:
    """What a statement gives: an expression to evaluate after it, its line, and whether it is what
    the losses before it end in. `own` is the name that it adds to."""

    text: str
    statement: ast.stmt
    name: str
    last: bool = True
    own: str = ""

    @property
    def number(self) -> int:
        """The line it stands in."""
        return self.statement.lineno


def loss_lines(statements: Sequence[ast.stmt]) -> list[LossLine]:
    """The lines of a body that compute its loss, in their order; of one name the last that gives it
    a value."""
    of_logs: set[str] = set()
    losses: set[str] = set()
    found: list[LossLine] = []
    for one in in_order(statements):
        for name, value, stands_for_itself in values_of(one):
            reads = loaded(value)
            other = NO_LOSS.fullmatch(plain(name)) or is_average(value, name, of_logs)
            if other or not goes_into(value, of_logs):
                of_logs -= {name} if stands_for_itself else set()
                continue
            of_logs |= {name} if stands_for_itself else set()
            if not (has_log(value) or reads & losses or is_loss(name)):
                continue
            losses |= {name} if stands_for_itself else set()
            found = [replaced(before, name, reads, stands_for_itself) for before in found]
            found = [before for before in found if before.text]
            text = name if stands_for_itself else ast.unparse(value)
            own = name if name in reads else ""
            found.append(LossLine(text, one, name, own=own))
    return found


def replaced(before: LossLine, name: str, reads: set[str], given: bool) -> LossLine:
    """An earlier line beside one that gives a name a value: without text if it is of this name, not
    the last if its own is read."""
    if given and before.text == name:
        return LossLine("", before.statement, name)
    if before.text in reads - {name}:
        return LossLine(before.text, before.statement, before.name, last=False, own=before.own)
    return before


def in_order(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body and of the loops and branches in it, but of no function."""
    for one in statements:
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            continue
        inner = [getattr(one, field, []) for field in ("body", "orelse", "finalbody")]
        if not any(inner):
            yield one
        for body in inner:
            yield from in_order(body)


def values_of(one: ast.stmt) -> Iterator[tuple[str, ast.expr, bool]]:
    """The values of a statement, the names that they are given to, and whether the name stands for
    the value afterwards: not where it is appended to a list, put at a place or shown."""
    if isinstance(one, ast.Assign) and len(one.targets) == 1:
        target, value = one.targets[0], one.value
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=False))
        for to, given in pairs:
            yield root(to), given, isinstance(to, ast.Name)
    elif isinstance(one, ast.AugAssign) and isinstance(one.target, ast.Name):
        before = ast.Name(one.target.id, ast.Load())
        yield one.target.id, ast.BinOp(before, one.op, one.value), True
    elif isinstance(one, ast.Expr) and isinstance(one.value, ast.Call):
        call = one.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "append":
            yield from ((root(call.func.value), given, False) for given in call.args)


def root(target: ast.expr) -> str:
    """The name of a variable or attribute, or of the one that a place is in."""
    while isinstance(target, ast.Subscript):
        target = target.value
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def goes_into(node: ast.AST, names: set[str]) -> bool:
    """Whether a logarithm, or one of these names, goes into an expression as a number does."""
    if isinstance(node, ast.Compare) or (isinstance(node, ast.Call) and last_name(node) in STOPS):
        return False
    if is_log(node) or (isinstance(node, ast.Name) and node.id in names):
        return True
    return any(goes_into(one, names) for one in ast.iter_child_nodes(node))


def is_average(value: ast.expr, name: str, of_logs: Set[str]) -> bool:
    """Whether a name keeps a running average of losses: `avg = 0.9 * avg + 0.1 * loss`."""
    scaled = any(
        isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult) and name in loaded(one)
        for one in ast.walk(value)
    )
    return scaled and (has_log(value) or bool(loaded(value) & of_logs - {name}))


def has_log(node: ast.AST) -> bool:
    """Whether an expression takes the logarithm of a p; log(sum exp z) and softplus are none."""
    return any(
        is_log(one) and "exp(" not in ast.unparse(one) for one in ast.walk(node)
    )  # fmt: skip


def is_log(node: ast.AST) -> bool:
    """Whether this is a logarithm."""
    return isinstance(node, ast.Call) and bool(LOGS.fullmatch(ast.unparse(node.func)))


def is_loss(name: str) -> bool:
    """Whether a name is that of a loss or of its sum."""
    return bool(LOSS.fullmatch(plain(name)) or LOSSES.fullmatch(plain(name)))


class Unguarded(ast.NodeTransformer):
    """Takes the guards out of logarithms: log(p + 1e-9) becomes log(p)."""

    def __init__(self) -> None:
        self.guards: list[str] = []

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave out what is added to the argument of a logarithm."""
        self.generic_visit(node)
        if not (is_log(node) and node.args and isinstance(node.args[0], ast.BinOp)):
            return node
        added = node.args[0]
        for guard, kept in ((added.right, added.left), (added.left, added.right)):
            if isinstance(added.op, ast.Add) and is_guard(guard):
                self.guards.append(ast.unparse(guard))
                node.args[0] = kept
                break
        return node


def is_guard(node: ast.expr) -> bool:
    """Whether this is a small number, or a name that people give one."""
    number = number_in(node)
    if number is None:
        return bool(GUARD.fullmatch(ast.unparse(node).rpartition("self.")[2]))
    return 0 < number <= LARGEST_GUARD


def negated(line: LossLine, nodes: Sequence[ast.AST]) -> bool:
    """Whether what a line gives is taken with a minus elsewhere, as `-total / n`, or is called a
    likelihood, which has none."""
    if LIKELIHOOD.fullmatch(plain(line.name)):
        return True
    if line.text != line.name:
        return False
    inside = set(ast.walk(line.statement))
    every = [part for node in nodes for part in ast.walk(node) if part not in inside]
    for one in every:
        minus = isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.USub)
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult | ast.Div):
            minus = (number_in(one.left) or number_in(one.right) or 0) < 0
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Sub):
            minus, one = True, one.right
        if minus and line.name in loaded(one):
            return True
    return False

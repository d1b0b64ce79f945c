"""Numbers that change from update to update: a learning rate or a momentum on a schedule.

A part of judging updates (`loop_steps`). What is made of numbers alone, and of what counts the
updates or of a choice, is one number to an update, whatever it may become later:
    mu = min(0.5 + 0.1 * epoch, 0.9)        rate = lr / np.sqrt(t)        mu = 0.9 * (epoch >= 10)
It is worked out once, for its sign. So is what clips gradients by their length. An update that
divides by a root is read as it is written first: there such numbers may be corrections that belong
to its rule.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compare.examine.starter.slots import RATE
from compare.examine.starter.update_lines import RETURNED, Line, is_key, keys_in, simply, word
from compare.examine.starter.update_paths import Way, counts_of
from compare.examine.starter.update_reader import Unread
from compare.examine.starter.update_reading import Update, is_size, update_of
from compare.examine.starter.update_slips import is_square, squares
from compare.examine.starter.update_words import COUNT, SMALL, STATE, is_weight, of_gradient

COUNTED = re.compile(r"(it|iters?|iterations?|steps?|nsteps?|timestep|epoch|n?updates)")
TOTAL = re.compile(r"(n|num|max|total)?(epochs|iters|iterations|steps|updates|warmup\w*)|tmax")
COEFFICIENT = re.compile(r"(mu|mom|momentum|gamma|beta|rho|decay)\w*")
BY_NAME = ((RATE, 0.37), (COUNTED, 1.0), (TOTAL, 1000.0), (SMALL, 0.003), (COEFFICIENT, 0.83))
"""What stands for a number that is only known by its name; t alone may be the targets."""
A_SIZE, A_START, FIRST = 50.0, 0.5, 1.0
FROM_NUMPY = ("minimum", "maximum", "cos", "sin", "exp", "log", "sqrt", "power", "tanh", "floor",
              "ceil", "clip", "abs", "where", "mod", "float64")  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min, "max": max, "abs": abs, "int": int, "float": float, "round": round, "pow": pow,
    **{f"math.{name}": getattr(math, name) for name in
       ("cos", "sin", "exp", "log", "sqrt", "pow", "tanh", "floor", "ceil")},
    **{f"{short}.{name}": getattr(np, name) for short in ("np", "numpy") for name in FROM_NUMPY},
}  # fmt: skip
CONSTANTS = {"np.pi": math.pi, "numpy.pi": math.pi, "math.pi": math.pi, "math.e": math.e}
OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: operator.pow, ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
CHOOSES = ast.Compare | ast.IfExp | ast.BoolOp
"""What may be another number in another update."""


class NoNumber(Exception):
    """An expression that is not made of numbers alone."""


@dataclass(frozen=True)
class Numbers:
    """What the names on a way are worth that stand for numbers."""

    way: Way
    constants: Mapping[str, float]
    corrected: bool = False

    def worth(self, node: ast.AST | None, inside: tuple[str, ...] = ()) -> float:
        """Return what an expression is worth in some update; raises `NoNumber`."""
        try:
            return float(self.worked_out(node, inside))
        except (ArithmeticError, ValueError, TypeError, IndexError):
            raise NoNumber from None

    def worked_out(self, node: ast.AST | None, inside: tuple[str, ...]) -> Any:
        """Return the value of an expression of numbers."""
        if node is not None and ast.unparse(node) in CONSTANTS:
            return CONSTANTS[ast.unparse(node)]
        if is_length(node):
            return A_SIZE
        parts = [self.worth(part, inside) for part in operands(node)]
        match node:
            case ast.Constant(value=bool() | int() | float() as value):
                return float(value)
            case ast.BinOp(op=op) | ast.UnaryOp(op=op) if type(op) in OPERATORS:
                return OPERATORS[type(op)](*parts)
            case ast.Compare(ops=[op]) if type(op) in OPERATORS:
                return OPERATORS[type(op)](*parts)
            case ast.BoolOp():
                return min(parts) if isinstance(node.op, ast.And) else max(parts)
            case ast.IfExp():
                return parts[1] if parts[0] else parts[2]
            case ast.Call(func=func, keywords=[]) if ast.unparse(func) in FUNCTIONS:
                return FUNCTIONS[ast.unparse(func)](*parts)
            case ast.Subscript(value=ast.List() | ast.Tuple()):
                return parts[int(parts[-1])]
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self.named(ast.unparse(node), inside)
        raise NoNumber

    def named(self, key: str, inside: tuple[str, ...]) -> float:
        """Return what a name is worth: what the way gives it last, the file, or its word does."""
        lines = [line for line in (*self.way.before, *self.way.lines) if line.key == key]
        if key in dict(self.way.counts):
            return FIRST
        if lines and key in inside:
            return A_START
        if lines:
            if STATE.fullmatch(word(key)) or is_weight(key) or of_gradient(word(key)):
                raise NoNumber  # an array, that may begin as 0
            return [self.worth(line.value, (*inside, key)) for line in lines][-1]
        if key in self.constants or is_size(key):
            return self.constants.get(key, A_SIZE)
        if not key.endswith(".T"):
            for pattern, value in BY_NAME:
                if pattern.fullmatch(word(key)):
                    return value
        raise NoNumber

    def varies(self, node: ast.AST | None, inside: tuple[str, ...] = ()) -> bool:
        """Return whether a count of updates, its own last value, or a choice is in a number."""
        return any(
            isinstance(part, CHOOSES)
            or is_length(part)
            or (isinstance(part, ast.Call) and ast.unparse(part.func) in FUNCTIONS)
            or (isinstance(part, ast.Subscript) and isinstance(part.value, ast.List | ast.Tuple))
            or (is_key(part) and self.moves(ast.unparse(part), inside))
            for part in (ast.walk(node) if node else ())
        )

    def moves(self, key: str, inside: tuple[str, ...] = ()) -> bool:
        """Return whether a name is another number in another update."""
        lines = [line for line in self.way.lines if line.key == key]
        counts = key in dict(self.way.counts) or (not lines and COUNTED.fullmatch(word(key)))
        if counts or key in inside:
            return True
        return any(self.varies(line.value, (*inside, key)) for line in lines)

    def schedule(self, node: ast.AST | None) -> float | None:
        """Return what an expression is worth that is a number on a schedule, else None."""
        try:
            worth = self.worth(node)
        except NoNumber:
            return None
        belongs = self.corrected and self.corrects(node)
        return worth if self.varies(node) and not belongs else None

    def corrects(self, node: ast.AST | None, inside: tuple[str, ...] = ()) -> bool:
        """Return whether there is a correction of a mean in a number, `1 - beta**t`."""
        for part in ast.walk(node) if node else ():
            if is_correction(part):
                return True
            key = ast.unparse(part) if is_key(part) else ""
            lines = [line for line in self.way.lines if line.key == key and key not in inside]
            if any(self.corrects(line.value, (*inside, key)) for line in lines):
                return True
        return False


def is_correction(node: ast.AST) -> bool:
    """Return whether a number is the correction of a mean, `1 - beta**t`."""
    taken_off = node.right if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) else None
    return isinstance(taken_off, ast.BinOp) and isinstance(taken_off.op, ast.Pow)


def is_length(node: ast.AST | None) -> bool:
    """Return whether a number is the length of arrays, or its square, by which steps are clipped:
    `np.linalg.norm(g)`, `np.sum(g ** 2)`, `(g * g).sum()`, and sums of such over a list."""
    if not isinstance(node, ast.Call) or node.keywords:
        return False
    name = ast.unparse(node.func)
    if name == "sum" and len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
        return is_length(node.args[0].elt)
    if name in ("np.linalg.norm", "numpy.linalg.norm", "norm"):
        return len(node.args) == 1
    held = node.func.value if isinstance(node.func, ast.Attribute) and not node.args else None
    held = node.args[0] if name in ("np.sum", "numpy.sum") and len(node.args) == 1 else held
    summed = name.rpartition(".")[2] == "sum" and held is not None
    return summed and held is not None and is_square(held)


def operands(node: ast.AST | None) -> list[ast.expr]:
    """Return what an expression works out before itself."""
    match node:
        case ast.BinOp():
            return [node.left, node.right]
        case ast.UnaryOp():
            return [node.operand]
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.BoolOp():
            return node.values
        case ast.IfExp():
            return [node.test, node.body, node.orelse]
        case ast.Call():
            return node.args
        case ast.Subscript(value=ast.List(elts=several) | ast.Tuple(elts=several)):
            return [*several, node.slice]
    return []


@dataclass(frozen=True)
class Reading:
    """A way and the line of a weight on it, with the numbers on a schedule left to names."""

    target: Line
    way: Way
    schedules: Mapping[str, float]

    def update(self, constants: Mapping[str, float], known: Set[str]) -> Update:
        """Return the update that is read so; raises `Unread`."""
        return update_of(self.target, self.way, constants, known, self.schedules)


def readings(
    target: Line, way: Way, constants: Mapping[str, float], known: Set[str]
) -> Iterator[Reading]:
    """Yield the ways to read an update, the likeliest first."""
    left = without_schedules(target, way, constants)
    if left.schedules and not divides(left, constants, known):
        yield left
        return
    yield Reading(target, way, {})
    if left.schedules:
        yield without_schedules(target, way, constants, corrected=True)


def divides(reading: Reading, constants: Mapping[str, float], known: Set[str]) -> bool:
    """Return whether an update divides by a root of squares, or cannot be read to tell."""
    try:
        return squares(reading.update(constants, known))
    except Unread:
        return True


def without_schedules(
    target: Line, way: Way, constants: Mapping[str, float], *, corrected: bool = False
) -> Reading:
    """Return an update with its numbers on a schedule left to names; the corrections of means stay
    in one that is `corrected`."""
    numbers = Numbers(way, constants, corrected)
    found = {line.key: worth for line in (*way.before, *way.lines)
             if not line.key.startswith(RETURNED) and not is_counter(line)
             and (worth := numbers.schedule(line.value)) is not None
             and every_line(numbers, line.key)}  # fmt: skip
    inside = Inline(numbers)
    before, lines = (
        tuple((line, inside.line(line)) for line in held if line.key not in found)
        for held in (way.before, way.lines)
    )
    seen = next((new for old, new in lines if old == target), None) or inside.line(target)
    kept = replace(
        way, before=tuple(new for _, new in before), lines=tuple(new for _, new in lines)
    )
    return Reading(seen, kept, found | inside.found)


def is_counter(line: Line) -> bool:
    """Return whether a line counts the updates, `t = t + 1`."""
    counted = line.value is not None and line.key in keys_in(line.value)
    return counted and bool(COUNT.fullmatch(word(line.key)))


def every_line(numbers: Numbers, key: str) -> bool:
    """Return whether all that a name is given are numbers."""
    try:
        return key not in dict(numbers.way.counts) and math.isfinite(numbers.named(key, ()))
    except NoNumber:
        return False


def momentum_on_schedule(everything: Iterable[ast.AST]) -> bool:
    """Return whether somewhere a momentum is made another one as the updates go on."""
    nodes = list(everything)
    loops = [one for one in nodes if isinstance(one, ast.For | ast.While)]
    numbers = Numbers(Way(counts=tuple(each for one in loops for each in counts_of(one))), {})
    return any(
        isinstance(one, ast.expr) and not is_key(one) and numbers.schedule(one) is not None
        and any(COEFFICIENT.fullmatch(word(name)) for name in keys_in(one))
        for one in nodes
    )  # fmt: skip


class Inline(ast.NodeTransformer):
    """Puts a name in the place of a number on a schedule that stands in an expression."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.found: dict[str, float] = {}

    def line(self, line: Line) -> Line:
        """Return a line with names in the place of such numbers."""
        if line.value is None or is_counter(line):
            return line
        return replace(line, value=self.visit(simply(line.value)))

    def visit(self, node: ast.AST) -> Any:
        """Replace the largest such parts."""
        if is_key(node) or (self.numbers.corrected and is_correction(node)):
            return node
        if not isinstance(node, ast.expr):
            return self.generic_visit(node)
        worth = self.numbers.schedule(node)
        if worth is None:
            return self.generic_visit(node)
        name = f"number{len(self.found)}"
        self.found[name] = worth
        return ast.Name(name, ast.Load())

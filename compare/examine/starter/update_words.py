"""What the names in an update say: a weight, a gradient, a coefficient; and what moves a weight.

Words are those of `update_lines.word`: in lower case, without underscores.
"""

from __future__ import annotations

import ast
import re

from compare.examine.starter.slots import GRADIENT_NAME
from compare.examine.starter.update_lines import Line

WEIGHT = re.compile(r"(w|b|theta)([a-z]{0,6}\d*|\d+\w*)|.*(weight|bias|theta|param).*")
NO_WEIGHT = re.compile(r".*(loss|acc|sum|count|total|err|best|batch|size|norm|score|grad)s?\d*")
MOMENTUM = re.compile(r"(m|mu|mom|momentum|gamma|beta|rho)\w*")
SHORT = re.compile(r"b[12]|decay(rate)?")
"""A coefficient, if it is known to be a number."""
SMALL = re.compile(r"eps\w*|epsilon\w*|tiny|smooth\w*")
COUNT = re.compile(r"t|it|iter|iteration|step|steps|nstep|nsteps|timestep|epoch|i|k|n?updates")
GRADIENT_LETTER = re.compile(r"g[a-z]?[wb]?\d*s?")
NO_GRADIENT = re.compile(
    r"data\w*|dim\w*|decay\w*|dtype|drop\w*|damp\w*|degree|den\w*|depth|div\w*"
)


def is_weight(name: str) -> bool:
    """Return whether a word names a weight or a bias."""
    return bool(WEIGHT.fullmatch(name)) and not NO_WEIGHT.fullmatch(name)


def of_gradient(name: str) -> bool:
    """Return whether a name is one of a gradient."""
    if NO_GRADIENT.fullmatch(name):
        return False
    return bool(GRADIENT_NAME.fullmatch(name) or GRADIENT_LETTER.fullmatch(name))


def moves(line: Line) -> bool:
    """Return whether a line is `w = w - ...` or `w = w + ...`, with more than a number."""
    value = line.value
    if not isinstance(value, ast.BinOp) or isinstance(value.right, ast.Constant):
        return False
    return any(ast.unparse(side) == line.key for side in moved(value))


def moved(value: ast.expr | None) -> list[ast.expr]:
    """Return what a sum or difference adds to or takes from."""
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add | ast.Sub):
        return []
    inner = moved(value.left) or [value.left]
    return [*inner, *([value.right] if isinstance(value.op, ast.Add) else [])]


def is_computed(key: str) -> bool:
    """Return whether a key is no name, but what is computed on the spot."""
    return "@" in key or (key.endswith(")") and not key.startswith(("len(", "getattr(")))


def number_in(value: ast.expr | None) -> float | None:
    """Return the number that is written there, with its sign."""
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        inner = number_in(value.operand)
        return None if inner is None else -inner
    written = value.value if isinstance(value, ast.Constant) else None
    return float(written) if isinstance(written, int | float) else None

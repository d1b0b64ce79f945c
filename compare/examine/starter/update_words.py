"""What the names in an update say: a weight, a gradient, a coefficient; and what moves a weight.

Words are those of `update_lines.word`: in lower case, without underscores.
"""

from __future__ import annotations

import ast
import re

from compare.examine.starter.binding import plain
from compare.examine.starter.update_lines import Line, word

WEIGHT = re.compile(
    r"(w|b)(\d+\w*|[a-z]{0,2}\d*"
    r"|(hid|out|in|layer|new|old|fc|conv|enc|dec|final|next|mat|ts)[a-z]{0,5}\d*)"
    r"|theta\w*|.*(weight|bias|theta|param).*"
)
NO_WEIGHT = re.compile(
    r".*(loss|acc|sum|count|total|err|best|batch|size|norm|score|grad|decay)s?\d*"
)
MOMENTUM = re.compile(r"(m|mu|mom|momentum|gamma|beta|rho)\w*|decayrate")
SHORT = re.compile(r"b[12]|decay(rate)?")
"""A coefficient, if it is known to be a number."""
SMALL = re.compile(r"eps\w*|epsilon\w*|tiny|smooth\w*")
COUNT = re.compile(r"t|it|iters?|iterations?|step|steps|nstep|nsteps|timestep|epoch|i|k|n?updates")
GRADIENT = re.compile(
    r"d\d*|d(l|j|e|c|loss)?d?(w|b|theta|p|param|weight|bias)\w*|d[a-z]\d*"
    r"|.*(grad|delta|nabla).*|g[a-z]?[wb]?\d*s?"
)
STATE = re.compile(
    r"v[a-z]{0,2}\d*|[ms][wb]?\d*|.*(veloc|moments|cache|state|buf|prev|square|accum|history).*"
    r"|(first|second)moment|momentum[wb]\d*"
)
"""What an optimiser keeps between updates."""

VELOCITY = re.compile("mom|velo")


def is_weight(key: str) -> bool:
    """Return whether a name, attribute or entry is called like a weight, and not part of something
    called like a gradient or a velocity."""
    name, *around = word(key), *map(plain, re.findall(r"[A-Za-z_]\w*", re.sub(r"'[^']*'", "", key)))
    if any(map(of_gradient, around)) or (around[:1] and STATE.fullmatch(around[0])):
        return False
    return bool(WEIGHT.fullmatch(name)) and not NO_WEIGHT.fullmatch(name)


def of_gradient(name: str) -> bool:
    """Return whether a name is one of a gradient."""
    return bool(GRADIENT.fullmatch(name))


def moves(line: Line) -> bool:
    """Return whether a line is `w = w - ...` or `w = w + ...`, with more than a number, or
    `w = (1 - c) * w - ...`."""
    value = line.value
    if not isinstance(value, ast.BinOp) or isinstance(value.right, ast.Constant):
        return False
    return any(ast.unparse(side) == line.key for side in moved(value, line.key))


def moved(value: ast.expr | None, own: str = "") -> list[ast.expr]:
    """Return what a sum or difference adds to or takes from; of `(1 - c) * w` the w."""
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add | ast.Sub):
        return []
    inner = moved(value.left, own) or [shrunk(value.left, own)]
    return [*inner, *([shrunk(value.right, own)] if isinstance(value.op, ast.Add) else [])]


def shrunk(side: ast.expr, own: str = "") -> ast.expr:
    """Return the weight that a decay makes smaller by a share, `(1 - c) * w`; else the side."""
    if not isinstance(side, ast.BinOp) or not isinstance(side.op, ast.Mult):
        return side
    for factor, weight in ((side.left, side.right), (side.right, side.left)):
        named = ast.unparse(weight)
        if share(factor, own == named) and is_weight(named) and not VELOCITY.search(word(named)):
            return weight
    return side


def share(factor: ast.expr, owned: bool) -> bool:
    """Return whether a factor leaves a share: `1 - c`; of an `owned` weight also `1 + c` or a
    number."""
    if isinstance(factor, ast.BinOp) and isinstance(factor.op, ast.Sub | ast.Add):
        return number_in(factor.left) == 1.0 and (owned or isinstance(factor.op, ast.Sub))
    return owned and number_in(factor) is not None


def is_computed(key: str) -> bool:
    """Return whether a key is no name, but what is computed on the spot."""
    return "@" in key or (key.endswith(")") and not key.startswith(("len(", "getattr(")))


def is_product(key: str) -> bool:
    """Return whether a key multiplies or sums: a gradient computed there, or its negative."""
    return "@" in key or bool(re.search(r"\b(dot|matmul|outer|einsum|sum|mean|average)\(", key))


def number_in(value: ast.expr | None) -> float | None:
    """Return the number that is written there, with its sign."""
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        inner = number_in(value.operand)
        return None if inner is None else -inner
    written = value.value if isinstance(value, ast.Constant) else None
    return float(written) if isinstance(written, int | float) else None

"""Why a training whose steps are those of its loss may still be wrong where nobody looked.

A weight that is computed and not kept has no steps, and a number that is kept within bounds has
others beyond them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from compare.examine.starter.binding import plain
from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.own.marked import last_of
from compare.examine.starter.own.seen import Seen
from compare.examine.starter.slots import RATE
from compare.examine.starter.update_words import is_weight

BOUNDING = frozenset({"min", "max", "minimum", "maximum", "clip"})
"""Calls that give back a bound where a number is beyond it."""


def doubted(seen: Seen) -> str:
    """Return the first doubt in words, "" if there is none."""
    return decaying(seen) or set_anew(seen) or thrown_away(seen) or within_bounds(seen)


def decaying(seen: Seen) -> str:
    """Return in words that weights decay, as no loss shows: how they should is not known."""
    decays = seen.told.kind == "decay"
    return f"its weights decay by {seen.told.decay:.4g} of themselves, as no loss shows" * decays


def set_anew(seen: Seen) -> str:
    """Return in words what lines of the loop take off a weight that is not carried on."""
    known = {word for one in seen.steps.groups for word in one.name.split(".")}
    for part in seen.base.loop.body:
        if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
            name = part.target.id
            if is_weight(name) and name not in known and isinstance(part.op, ast.Sub):
                return f"{name} is not carried on from one turn of its loop to the next"
    return ""


def thrown_away(seen: Seen) -> str:
    """Return in words which call gives back something that is kept everywhere else in the loop."""
    kept = {last_of(part.value.func) for part in parts_of(seen)
            if isinstance(part, ast.Assign) and isinstance(part.value, ast.Call)}  # fmt: skip
    for part in parts_of(seen):
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Call):
            if last_of(part.value.func) in kept:
                called = ast.unparse(part.value)
                return f"what {called} returns is thrown away, and that of others is kept"
    return ""


def within_bounds(seen: Seen) -> str:
    """Return in words that steps are multiplied by a number which is kept within bounds, as a
    clipped norm is: beyond them they are others than those that were looked at."""
    lines = list(parts_of(seen))
    used = {name for part in lines if isinstance(part, ast.AugAssign)
            and isinstance(part.op, ast.Sub | ast.Add) for name in loaded(part.value)}  # fmt: skip
    for part in lines:
        if isinstance(part, ast.Assign) and isinstance(part.value, ast.Call):
            names = [name for name in stored(part) if not RATE.fullmatch(plain(name))]
            if last_of(part.value.func) in BOUNDING and used.intersection(names):
                return f"{names[0]} is kept within bounds, and its steps were looked at on one side"
    return ""


def parts_of(seen: Seen) -> Iterator[ast.AST]:
    """Yield the parts of the lines of a loop."""
    return (part for line in seen.base.loop.body for part in ast.walk(line))

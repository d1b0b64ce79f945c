"""Why a training whose steps are those of its loss may still be wrong where nobody looked.

A weight that is computed and not kept has no steps, a number that is kept within bounds has others
beyond them, and neither another loop nor an average beside the weights was held against anything.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set

import numpy as np

from compare.examine.starter.binding import plain
from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.own.groups import changing
from compare.examine.starter.own.marked import number_of
from compare.examine.starter.own.of_batch import last_of, parts_in
from compare.examine.starter.own.replay import replayed
from compare.examine.starter.own.seen import Seen
from compare.examine.starter.own.slopes import STEP
from compare.examine.starter.own.statistics import is_statistic
from compare.examine.starter.short_batch import NOMINAL
from compare.examine.starter.slots import RATE
from compare.examine.starter.training.supply import data_role
from compare.examine.starter.update_words import STATE, is_weight

BOUNDING = frozenset({"min", "max", "minimum", "maximum", "clip"})
"""Calls that give back a bound where a number is beyond it."""
Loops = ast.For | ast.While
EPOCH = re.compile(r"_|i|k|t|e|ep\w*|it|iter\w*|step\w*", re.IGNORECASE)
"""What counts the turns of a loop around one over batches."""
MOST_BESIDE, CARRIED_ON = 6, 1e-3
"""So many arrays are tried; a part of a move is what is left of it, neither nothing nor all."""


def doubted(seen: Seen) -> str:
    """Return the first doubt in words, "" if there is none."""
    doubts = (decaying, set_anew, begun_anew, thrown_away, unread, others, averaged_beside,
              shorter, within_bounds)  # fmt: skip
    return next((words for one in doubts if (words := one(seen))), "")


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


def begun_anew(seen: Seen) -> str:
    """Return in words what a loop over epochs sets anew before the one whose steps were looked at:
    weights, or what an optimiser keeps."""
    for outer in loops_of(seen):
        inner = holding(outer, seen)
        names = [one.id for one in ast.walk(outer.target) if isinstance(one, ast.Name)]
        if inner is None or not all(map(EPOCH.fullmatch, names)):
            continue
        for line in outer.body[: outer.body.index(inner)]:
            for name in stored(line) if isinstance(line, ast.Assign) else ():
                kept = is_weight(name) or STATE.fullmatch(plain(name))
                if kept and name not in loaded(line) and name in changed_in(inner):
                    return f"{name} is set anew at every turn of the loop around it"
    return ""


def loops_of(seen: Seen) -> Iterator[ast.For]:
    """Yield the counting loops of a program."""
    return (one for node in seen.base.loop.program.nodes
            for one in ast.walk(node) if isinstance(one, ast.For))  # fmt: skip


def holding(outer: ast.For, seen: Seen) -> ast.stmt | None:
    """Return the line of a loop which the loop that was looked at stands in, if one does."""
    number = seen.base.loop.number
    for line in outer.body:
        if any(isinstance(one, Loops) and number_of(one) == number
               for one in ast.walk(line)):  # fmt: skip
            return line
    return None


def changed_in(line: ast.stmt) -> set[str]:
    """Return the names whose values are made of those before."""
    found = set()
    for part in ast.walk(line):
        if isinstance(part, ast.AugAssign):
            found |= set(stored(part))
        elif isinstance(part, ast.Assign):
            found |= set(stored(part)) & loaded(part.value)
    return found


def thrown_away(seen: Seen) -> str:
    """Return in words what is computed in the loop and kept nowhere: `c - lr * dc`, or what a call
    gives back that is kept everywhere else."""
    kept = {last_of(part.value.func) for part in parts_of(seen)
            if isinstance(part, ast.Assign) and isinstance(part.value, ast.Call)}  # fmt: skip
    for part in (one for one in parts_of(seen) if isinstance(one, ast.Expr)):
        if isinstance(part.value, ast.BinOp):
            return f"what {ast.unparse(part.value)} gives is thrown away"
        if isinstance(part.value, ast.Call) and last_of(part.value.func) in kept:
            called = ast.unparse(part.value)
            return f"what {called} returns is thrown away, and that of others is kept"
    return ""


def unread(seen: Seen) -> str:
    """Return in words which gradient of the loop nothing reads, of what no turn moves."""
    text = {name for line in seen.base.loop.program.nodes for name in loaded(line)}
    first, last = (seen.base.turns[-1].kept[mark] for mark in (0, seen.base.loop.last))
    for part in parts_of(seen):
        for name in stored(part) if isinstance(part, ast.Assign) else ():
            of = re.sub(r"^(d|g|grad)_?", "", name)
            still = of in first and np.array_equal(first[of], last.get(of, 0.0))
            if name not in text and of != name and still and not data_role(of):
                return f"{name} is computed in its loop, and no step of {of} is made of it"
    return ""


def others(seen: Seen) -> str:
    """Return in words that another loop of the program, neither around nor within this one, moves
    weights, and was not looked at."""
    number = seen.base.loop.number
    for one in loops_of(seen):
        inside = [number_of(each) for each in ast.walk(one) if isinstance(each, Loops)]
        lines = [each for line in one.body for each in ast.walk(line)]
        moved = any(isinstance(each, ast.AugAssign) and isinstance(each.op, ast.Sub)
                    and is_weight(ast.unparse(each.target)) for each in lines)  # fmt: skip
        own = number in inside or number_of(one) in numbers_within(seen)
        if moved and not own:
            return f"the loop in line {one.lineno} moves weights too, and was not looked at"
    return ""


def numbers_within(seen: Seen) -> set[int | None]:
    """Return the numbers of the loops within the one that was looked at, and within the functions
    that it calls."""
    defined = {one.name: one for node in seen.base.loop.program.nodes for one in ast.walk(node)
               if isinstance(one, ast.FunctionDef)}  # fmt: skip
    within, reached, left = set(), set(), list(parts_of(seen))
    while left:
        one = left.pop()
        if isinstance(one, Loops):
            within.add(number_of(one))
        name = last_of(one.func) if isinstance(one, ast.Call) else ""
        if name in defined and name not in reached:
            reached.add(name)
            left += ast.walk(defined[name])
    return within


def averaged_beside(seen: Seen) -> str:
    """Return in words which average lies beside the weights, but for running statistics that are
    written as such: no loss of a training shows whether it is right."""
    for way in averages(seen):
        if not is_statistic(seen.base.loop.program, way.split(".")[-1]):
            return f"{way} was not compared: nothing of a training shows whether it is right"
    return ""


def averages(seen: Seen) -> Iterator[str]:
    """Yield the arrays that go a part of the way to something at every turn and move no weight."""
    own = {way for one in seen.steps.groups for way in one.starts}
    beside = [way for way, start in changing(seen.base) if start.size > 1 and way not in own]
    return (way for way in beside[:MOST_BESIDE] if is_averaged(seen, way, own))


def is_averaged(seen: Seen, way: str, own: Set[str]) -> bool:
    """Whether a part of a move of an array is left at the end of a turn, and nothing else of the
    turns is another then."""
    base, last = seen.base, seen.base.loop.last
    by = {way: np.full_like(base.turns[1].kept[0][way], STEP)}
    moves = {**base.shift, (1, 0): by}
    turns = replayed(base.loop, base.supply, len(base.turns), moves, base.ends, base.asked,
                     squares=base.squares)  # fmt: skip
    if len(turns) < len(base.turns) or way not in turns[1].kept.get(last, {}):
        return False
    pairs = [
        (one.kept[last], other.kept[last]) for one, other in zip(turns, base.turns, strict=True)
    ]
    left = (pairs[1][0][way] - pairs[1][1][way]) / STEP
    same = all(np.array_equal(one[each], other[each]) for one, other in pairs for each in own)
    return bool(same and ((left > CARRIED_ON) & (left < 1 - CARRIED_ON)).all())


def shorter(seen: Seen) -> str:
    """Return in words that steps are divided by the size of a batch though the last one of an epoch
    has fewer rows."""
    loop = seen.base.loop
    kept = seen.base.turns[0].kept[loop.last]
    sliced = [name for name, (_, part) in parts_in(loop.target, loop.body).items()
              if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Slice)]  # fmt: skip
    rows = [len(kept[name]) for name in sliced if name in kept and kept[name].ndim]
    for part in (part for line in seen.base.loop.program.nodes for part in ast.walk(line)):
        divided = isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div)
        name = ast.unparse(part.right) if isinstance(part, ast.BinOp) and divided else ""
        size = float(kept[name]) if name in kept and not kept[name].ndim else 0.0
        if size > 1 and NOMINAL.fullmatch(plain(name)) and any(one % size for one in rows):
            return f"it divides by {name}, also where the last batch of an epoch has fewer rows"
    return ""


def within_bounds(seen: Seen) -> str:
    """Return in words that steps are multiplied by a number which is kept within bounds, as a
    clipped norm is: beyond them they are others than those that were looked at."""
    if seen.clipped_to:
        return ""  # how it is held was seen
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

"""The t of Adam, that counts the updates: never advanced, or advanced once for every weight.

    m^ = m / (1 - b1**t)        t = 1, 2, 3, ... from update to update, the same for all weights

One update alone does not show it: t is 1 in the first. What advances it is looked for in the whole
file; what a caller passes for it is his, and not judged here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import inf

from compare.contracts.result import Diagnosis
from compare.examine.starter.update_adaptive import divides_by_root, is_adaptive
from compare.examine.starter.update_lines import Line, keys_in, lines_of, word
from compare.examine.starter.update_paths import all_lines, goes_over
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_verdicts import Judged
from compare.examine.starter.update_words import COUNT, number_in
from compare.mistakes.catalogue import OTHER_STEP

STAYS_ONE, EVERY = (
    Diagnosis(one.name, one.sentence, inf, 0.0, title=one.title)
    for one in OTHER_STEP if one.name in ("adam-constant-t", "adam-t-per-weight")
)  # fmt: skip
NEVER = Diagnosis(
    "adam-t-never-advanced", "The t of Adam is set once and never advanced from update to update.",
    inf, 0.0, title="a t of Adam that is never advanced",
)  # fmt: skip


def miscounted(one: Judged, where: str, everything: Sequence[ast.AST]) -> Diagnosis | None:
    """Return what is wrong with the count that an update divides by, None where nothing is.

    `where` ends in the name of its function; `everything` are the nodes of the file.
    """
    update = one.update
    if update is None or not divides_by_root(update):
        return None
    read = {key for line in (*update.before, *update.lines) if line.value is not None
            for key in keys_in(line.value) if COUNT.fullmatch(word(key))}  # fmt: skip
    function = re.split(r"[ .]", where)[-1]
    if any(
        advanced_beside(key, one.target, everything)
        or advanced_by_caller(key, function, everything)
        or advanced_in_call(key, update, function, everything)
        for key in read
    ):
        return EVERY
    counts = [key for key, said in update.scalars.items() if said == "count"]
    held = [
        held_at(word(key), everything)
        if {".", "["} & set(key)
        else handed(key, function, everything)
        for key in counts
    ]
    if 1.0 in held:
        return STAYS_ONE
    return NEVER if any(one is not None for one in held) else None


def advanced_beside(key: str, weight: Line, everything: Sequence[ast.AST]) -> bool:
    """Return whether a loop over the weights advances a count, that is not one for each of them."""
    for loop in everything:
        if not isinstance(loop, ast.For) or not holds(loop, weight.number):
            continue
        inside = [*all_lines(loop.body, weight.file)]
        own = {part.id for part in ast.walk(loop.target) if isinstance(part, ast.Name)}
        own |= {line.key for line in inside if line.key != key}
        root = key.partition(".")[0].partition("[")[0]
        moves = [line for line in inside if line.key == key and is_next(line)]
        if (
            moves
            and goes_over(loop, inside)
            and root not in own
            and not own & set(keys_in(ast.parse(key)))
        ):
            return True
    return False


def is_advanced_often(update: Update) -> bool:
    """Return whether an update advances its count several times, once for every weight before it,
    and is right if it does once."""
    counts = [line for line in update.lines if COUNT.fullmatch(word(line.key)) and is_next(line)]
    if len(counts) < 2 or not divides_by_root(update):
        return False
    return is_adaptive(replace(update, lines=tuple(
        line for line in update.lines if line not in counts[1:]
    )))  # fmt: skip


def stays_zero(update: Update, everything: Sequence[ast.AST]) -> bool:
    """Return whether the count of an update is 0 and stays it, and it is right if that goes up.

    It does not stay 0 if any line of the file advances it: a function may be handed it, or read it.
    """
    moved = {ast.unparse(one.target).rpartition(".")[2] for one in everything
             if isinstance(one, ast.AugAssign)}  # fmt: skip
    counts = [key for key, said in update.scalars.items() if said == 0.0
              and COUNT.fullmatch(word(key)) and key.rpartition(".")[2] not in moved]  # fmt: skip
    if not counts or not divides_by_root(update):
        return False
    return is_adaptive(replace(update, scalars=update.scalars | dict.fromkeys(counts, "count")))


def advanced_by_caller(key: str, function: str, everything: Sequence[ast.AST]) -> bool:
    """Return whether a loop over the weights advances a count and hands it to a function for each
    of them."""
    for loop in everything:
        if not isinstance(loop, ast.For):
            continue
        inside = [*all_lines(loop.body, "")]
        own = {part.id for part in ast.walk(loop.target) if isinstance(part, ast.Name)}
        moved = {line.key for line in inside if is_next(line)}
        moved = {each for each in moved if not own & names_in(each)}  # not one for each of them
        if moved and goes_over(loop, inside):
            if any(handed_over(call, key, function, everything) in moved
                   for call in calls_of(function, ast.walk(loop))):  # fmt: skip
                return True
    return False


def names_in(key: str) -> set[str]:
    """Return the names that a place is written with: `t` and `k` of `t[k]`."""
    return {one.id for one in ast.walk(ast.parse(key)) if isinstance(one, ast.Name)}


def calls_of(function: str, nodes: Iterable[ast.AST]) -> list[ast.Call]:
    """Return the calls of a function or method."""
    calls = [one for one in nodes if isinstance(one, ast.Call)]
    return [one for one in calls if ast.unparse(one.func).rpartition(".")[2] == function]


def handed_over(call: ast.Call, name: str, function: str, everything: Sequence[ast.AST]) -> str:
    """Return what a call hands over for a parameter, as it is written; empty for nothing."""
    named = {one.arg: one.value for one in call.keywords}
    if name in named:
        return ast.unparse(named[name])
    for node in everything:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            names = [one.arg for one in node.args.args]
            place = names.index(name) - (names[0] == "self") if name in names else len(call.args)
            return ast.unparse(call.args[place]) if place < len(call.args) else ""
    return ""


def advanced_in_call(
    key: str, update: Update, function: str, everything: Sequence[ast.AST]
) -> bool:
    """Return whether a function that is called for one weight after another, and keeps the means of
    each under its key, advances one count for all of them."""
    for node in everything:
        if not isinstance(node, ast.FunctionDef) or node.name != function:
            continue
        names = {one.arg for one in node.args.args}
        keys = [one for one in update.states if names & indexing(one)]
        advances = [line for one in node.body if isinstance(one, ast.Assign | ast.AugAssign)
                    for line in lines_of(one, "") if line.key == key and is_next(line)]  # fmt: skip
        if keys and advances and not names & indexing(key):
            return is_called_for_each(function, everything)
    return False


def indexing(key: str) -> set[str]:
    """Return what a place is indexed by: `k` of `m[k]`, `i` and `j` of `m[i][j]`."""
    entries = [one for one in ast.walk(ast.parse(key)) if isinstance(one, ast.Subscript)]
    return {read for one in entries for read in keys_in(one.slice)}


def is_called_for_each(function: str, everything: Sequence[ast.AST]) -> bool:
    """Return whether a loop over the weights calls a function, or one piece of code twice with
    other weights."""
    for node in everything:
        inside = [*all_lines(node.body, "")] if isinstance(node, ast.For) else []
        if isinstance(node, ast.For) and goes_over(node, inside):
            if calls_of(function, ast.walk(node)):
                return True
        elif isinstance(node, ast.For | ast.While | ast.FunctionDef):
            plain = [part for one in node.body if isinstance(one, ast.Assign | ast.Expr)
                     for part in ast.walk(one)]  # fmt: skip
            if len({ast.unparse(one) for one in calls_of(function, plain)}) > 1:
                return True
    return False


def holds(loop: ast.For, number: int) -> bool:
    """Return whether a line stands in the body of a loop."""
    return loop.lineno < number <= (loop.end_lineno or loop.lineno)


def is_next(line: Line) -> bool:
    """Return whether a line is `t = t + 1`."""
    value = line.value
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add):
        return False
    return {ast.unparse(value.left), ast.unparse(value.right)} == {line.key, "1"}


def held_at(name: str, everything: Sequence[ast.AST]) -> float | None:
    """Return the number that an attribute is set to, if nothing in the file sets it to another."""
    numbers = {number_in(value) for value in stores(name, everything)}
    by_name = any(isinstance(one, ast.Name) and one.id in ("setattr", "vars") for one in everything)
    return next(iter(numbers)) if len(numbers) == 1 and not by_name else None


def handed(name: str, function: str, everything: Sequence[ast.AST]) -> float | None:
    """Return the number that every call in a loop hands over for a parameter, or that is its
    default where it hands over none; None where no loop calls it, or with something else."""
    found: set[float | None] = set()
    loops = [one for one in everything if isinstance(one, ast.For | ast.While) and takes_turns(one)]
    calls = {one for loop in loops for one in ast.walk(loop) if isinstance(one, ast.Call)}
    for node in everything:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            names = [one.arg for one in node.args.args]
            late = dict(zip(reversed(names), reversed(node.args.defaults), strict=False))
            if name in names:
                place, default = names.index(name) - (names[0] == "self"), late.get(name)
                found |= {passed(one, name, place, default) for one in calls
                          if re.split(r"\.", ast.unparse(one.func))[-1] == function}  # fmt: skip
    return next(iter(found)) if len(found) == 1 else None


def takes_turns(loop: ast.For | ast.While) -> bool:
    """Return whether a loop does something again, and does not go over the weights once."""
    return isinstance(loop, ast.While) or not goes_over(loop, [*all_lines(loop.body, "")])


def passed(call: ast.Call, name: str, place: int, default: ast.expr | None) -> float | None:
    """Return the number that a call hands over for a parameter."""
    if any(isinstance(one, ast.Starred) for one in call.args):
        return None
    named = {one.arg: one.value for one in call.keywords}
    if None in named:
        return None
    return number_in(call.args[place] if place < len(call.args) else named.get(name, default))


def stores(name: str, everything: Sequence[ast.AST]) -> Iterator[ast.expr | None]:
    """Yield what is assigned to an attribute or a name that is called so, None where it is not a
    single value."""
    for one in everything:
        if isinstance(one, ast.Assign):
            for target in one.targets:
                if called_so(target, name):
                    yield one.value
                elif any(called_so(part, name) for part in ast.walk(target)):
                    yield None
        elif isinstance(one, ast.Call) and is_default_of(one, name):
            yield one.args[1]
        elif isinstance(one, ast.AugAssign | ast.AnnAssign | ast.For | ast.NamedExpr):
            if any(called_so(part, name) for part in ast.walk(one.target)):
                yield one.value if isinstance(one, ast.AnnAssign) else None


def is_default_of(call: ast.Call, name: str) -> bool:
    """Return whether a call is `config.setdefault("t", 0)`."""
    named = isinstance(call.func, ast.Attribute) and call.func.attr == "setdefault"
    key = call.args[0] if len(call.args) > 1 else None
    return named and isinstance(key, ast.Constant) and word(str(key.value)) == name


def called_so(target: ast.AST, name: str) -> bool:
    """Return whether an attribute or entry ends in a name."""
    return isinstance(target, ast.Attribute | ast.Subscript) and word(ast.unparse(target)) == name

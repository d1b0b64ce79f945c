"""Velocities that a training hands to the function that updates, and makes anew around the call.

    for epoch in range(epochs):
        v = {k: np.zeros_like(w) for k, w in params.items()}        what it had gathered is lost
        for xb, yb in batches:
            params, v = update(params, backward(params, xb, yb), v)

A part of `update_anew`, which looks into the function itself: here its calls are looked at.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence, Set

from compare.examine.starter.update_lines import Line
from compare.examine.starter.update_paths import Loop, all_lines, goes_over, is_fresh
from compare.examine.starter.update_sites import Function, Site

Straight = Callable[[Sequence[ast.stmt], str], Iterator[Line]]


def zeroed_around(
    kept: Set[str], weight: str, site: Site, everything: Sequence[ast.AST], straight: Straight
) -> Iterator[tuple[int, Loop]]:
    """Yield the loops around the calls of a site that put zeros in the place of what it is handed
    to carry on: each with its place, counted from the innermost one outwards."""
    own = kept & site.parameters
    for call, handed in calls_of(site, everything) if own else ():
        states = {base(handed[name]) for name in own & set(handed)}
        weights = base(handed.get(weight, ""))
        for place, loop in enumerate(loops_around(call, everything)):
            lines = [line for line in straight(loop.body, "") if not is_of(call, line)]
            zeros = any(base(line.key) in states and is_fresh(line) for line in lines)
            again = any(base(line.key) == weights for line in lines)
            given = any(line.key in states and not is_fresh(line) for line in lines)
            if zeros and not again and not given:
                yield place, loop


def base(key: str) -> str:
    """Return a key without what it is indexed by: `v` of `v[k]`."""
    return key.partition("[")[0]


def calls_of(
    site: Site, everything: Sequence[ast.AST]
) -> Iterator[tuple[ast.Call, dict[str, str]]]:
    """Yield the calls of the function of a site, with what each of its parameters is handed; none
    where two functions have its name."""
    name = re.split(r"[ .]", site.where)[-1]
    named = [one for one in everything if isinstance(one, Function) and one.name == name]
    if len(named) != 1:
        return
    for one in everything:
        if isinstance(one, ast.Call) and ast.unparse(one.func).rpartition(".")[2] == name:
            yield one, handed_to(named[0], one)


def handed_to(function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call) -> dict[str, str]:
    """Return what the parameters of a function are handed by a call, as it is written."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    names = names[names[:1] == ["self"] :]
    found = dict(zip(names, map(ast.unparse, call.args), strict=False))
    return found | {one.arg: ast.unparse(one.value) for one in call.keywords if one.arg}


def loops_around(call: ast.Call, everything: Sequence[ast.AST]) -> list[Loop]:
    """Return the loops around a call that take turns, the innermost first."""
    found = [one for one in everything if isinstance(one, Loop)
             and any(part is call for line in one.body for part in ast.walk(line))
             and not goes_over(one, [*all_lines(one.body, "")])]  # fmt: skip
    return sorted(found, key=lambda loop: -loop.lineno)


def is_of(call: ast.Call, line: Line) -> bool:
    """Return whether a line keeps what a call returns."""
    return call.lineno <= line.number <= (call.end_lineno or call.lineno)

"""Velocities and running means that begin anew: at every update, or in every epoch.

    for epoch in range(epochs):
        v = {k: np.zeros_like(w) for k, w in params.items()}        what it had gathered is lost

One update alone does not show it: every velocity is 0 before the first. Looked for are zeros in the
loop that updates, in one over epochs around it, in the function that is called for an update or
around its calls (`update_handed`), and optimisers that are made there. Where the weights are made
anew too, a training begins.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from math import inf

from compare.contracts.result import Diagnosis
from compare.examine.starter.cut_names import loaded
from compare.examine.starter.update_adaptive import divides_by_root
from compare.examine.starter.update_handed import base, zeroed_around
from compare.examine.starter.update_lines import Line, keys_in, lines_of, word
from compare.examine.starter.update_paths import Loop, all_lines, goes_over, is_fresh
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_sites import Site
from compare.examine.starter.update_verdicts import Judged
from compare.examine.starter.update_words import COUNT

EPOCHS = re.compile(r"\b(ep|\w*epochs?\w*)\b", re.IGNORECASE)
"""Says of a loop that it counts the runs through the data; one over restarts may begin anew."""
EVERY_UPDATE, EVERY_EPOCH = "at every update", "in every epoch"


def begun_anew(one: Judged, site: Site, everything: Sequence[ast.AST]) -> Diagnosis | None:
    """Return what is wrong with the beginning of what an update carries on, None if nothing."""
    kept = carried_on(one.update) if one.update is not None else set()
    counts = {key for key in kept if COUNT.fullmatch(word(key))}
    when = kept and (
        zeros_in(one, kept - counts, site)
        or made_in_loop(site, everything)
        or zeros_handed(one, kept - counts, site, everything)
    )
    if not when and counts and (when := zeros_in(one, counts, site)):
        said = f"The count of the updates, t, begins at 0 {when}; the running means go on."
        return Diagnosis(
            "adam-t-reset", said, inf, 0.0, title=f"a t of Adam that begins anew {when}"
        )
    if not when or one.update is None:
        return None
    what = "running means" if divides_by_root(one.update) else "velocities"
    said = f"The {what} begin at 0 {when}: what the updates before have left in them is lost."
    return Diagnosis(
        "velocity-reset", said, inf, 0.0, title=f"{what} that begin anew {when}"
    )  # fmt: skip


def carried_on(update: Update) -> set[str]:
    """Return what an update carries on from the one before: what is made of itself."""
    lines = [line for line in update.lines if line.key in update.states]
    return {base(line.key) for line in lines if is_step(line)}


def zeros_in(one: Judged, kept: Set[str], site: Site) -> str:
    """Return when zeros are put in the place of what is carried on; empty where never."""
    inner, *outer = loops_around(one.target, site) or (None,)
    if inner is None:
        body = [statement for _, statement in site.statements]
        own = not site.loose and {key for key in kept if key.isidentifier()} - site.parameters
        return EVERY_UPDATE if own and are_zeroed(body, own, one.target) else ""
    if are_zeroed(inner.body, kept, one.target):
        return EVERY_UPDATE
    epochs = (loop for loop in outer if is_over_epochs(loop))
    return EVERY_EPOCH if any(are_zeroed(loop.body, kept, one.target) for loop in epochs) else ""


def zeros_handed(one: Judged, kept: Set[str], site: Site, everything: Sequence[ast.AST]) -> str:
    """Return when zeros are put in the place of what a function is handed to carry on."""
    for place, loop in zeroed_around(kept, base(one.target.key), site, everything, straight):
        if not place:
            return EVERY_UPDATE
        if is_over_epochs(loop):
            return EVERY_EPOCH
    return ""


def loops_around(target: Line, site: Site) -> list[Loop]:
    """Return the loops around a line that take turns, the innermost first."""
    parts = (part for file, one in site.statements if file == target.file for part in ast.walk(one))
    found = [part for part in parts if isinstance(part, Loop)
             and part.lineno < target.number <= (part.end_lineno or 0)
             and not goes_over(part, [*all_lines(part.body, target.file)])]  # fmt: skip
    return sorted(found, key=lambda loop: -loop.lineno)


def are_zeroed(body: Iterable[ast.stmt], kept: Set[str], target: Line) -> bool:
    """Return whether statements put zeros in the place of something kept, whatever is chosen, and
    neither anything else nor another weight."""
    lines = [*straight(body, target.file)]
    given = [line for line in lines if line.key in kept and not is_fresh(line)]
    zeros = [line for line in lines if base(line.key) in kept and is_fresh(line)]
    again = [line for line in lines if line.key == base(target.key) and not is_step(line)]
    return bool(zeros) and not again and not any(not is_step(line) for line in given)


def is_step(line: Line) -> bool:
    """Return whether a line makes something of itself."""
    return line.value is not None and line.key in keys_in(line.value)


def straight(body: Iterable[ast.stmt], file: str) -> Iterator[Line]:
    """Yield the assignments in a body that are made whatever is chosen, once in a turn or once for
    every weight."""
    for one in body:
        if isinstance(one, ast.With):
            yield from straight(one.body, file)
        elif isinstance(one, ast.For) and goes_over(one, [*all_lines(one.body, file)]):
            yield from straight(one.body, file)
        elif isinstance(one, ast.Assign | ast.AugAssign | ast.AnnAssign):
            yield from lines_of(one, file)


def is_over_epochs(loop: Loop) -> bool:
    """Return whether a loop counts the runs through the data."""
    if isinstance(loop, ast.While):
        return False
    return bool(EPOCHS.search(f"{ast.unparse(loop.target)} in {ast.unparse(loop.iter)}"))


def made_in_loop(site: Site, everything: Sequence[ast.AST]) -> str:
    """Return when the optimiser of a method is made anew, by the loop it is made and called in."""
    made_of, _, method = site.where.removeprefix("in ").rpartition(".")
    loops = [one for one in everything if isinstance(one, ast.For | ast.While)] if made_of else []
    for loop in loops:
        for name in makes(loop, made_of):
            inside = [part for one in loop.body for part in ast.walk(one)]
            turns = [part for part in inside if isinstance(part, ast.For | ast.While)
                     and not goes_over(part, [*all_lines(part.body, "")])
                     and is_called(f"{name}.{method}", ast.walk(part))]  # fmt: skip
            if not turns and is_called(f"{name}.{method}", inside):
                return EVERY_UPDATE
            if turns and is_over_epochs(loop):
                return EVERY_EPOCH
    return ""


def makes(loop: Loop, made_of: str) -> Iterator[str]:
    """Yield the names that a loop gives to a new optimiser, of nothing else that it makes."""
    own = {one.id for part in loop.body for one in ast.walk(part)
           if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}  # fmt: skip
    for one in loop.body:
        value = one.value if isinstance(one, ast.Assign) else None
        if isinstance(value, ast.Call) and ast.unparse(value.func) == made_of:
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                if not own & loaded(value):
                    yield one.targets[0].id


def is_called(name: str, parts: Iterable[ast.AST]) -> bool:
    """Return whether a function or method is called."""
    return any(isinstance(one, ast.Call) and ast.unparse(one.func) == name for one in parts)

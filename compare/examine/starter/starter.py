"""`--starter FILE`: the assignment's file as students write it, function by function.

The file is opened without being run (`source`), the five functions are found by name (`roles`)
and checked (`function_check`), gradient functions are bound by the names of their parameters
(`gradient_functions`). Then the functions are looked at together: one file keeps samples in rows
or in columns, and its gradient belongs to its loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.function_check import FunctionCheck
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_functions import (
    GradientCheck,
    GradientFunction,
    gradient_functions,
)
from compare.examine.starter.roles import role_of
from compare.examine.starter.source import Opened, Source, open_source
from compare.guard.blame import Place
from compare.guard.guard import TIMEOUT, Guard

WANTED = "relu, softmax, compute_layer, average_ce or grad_ce"


@dataclass(frozen=True)
class StarterReport:
    """Everything that was found out about a file; `unbound` are gradient functions in doubt."""

    source: Source
    functions: tuple[FunctionVerdict, ...]
    bound: tuple[GradientFunction, ...]
    unbound: tuple[GradientFunction, ...]
    reduction: str

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to be able to read the file, and what was left out."""
        return (
            *left_out(self.source),
            *map(doubt, self.unbound),
            *self.source.guard.notes.sentences(),
        )


def check_starter(
    path: str | Path,
    *,
    reduction: str = "mean",
    seed: int = 0,
    timeout: float | None = TIMEOUT,
) -> StarterReport:
    """Check every function of the assignment that a .py or .ipynb file defines.

    Raises `BadInput` if the file cannot be read or defines none of them.
    """
    source = open_source(path, guard=Guard(timeout=timeout))
    roles = {name: role for name in source.definitions if (role := role_of(name))}
    gradients = gradient_functions(source, set(roles))
    broken = [one for one in source.broken if one.name and role_of(one.name)]
    if not roles and not gradients and not broken:
        there = ", ".join(source.definitions) or "no function"
        unread = "; ".join(f"line {one.line} cannot be read: {one.reason}" for one in source.broken)
        raise BadInput(
            f"{path} defines none of {WANTED}, in any spelling; it defines {there}"
            + (f"; {unread}" if unread else "")
        )
    opened = source.load([*roles, *(one.name for one in gradients)])
    check = FunctionCheck(source.guard, reduction)
    found = [checked(check, source, opened, name, role) for name, role in roles.items()]
    found += [unreadable(one.name or "", Place(one.file, one.line), one.reason) for one in broken]
    slope = GradientCheck(source.guard, reduction, seed)
    bound = tuple(one for one in gradients if not one.doubtful)
    unbound = tuple(one for one in gradients if one.doubtful)
    found += [gradient_checked(slope, source, opened, one) for one in bound]
    return StarterReport(source, tuple(together(found)), bound, unbound, reduction)


def checked(
    check: FunctionCheck, source: Source, opened: Opened, name: str, role: str
) -> FunctionVerdict:
    """Check one of the five functions; say why where it could not be called."""
    place = source.where(name)
    try:
        function = opened.get(name)
    except UserCodeError as error:
        return FunctionVerdict(name, role, place, Verdict.UNDECIDABLE, f"not defined: {error}")
    found = check(name, role, function, source.signature(name), place)
    return found


def gradient_checked(
    check: GradientCheck, source: Source, opened: Opened, how: GradientFunction
) -> FunctionVerdict:
    """Check one gradient function that was bound."""
    place = source.where(how.name)
    try:
        function = opened.get(how.name)
    except UserCodeError as error:
        why = f"not defined: {error}"
        return FunctionVerdict(how.name, "gradient", place, Verdict.UNDECIDABLE, why)
    return replace(check(function, how), place=place)


def unreadable(name: str, place: Place, reason: str) -> FunctionVerdict:
    """Say that Python cannot read a function; the others are checked all the same."""
    sentence = f"Python cannot read it: {reason} at {place.quoted()}"
    return FunctionVerdict(name, role_of(name) or "", place, Verdict.UNDECIDABLE, sentence)


def together(found: Iterable[FunctionVerdict]) -> list[FunctionVerdict]:
    """Judge what only the whole file can tell: one layout, and a gradient that fits the loss."""
    found = list(found)
    layouts = {one.layout for one in found if one.verdict is Verdict.AGREES and one.layout}
    losses = {one.reduction for one in found if one.role == "average_ce" and one.reduction}
    return [fitting_loss(in_layout(one, layouts), losses) for one in found]


def in_layout(one: FunctionVerdict, layouts: set[str]) -> FunctionVerdict:
    """Turn columns into a disagreement in a file whose other functions have rows."""
    if one.layout != "columns" or "rows" not in layouts:
        return one
    sentence = "it works along the wrong axis: the file's other functions have samples in rows"
    return replace(one.wrong("value", sentence), conventions=())


def fitting_loss(one: FunctionVerdict, losses: set[str]) -> FunctionVerdict:
    """Tell a gradient summed like its loss, a convention, from one that does not fit it."""
    if one.role not in ("grad_ce", "gradient") or len(losses) != 1 or not one.reduction:
        return one
    (loss,) = losses
    if one.reduction == loss:
        return one
    sentence = {
        "sum": "it sums over the batch, but the loss is the mean: N times too large",
        "mean": "it averages over the batch, but the loss is the sum: N times too small",
    }[one.reduction]
    others = [part for part in one.sentence.split("; ") if "over the batch" not in part]
    keep = [part for part in others if part != "agrees"]
    return one.wrong("value", "; ".join([sentence, *keep]), one.worst)


def left_out(source: Source) -> tuple[str, ...]:
    """Say which statements were not executed."""
    if not source.left_out:
        return ()
    places = [str(Place(one.file, one.line)) for one in source.left_out]
    count = f"{len(places)} statement{'s' * (len(places) > 1)}"
    return (f"not run: {count} outside of functions, the first at {places[0]}",)


def doubt(one: GradientFunction) -> str:
    """Say why a gradient function was not checked."""
    listed = ", ".join(one.doubtful)
    return (
        f"{one.name}({', '.join(one.parameters)}) was not checked: what {listed} stands for is not"
        " certain; --write-adapter writes a file in which you say so"
    )

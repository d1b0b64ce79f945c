"""Plain facts about a disagreement, for when no known mistake reproduces it.

Which tensors, which rows or columns, by a constant ratio or not, only where units are inactive,
only in some classes. Facts, no guesses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from compare.diagnosis.match import Case, ratios
from compare.diagnosis.observation import Observation
from compare.mistakes.conditions import masked
from compare.textbook import Pair

Flags = NDArray[np.bool_]
LISTED = 6
"""How many rows or columns are listed by number."""


def facts(observation: Observation) -> tuple[str, ...]:
    """Return what can be said about the numbers seen at one point; empty if they are right."""
    with np.errstate(all="ignore"):
        case = Case(observation)
        return tuple(told(case)) if case.disagrees else ()


def told(case: Case) -> Iterator[str]:
    """Yield the facts: first which tensors, then what is special about each."""
    wrong = [name for name, is_wrong in case.wrong.items() if is_wrong]
    right = [name for name, is_wrong in case.wrong.items() if not is_wrong]
    agreeing = f"right: {', '.join(right)}" if right else "nothing is right"
    yield f"At {case.observation.label}, wrong: {', '.join(wrong)}; {agreeing}."
    gradients = [name for name in wrong if name.startswith(("dw", "db"))]
    shares = {name: share(case.seen[name], case.right.named(name)) for name in wrong}
    common = in_common([shares[name] for name in gradients], gradients, case)
    if len(gradients) > 1 and common is not None:
        yield f"Every wrong gradient is {digits(common)} times the right one."
        wrong = [name for name in wrong if name not in gradients]
    for name in wrong:
        yield from about(name, case, shares[name])


def in_common(shares: Sequence[float | None], names: Sequence[str], case: Case) -> float | None:
    """Return the share by which all these tensors are wrong, None if there is no such number."""
    return next(
        (
            c
            for c in shares
            if c is not None
            and all(is_multiple(case.seen[name], case.right.named(name), c) for name in names)
        ),
        None,
    )


def about(name: str, case: Case, ratio: float | None) -> Iterator[str]:
    """Yield the facts about one tensor."""
    seen, right = case.seen[name], case.right.named(name)
    if seen.shape != right.shape:
        yield f"{name} has shape {seen.shape}, {right.shape} is right."
        return
    if ratio is not None:
        yield f"{name} is {digits(ratio)} times the right one."
    strange = ~np.isfinite(np.asarray(seen, dtype=np.float64)) & np.isfinite(right.value)
    if strange.any():
        yield f"{name} is not finite in {int(strange.sum())} of {strange.size} entries."
    bad: Flags = np.asarray(ratios(seen, right) > 1.0)
    if bad.ndim == 2:
        yield from places(name, bad, case)
    elif bad.ndim == 1:
        yield from listed(name, "entries", bad)


def places(name: str, bad: Flags, case: Case) -> Iterator[str]:
    """Yield which columns, rows and inactive units are wrong."""
    yield from listed(name, "columns", np.asarray(bad.any(axis=0)))
    yield from listed(name, "rows", np.asarray(bad.any(axis=1)))
    kind, layer = case.right.stage_of(name)
    if masked(case.point.activation) and kind == "dz" and layer < case.point.depth:
        if not (bad & (case.right.z(layer).value > 0)).any():
            yield f"{name} is wrong only where the unit is inactive."
    elif masked(case.point.activation) and kind == "dw" and layer < case.point.depth:
        idle = (case.right.z(layer).value <= 0).any(axis=0)
        if not idle.all() and not bad[:, ~idle].any():
            yield f"{name} is wrong only in units that are inactive for some sample."


def listed(name: str, what: str, bad: Flags) -> Iterator[str]:
    """Yield which of the entries, rows or columns are wrong, if not all are."""
    numbers = np.flatnonzero(bad)
    if 0 < len(numbers) < len(bad):
        first = ", ".join(map(str, numbers[:LISTED]))
        more = " and others" if len(numbers) > LISTED else ""
        yield f"{name} is wrong in {len(numbers)} of {len(bad)} {what}: {first}{more}."


def share(seen: NDArray[np.floating], right: Pair) -> float | None:
    """Return c if seen = c * right within the allowance of that; None if not, or if c is 1."""
    if seen.shape != right.shape or not np.isfinite(seen).all():
        return None
    scale = float((right.value * right.value).sum())
    c = float((seen * right.value).sum()) / scale if scale else 0.0
    telling = c != 0.0 and abs(c - 1.0) > right.arithmetic.unit
    return c if telling and is_multiple(seen, right, c) else None


def is_multiple(seen: NDArray[np.floating], right: Pair, c: float) -> bool:
    """Return whether seen = c * right within the allowance of that."""
    return bool((ratios(seen, right * c) <= 1.0).all())


def digits(c: float) -> str:
    """Return c with four digits, or with as many as tell it from 1 by two."""
    zeros = -math.floor(math.log10(abs(c - 1.0)))
    return f"{c:.{max(4, zeros + 2)}g}"


def facts_of(observed: Sequence[Observation]) -> tuple[str, ...]:
    """Return the facts of the first observation that has any."""
    return next(filter(None, map(facts, observed)), ())

"""Plain facts about a disagreement, for when no known mistake reproduces it.

Which tensors, which rows or columns, by a constant ratio or not, only where units are inactive,
only in some classes. Facts, no guesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Mask
from compare.diagnosis.forms import Factor, form
from compare.diagnosis.match import Case, ratios, telling
from compare.diagnosis.observation import Observation
from compare.mistakes.conditions import masked
from compare.textbook import Pair

NEAR = 0.01
"""A unit below this is just above 0."""
LISTED = 6
"""How many rows or columns are listed by number."""


def facts(observation: Observation) -> tuple[str, ...]:
    """Return what can be said about the numbers seen at one point; empty if they are right."""
    with np.errstate(all="ignore"):
        return facts_of([Case(observation)])


def facts_of(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return what can be said about cases of one domain: in detail about the first wrong one."""
    with np.errstate(all="ignore"):
        wrong = telling(cases)
        return tuple(told(wrong)) if wrong else ()


def told(cases: Sequence[Case]) -> Iterator[str]:
    """Yield the facts: first which tensors, then what is special about each."""
    case = cases[0]
    wrong = [name for name, is_wrong in case.wrong.items() if is_wrong]
    right = [name for name, is_wrong in case.wrong.items() if not is_wrong]
    agreeing = f"right: {', '.join(right)}" if right else "nothing is right"
    yield f"At {case.observation.label}, wrong: {', '.join(wrong)}; {agreeing}."
    gradients = [name for name in wrong if name.startswith(("dw", "db"))]
    factors = {name: factor(name, cases) for name in wrong}
    said = {text for name in gradients if (text := factors[name])}
    if len(gradients) > 1 and len(said) == 1 and all(factors[name] for name in gradients):
        yield f"Every wrong gradient is {said.pop()} times the right one."
        wrong = [name for name in wrong if name not in gradients]
    shared = [f"{name} is {factors[name]} times" for name in wrong if factors[name]]
    if shared:
        yield f"{', '.join(shared)} the right one."
    if "loss" in wrong and not factors["loss"]:
        yield from offset(cases)
    for name in wrong:
        if not factors[name]:
            yield from about(name, case)


def factor(name: str, cases: Sequence[Case]) -> str:
    """Return the factor of one tensor in all cases as a form, `n / 32` or `2`; empty if it has
    none."""
    shown = [case for case in cases if name in case.seen and case.wrong[name]]
    shares = [share(case.seen[name], case.right.named(name)) for case in shown]
    known = [Factor(case.point, c) for case, c in zip(shown, shares, strict=True) if c is not None]
    return form(known) if len(known) == len(shown) else ""


def offset(cases: Sequence[Case]) -> Iterator[str]:
    """Yield the difference of the loss if it is the same at several points."""
    shown = [case for case in cases if case.wrong.get("loss")]
    away = [float(case.seen["loss"]) - float(case.right.named("loss").value) for case in shown]
    allowed = [float(case.right.named("loss").allowance) for case in shown]
    if len(away) > 1 and all(
        abs(a - away[0]) <= b + allowed[0] for a, b in zip(away, allowed, strict=True)
    ):
        yield f"The loss is {away[0]:+.6g} away from the right one at every point."


def about(name: str, case: Case) -> Iterator[str]:
    """Yield the facts about one tensor."""
    seen, right = case.seen[name], case.right.named(name)
    if seen.shape != right.shape:
        yield f"{name} has shape {seen.shape}, {right.shape} is right."
        return
    strange = ~np.isfinite(np.asarray(seen, dtype=np.float64)) & np.isfinite(right.value)
    if strange.any():
        yield f"{name} is not finite in {int(strange.sum())} of {strange.size} entries."
    bad: Mask = np.asarray(ratios(seen, right) > 1.0)
    if bad.ndim == 2:
        yield from places(name, bad, case)
    elif bad.ndim == 1:
        yield from listed(name, "entries", bad)


def places(name: str, bad: Mask, case: Case) -> Iterator[str]:
    """Yield which columns, rows and inactive units are wrong."""
    yield from listed(name, "columns", np.asarray(bad.any(axis=0)))
    yield from listed(name, "rows", np.asarray(bad.any(axis=1)))
    kind, layer = case.right.stage_of(name)
    if kind == "dw" and layer < case.point.depth:
        yield from threshold(name, case.right.z(layer).value, np.asarray(bad.any(axis=0)))
    if masked(case.point.activation) and kind == "dz" and layer < case.point.depth:
        if not (bad & (case.right.z(layer).value > 0)).any():
            yield f"{name} is wrong only where the unit is inactive."
    elif masked(case.point.activation) and kind == "dw" and layer < case.point.depth:
        idle = (case.right.z(layer).value <= 0).any(axis=0)
        if not idle.all() and not bad[:, ~idle].any():
            yield f"{name} is wrong only in units that are inactive for some sample."


def threshold(name: str, z: NDArray[np.float64], wrong: Mask) -> Iterator[str]:
    """Yield between which sizes a unit stops being right, if it is right from some size on.

    z (N, H); of each unit its smallest value above 0 counts, or its largest.
    """
    if wrong.all() or not wrong.any():
        return
    above = np.where(z > 0, z, np.inf).min(axis=0)
    if above[wrong].max() < above[~wrong].min() and above[wrong].max() < NEAR:
        low, high = above[wrong].max(), above[~wrong].min()
        yield (
            f"{name} is wrong only in units that are at most {low:.3g} above 0 for some sample, and"
            f" right from {high:.3g} on: a mask with a threshold?"
        )
    largest = z.max(axis=0)
    if largest[wrong].min() > largest[~wrong].max() > 0:
        yield (
            f"{name} is wrong only in units that reach {largest[wrong].min():.3g}, and right up to "
            f"{largest[~wrong].max():.3g}: a cap in between?"
        )


def listed(name: str, what: str, bad: Mask) -> Iterator[str]:
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

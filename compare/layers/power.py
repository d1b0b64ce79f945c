"""Weak points of a layer: which tensors could not have shown an error of the promised size.

A relative error c of a whole tensor moves every entry by c times its size, so the entry with the
smallest allowance for its size sees it first: `(1 + 1/2) min A/|r|` is the smallest that must show,
since honest ratios stay below one half.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from compare.checks.comparison import HONEST
from compare.checks.weak import PROMISED
from compare.contracts.result import Weak
from compare.layers.judged import Judged, State

SEEN = PROMISED | {"float16": 0.05, "bfloat16": 0.25}
"""The relative scale error that must be detected on every tensor not called weak, by format."""


def smallest_scale_error(reference: NDArray[np.float64], allowance: NDArray[np.float64]) -> float:
    """Return the smallest relative error of a whole tensor that cannot be missed."""
    there = (reference != 0) & np.isfinite(allowance)
    if not there.any():
        return np.inf
    with np.errstate(over="ignore"):  # an entry about which nothing is known
        return float((1 + HONEST) * (allowance[there] / np.abs(reference[there])).min())


def weak_tensors(points: Sequence[Judged]) -> Iterator[Weak]:
    """Yield one entry for every tensor that had weak points, with how many there were."""
    decided = [one for one in points if one.state is not State.UNDECIDED]
    decided = [one for one in decided if not one.point.special] or decided
    for name in decided[0].surveyed.analysed.reference if decided else ():
        found = []
        for number, one in enumerate(decided):
            analysed = one.surveyed.analysed
            size = smallest_scale_error(analysed.reference[name], analysed.allowances[name])
            if size > SEEN[one.point.format]:
                found.append((size, number, one))
        if found:
            size, number, one = max(found, key=lambda each: each[0])
            yield Weak("layer", reason(name, size, one, len(found), len(decided)), name,
                       smallest_scale_error=size, update=number)  # fmt: skip


def reason(name: str, size: float, one: Judged, weak: int, of: int) -> str:
    """Say why a tensor proves little."""
    points = "at the given point" if of == 1 else f"at {weak} of {of} points"
    if np.isinf(size):
        return f"{points} {name} was zero everywhere"
    return f"{points} a scale error of {SEEN[one.point.format]:g} in {name} could have been missed"


def powerless(points: Sequence[Judged]) -> dict[str, float]:
    """Return the tensors that no point could have shown wrong, with the scale error they hide."""
    decided = [one for one in points if one.state is not State.UNDECIDED]
    found: dict[str, float] = {}
    for name in decided[0].surveyed.analysed.reference if decided else ():
        hidden = [SEEN[one.point.format] for one in decided if not shows(one, name)]
        if len(hidden) == len(decided):
            found[name] = max(hidden)
    return found


def shows(one: Judged, name: str) -> bool:
    """Return whether a point would have shown a wrong tensor of the promised size."""
    analysed = one.surveyed.analysed
    size = smallest_scale_error(analysed.reference[name], analysed.allowances[name])
    return size <= SEEN[one.point.format]


def without_power(points: Sequence[Judged]) -> bool:
    """Return whether no tensor at any point could have shown an error."""
    return not any(
        shows(one, name)
        for one in points
        if one.state is not State.UNDECIDED
        for name in one.surveyed.analysed.reference
    )


def undecided(points: Sequence[Judged]) -> Iterator[Weak]:
    """Yield the points about which nothing can be said, if others decide."""
    for number, one in enumerate(points):
        if one.state is State.UNDECIDED and one.why is not None:
            yield Weak("layer", f"{one.point.note}: {one.why}", update=number)


def unruled(points: Sequence[Judged]) -> Iterator[Weak]:
    """Yield the operations without a rule: their rounding was measured, not derived."""
    names = sorted({name for one in points for name in one.surveyed.analysed.unruled})
    if names:
        yield Weak("layer", f"no rule for {', '.join(names)}: its rounding was only sampled")

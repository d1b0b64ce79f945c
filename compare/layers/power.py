"""Weak points of a layer: which tensors could not have shown an error of the promised size.

Every sentence gives the smallest scale error that would have shown, as it was at that point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from compare.contracts.result import Weak
from compare.layers.judged import Judged, State
from compare.layers.seen import SEEN, smallest_scale_error


def weak_tensors(points: Sequence[Judged]) -> Iterator[Weak]:
    """Yield one entry for every tensor that had weak points, with how many there were."""
    decided = [one for one in points if one.state is not State.UNDECIDED]
    decided = [one for one in decided if not one.point.special] or decided
    for name in decided[0].surveyed.analysed.reference if decided else ():
        sizes = [(shown(one, name), number, one) for number, one in enumerate(decided)]
        found = [each for each in sizes if each[0] > SEEN[each[2].point.format]]
        if found:
            size, number, one = max(found, key=lambda each: each[0])
            yield Weak("layer", reason(name, size, one, len(found), len(decided)), name,
                       smallest_scale_error=size, update=number)  # fmt: skip


def reason(name: str, size: float, one: Judged, weak: int, of: int) -> str:
    """Say why a tensor proves little."""
    points = "at the given point" if of == 1 else f"at {weak} of {of} points"
    if np.isinf(size):
        zero = not one.surveyed.analysed.reference[name].any()
        said = "was zero everywhere" if zero else "could not have shown any scale error"
        return f"{points} {name} {said}"
    return f"{points} a scale error below {size:.2g} in {name} could have been missed"


def powerless(points: Sequence[Judged]) -> dict[str, float]:
    """Return the tensors that no point could have shown wrong, with the least that would show."""
    decided = [one for one in points if one.state is not State.UNDECIDED]
    names = decided[0].surveyed.analysed.reference if decided else ()
    return {
        name: min(shown(one, name) for one in decided)
        for name in names
        if not any(shows(one, name) for one in decided)
    }


def shown(one: Judged, name: str) -> float:
    """Return the smallest scale error of a tensor that a point would have shown."""
    analysed = one.surveyed.analysed
    least = smallest_scale_error(analysed.reference[name], analysed.allowances[name])
    return max(least, one.grown.get(name, 0.0))


def shows(one: Judged, name: str) -> bool:
    """Return whether a point would have shown a wrong tensor of the promised size."""
    return shown(one, name) <= SEEN[one.point.format]


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

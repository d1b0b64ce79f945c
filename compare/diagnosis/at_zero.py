"""A slope of ReLU at exactly 0 that is none: on whole numbers many units stand there.

Every slope from 0 to 1 is right at z = 0, and elsewhere the code is right: no mask is wrong, and no
other mistake is to be looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from compare.contracts.result import Diagnosis
from compare.diagnosis.match import Case, Overrides
from compare.diagnosis.observation import Observation
from compare.mistakes.fits import rounded
from compare.textbook import Override, Pair, Pass


def slope_at_zero(seen: Sequence[Observation]) -> tuple[Diagnosis, ...]:
    """Return the one slope at 0 that reproduces every point, if none from 0 to 1 would."""
    first = seen[0].point
    if first.activation != "relu" or not first.between.plain:
        return ()
    cases = [Case(one) for one in seen]
    for c in slopes(cases[0]):
        there = with_slope(c, first.depth)
        if not 0 <= c <= 1 and all(case.reproduced(there) for case in cases):
            said = f"A unit that is exactly at 0 gets the slope {c:.4g}: right are 0, 1 and all "
            said += "between them."
            before = max(case.worst(frozenset()) for case in cases)
            after = max(case.worst(there) for case in cases)
            title = f"a slope of {c:.4g} where a unit is exactly at 0"
            return (Diagnosis("slope-at-zero", said, before, after, constant=c, title=title),)
    return ()


def with_slope(c: float, depth: int) -> Overrides:
    """Return a backward pass with the slope c where z is 0, in every hidden layer."""

    def dz(net: Pass, layer: int) -> Pair:
        at_zero = (net.z(layer).value == 0).astype(np.float64)
        moved: Pair = net.right("dz", layer) + net.dh(layer) * (c * at_zero)
        return moved

    return frozenset(Override("dz", dz, layer) for layer in range(1, depth))


def slopes(case: Case) -> Iterator[float]:
    """Yield what the slope may be: fitted to the biases of the last layer with units at 0, into
    which no other such slope enters."""
    depth = case.point.depth
    at_zero = [i for i in range(1, depth) if (case.right.z(i).value == 0).any()]
    name = f"db{max(at_zero, default=0)}"
    if name not in case.seen:
        return
    without, one = (case.right.having(with_slope(c, depth)).named(name).value for c in (0.0, 1.0))
    effect = one - without
    size = float((effect * effect).sum())
    if size and case.seen[name].shape == effect.shape:
        yield from rounded(float(((case.seen[name] - without) * effect).sum() / size))

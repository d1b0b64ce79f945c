"""The epsilon of an optimiser, read off its first update: whoever types another one has typed it.

The more is added to the root, the shorter the step; so one number of the size seen is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from compare.checks.optimiser_step import OptimiserStep
from compare.diagnosis.track import Recorded
from compare.mistakes.fits import rounded, zero_between
from compare.textbook.pair import exact

SMALLEST, LARGEST = -16.0, 3.0
"""Decades between which an epsilon is looked for."""


def first_epsilons(
    made: Callable[[float], OptimiserStep | None], walked: Sequence[Recorded]
) -> Iterator[float]:
    """Yield what people type near the epsilon by which the first update is as long as it is."""
    before, after = walked[0], walked[1]
    name = max(before.parameters, key=lambda name: before.parameters[name].size)
    w = before.parameters[name]
    seen = float(np.abs(after.parameters[name] - w).sum())

    def excess(exponent: float) -> float:
        step = made(10.0**exponent)
        if step is None:
            return np.nan
        dw, of = step.clipping.pairs(before.gradients)[name], step.settings_of(name)
        moved = step.rule(exact(w, w.dtype), dw, {}, 1, of)[0].value - w
        return float(np.abs(moved).sum()) - seen

    ends = (SMALLEST, excess(SMALLEST)), (LARGEST, excess(LARGEST))
    if ends[0][1] * ends[1][1] < 0:
        yield from rounded(10.0 ** zero_between(excess, *ends))

"""Whether steps are shorter than their rate times the slopes because their norm is held to a bound.

    total = sqrt(sum(dw**2));  dw = dw * c / total  where total > c

All weights of a turn then move by one share of their slopes, and the step is the rate times c long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from compare.examine.starter.own.steps import Steps

WRITTEN = re.compile(r"(?<![\w.])\d+(?:\.\d*)?(?:e-?\d+)?(?![\w.])")
NEAR = 1e-5
"""Of a bound: `total + 1e-6` is divided by as well."""


def clipped_to(steps: Steps, factors: Sequence[float], rates: Sequence[float]) -> float:
    """Return the bound of the norm, a number of the text, that steps keep to where their factor is
    no rate; 0 where there is no such bound, or no step that keeps to it."""
    bounds = {float(one) for one in WRITTEN.findall(steps.base.loop.program.text)} - {0.0}
    for rate in rates:
        short = [turn for turn, factor in zip(steps.turns, factors, strict=True)
                 if not np.isclose(factor, rate, rtol=1e-4)]  # fmt: skip
        fits = all(0 < factor < rate * (1 + 1e-4) for factor in factors)
        lengths = [length(steps, turn) / rate for turn in short]
        bound = next((one for one in bounds if np.allclose(lengths, one, rtol=NEAR)), 0.0)
        if short and fits and bound:
            return bound
    return 0.0


def length(steps: Steps, turn: int) -> float:
    """Return how long the step of all weights is."""
    before, after = steps.kept(turn, 0), steps.kept(turn, steps.base.loop.last)
    ways = [way for group in steps.groups for way in group.starts]
    return float(np.sqrt(sum(((after[way] - before[way]) ** 2).sum() for way in ways)))

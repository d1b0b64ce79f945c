"""Diagnosis of the initial weights: whose standard deviation were they drawn with?"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.ratio import ratio
from compare.contracts.arrays import Array
from compare.contracts.result import Diagnosis
from compare.diagnosis.alternatives import reproducing
from compare.mistakes.start import DECLARED, START, Mistaken, Spread
from compare.textbook.pair import arithmetic_of

DEVIATIONS = 5.0
"""Standard errors within which a spread is the one it should be: one layer in a million is not."""


def diagnose_start(
    parameters: Mapping[str, Array],
    *,
    scheme: str = "xavier",
    reference: Mapping[str, Array] | None = None,
) -> tuple[Diagnosis, ...]:
    """Return the mistake that reproduces the spread of the initial weights.

    `reference`: right weights from the same draws, if there are any; then weights that are a
    constant multiple of them are judged exactly. Otherwise by their root mean square, whose
    relative standard error over n weights is 1 / sqrt(2 n); `DEVIATIONS` of those are allowed.
    """
    weights = {name: w for name, w in parameters.items() if name.startswith("w")}
    declared = DECLARED[scheme].spread
    before = worst(weights, lambda fan_in, fan_out, right: right, declared, reference)
    tried = ((each, None, worst(weights, each.spread, declared, reference)) for each in START)
    return reproducing(tried, before, declared=DECLARED[scheme].variance)


def worst(
    weights: Mapping[str, Array],
    spread: Mistaken,
    declared: Spread,
    reference: Mapping[str, Array] | None,
) -> float:
    """Return the worst ratio over the layers of the weights being drawn with `spread`."""
    found = []
    for name, w in weights.items():
        fan_in, fan_out = w.shape
        right = declared(fan_in, fan_out)
        known = None if reference is None else reference[name]
        found.append(layer_ratio(w, spread(fan_in, fan_out, right), right, known))
    return max(found)


def layer_ratio(
    w: NDArray[Any], spread: float, declared: float, reference: NDArray[Any] | None
) -> float:
    """Return |w - spread / declared * reference| / allowance, or that of the root mean square."""
    if reference is not None and proportional(w, reference):
        expected = np.asarray(reference, dtype=np.float64) * (spread / declared)
        allowed = 4 * arithmetic_of(w.dtype).unit * np.abs(expected)
        return float(ratio(np.abs(w - expected), allowed).max())
    seen = float(np.sqrt(np.mean(np.square(w, dtype=np.float64))))
    return abs(seen / spread - 1) / (DEVIATIONS / sqrt(2 * w.size))


def proportional(w: NDArray[Any], reference: NDArray[Any]) -> bool:
    """Return whether `w` is a constant multiple of `reference` up to rounding."""
    wide = np.asarray(reference, dtype=np.float64)
    share = float((w * wide).sum() / (wide * wide).sum())
    allowed = 8 * arithmetic_of(w.dtype).unit * np.abs(share * wide)
    return bool((np.abs(w - share * wide) <= allowed).all())

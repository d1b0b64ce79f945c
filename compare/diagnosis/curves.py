"""Diagnosis of the curves: which other curve was drawn in place of the right one?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from compare.checks.ratio import ratio
from compare.contracts.arrays import Float, Mask
from compare.contracts.result import Diagnosis
from compare.diagnosis.alternatives import one_of
from compare.mistakes.reporting import REPORTING, Curves
from compare.textbook.pair import arithmetic_of


def diagnose_curves(
    manual: Mapping[str, ArrayLike],
    reference: Mapping[str, ArrayLike],
    allowance: Mapping[str, ArrayLike] | None = None,
) -> tuple[Diagnosis, ...]:
    """Return the mistake of reporting that turns the reference's curves into the manual ones.

    Both map curve names (`train_loss`, `train_accuracy`, `validation_loss`, ..., `test_loss`) to
    one value per epoch boundary. `reference` may hold further curves: `trained_on_validation_loss`
    and `..._accuracy` of a network trained on the validation data. `allowance`: per curve, a value
    or one per point; without it only the rounding of the numbers themselves is allowed.
    """
    seen = {name: np.asarray(curve, dtype=np.float64) for name, curve in manual.items()}
    right = {name: np.asarray(curve, dtype=np.float64) for name, curve in reference.items()}
    allowed = {name: np.asarray((allowance or {}).get(name, 0.0)) for name in seen}
    distances = {name: distance(name, seen, right, allowed) for name in seen.keys() & right.keys()}
    wrong = [name for name, far in distances.items() if far > 1.0]
    if not wrong:
        return ()
    fitting = []
    for mistake in REPORTING:
        drawn = mistake.curves(right)
        after = max(distance(name, seen, drawn, allowed) for name in distances)
        points = {name: int(known(drawn[name]).sum()) for name in distances}
        if after <= 1.0 < sum(points.values()) and all(points[name] for name in wrong):
            fitting.append((mistake, None, after))
    return one_of(fitting, max(distances.values()))


def known(expected: Float) -> Mask:
    """Return which points are compared: of one expected to be NaN nothing is known."""
    return ~np.isnan(expected)


def distance(name: str, seen: Curves, expected: Curves, allowed: Curves) -> float:
    """Return the worst |seen - expected| / allowance of one curve."""
    compared, unit = known(expected[name]), arithmetic_of(np.dtype(np.float64)).unit
    difference = np.abs(seen[name] - expected[name])[compared]
    scale = (allowed[name] + unit * np.abs(expected[name]))[compared]
    return float(ratio(difference, scale).max(initial=0.0))

"""Diagnosis of the curves: which other curve was drawn in place of the right one?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compare.diagnosis.alternatives import one_of
from compare.mistakes.reporting import REPORTING, Curves
from compare.result import Diagnosis
from compare.textbook.pair import arithmetic_of

Float = NDArray[np.float64]


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
    before, _ = distance(seen, right, allowed)
    if before <= 1.0:
        return ()
    tried = ((mistake, *distance(seen, mistake.curves(right), allowed)) for mistake in REPORTING)
    fitting = [(mistake, None, after) for mistake, after, points in tried if after <= 1 < points]
    return one_of(fitting, before)


def distance(seen: Curves, expected: Curves, allowed: Curves) -> tuple[float, int]:
    """Return the worst |seen - expected| / allowance and how many points were compared.

    A point expected to be NaN is not compared: nothing is known about it.
    """
    worst, points = 0.0, 0
    unit = arithmetic_of(np.dtype(np.float64)).unit
    for name in seen.keys() & expected.keys():
        known = ~np.isnan(expected[name])
        difference = np.abs(seen[name] - expected[name])[known]
        scale = (allowed[name] + unit * np.abs(expected[name]))[known]
        ratio = np.where(difference == 0.0, 0.0, difference / np.maximum(scale, 1e-300))
        worst = max(worst, float(np.nan_to_num(ratio, nan=np.inf).max(initial=0.0)))
        points += int(known.sum())
    return worst, points

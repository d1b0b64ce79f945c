"""Diagnosis of the curves: which other curve was drawn in place of the right one?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compare.mistakes.reporting import REPORTING, Curves
from compare.result import Diagnosis
from compare.textbook.pair import arithmetic_of

Float = NDArray[np.float64]


def diagnose_curves(
    manual: Mapping[str, ArrayLike],
    reference: Mapping[str, ArrayLike],
    allowance: Mapping[str, ArrayLike] | None = None,
) -> tuple[Diagnosis, ...]:
    """Return the mistakes of reporting that turn the reference's curves into the manual ones.

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
    found = []
    for mistake in REPORTING:
        after, points = distance(seen, mistake.curves(right), allowed)
        if after <= 1.0 and points > 1:
            found.append((mistake, after))
    found.sort(key=lambda pair: -pair[0].seen)
    names = [mistake.name for mistake, _ in found]
    return tuple(
        Diagnosis(
            mistake=mistake.name,
            sentence=mistake.sentence,
            ratio_before=before,
            ratio_after=after,
            also=tuple(name for name in names if name != mistake.name),
        )
        for mistake, after in found
    )


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

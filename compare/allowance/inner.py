"""What the sums over a layer's units round, learnt from a few rows of the product.

The order of the terms is that of the units, the same in every row, so what the partial sums of a
few rows come to stands for all.
"""

from __future__ import annotations

import numpy as np

from compare.allowance.operands import Float, Operand, Real, Right
from compare.allowance.partial import measured
from compare.allowance.sums import OF_RESULT, additions, worst_factors


def usual(left: Operand, right: Right, total: Real, constant: Float | float) -> Float:
    """Return the largest `((n + 4) P**2 + 2 S**2) / ||row||**2` of `row @ right`, (H,).

    `total`: all of `left @ right + constant`. P is measured in a few of the rows. S is looked at in
    many: where a row cancels less than these few, its partial sums are larger.
    """
    picked = left.picked
    if picked is None:
        return np.zeros(right.entries.shape[1])
    times = additions(len(right.entries))
    value = total[picked.many] - np.asarray(constant, dtype=total.dtype)  # (M, H)
    value *= picked.inverses  # S / ||row||
    found = measured(picked.left, right.blocked)  # (8, H)
    found /= picked.sizes  # first: times / sizes would overflow where rows are tiny
    found *= times
    found += OF_RESULT * np.square(value[picked.few], dtype=np.float64)
    least = np.square(np.maximum.reduce(np.abs(value, out=value)), dtype=np.float64)
    least = np.minimum(least, right.columns) * worst_factors(times, 1.0)[1]
    return np.maximum(np.maximum.reduce(found), least)

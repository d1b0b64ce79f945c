"""|manual - reference| / allowance: the one number that every judgement of this project is made by.

Equal is equal, whatever is allowed. An allowance that is not a number (infinity times zero, in a
run that diverges) tells as little as an infinite one. An error that is not finite is beyond every
allowance: NaN agrees with nothing, and infinity only with itself where a caller says so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from compare.contracts.arrays import Float


def ratio(error: ArrayLike, allowance: ArrayLike) -> Float:
    """Return `error / allowance` entry by entry, never NaN; `error` is |manual - reference|.

    >>> ratio([1.0, 0.0, 1.0, np.nan], [2.0, 0.0, np.nan, np.inf])
    array([0.5, 0. , 0. , inf])
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        found: Float = np.asarray(np.divide(error, allowance, dtype=np.float64))
    if np.isnan(found.max(initial=0.0)):
        unknown = np.isnan(found)
        beyond = ~np.isfinite(np.broadcast_to(error, found.shape)[unknown])
        found[unknown] = np.where(beyond, np.inf, 0.0)
    return found

"""What an allowance lets through: the smallest error of a whole tensor that must show.

A relative error c of a whole tensor moves every entry by c times its size, so the entry with the
smallest allowance for its size sees it first: `(1 + 1/2) min A/|r|` is the smallest that must show,
since honest ratios stay below one half. Where the roundings of a recurrence grow together and
widen some allowances, what these excuse is held against entries that are as uncertain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.comparison import HONEST
from compare.checks.weak import PROMISED

SEEN = PROMISED | {"float16": 0.05, "bfloat16": 0.25}
"""The relative scale error that must be detected on every tensor not called weak, by format."""
ALIKE = 0.5
"""An allowance that grew at least half as far as another is as uncertain: no spread of `DRAWS` runs
is off by a factor of 2, which a mean of 32 squares is once in 10 million."""


def smallest_scale_error(reference: NDArray[np.float64], allowance: NDArray[np.float64]) -> float:
    """Return the smallest relative error of a whole tensor that cannot be missed."""
    return (1 + HONEST) * float(relative(reference, allowance).min(initial=np.inf))


def relative(reference: NDArray[Any], allowance: NDArray[Any]) -> NDArray[np.float64]:
    """Return the allowance of every entry for its size; infinity where nothing is known."""
    there = (reference != 0) & np.isfinite(allowance)
    found = np.full(reference.shape, np.inf)
    with np.errstate(over="ignore"):
        np.divide(allowance, np.abs(reference), out=found, where=there)
    return found


def uncertain(
    reference: NDArray[Any], before: NDArray[Any], wider: NDArray[Any]
) -> NDArray[np.float64]:
    """Return by entry how uncertain those are, for their sizes, whose allowances grew as far.

    An entry near 0 says little by itself: the largest of its kind say how uncertain all are.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.nan_to_num(wider / before, nan=1.0).reshape(-1)
    order = np.argsort(-growth, kind="stable")
    least = np.minimum.accumulate(relative(reference, wider).reshape(-1)[order])
    alike = np.searchsorted(-growth[order], -ALIKE * growth, side="right")
    found: NDArray[np.float64] = least[alike - 1].reshape(reference.shape)
    return found


def hidden(
    off: NDArray[Any], reference: NDArray[Any], before: NDArray[Any], wider: NDArray[Any]
) -> tuple[float, float]:
    """Return how large, for entries of its kind, the largest difference is that growth excuses.

    And the smallest scale error that would have been seen there; zeros where it excuses nothing.
    """
    excused = (off > before) & (off <= wider)
    if not excused.any():
        return 0.0, 0.0
    kind = uncertain(reference, before, wider)[excused]
    with np.errstate(invalid="ignore"):
        there = np.nan_to_num(off[excused] / wider[excused] * kind, nan=np.inf, posinf=np.inf)
    return float(there.max()), (1 + HONEST) * float(kind.max())

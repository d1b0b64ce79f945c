"""The number formats that a layer can be judged in: what one rounding is, and where numbers end.

The reference is computed in float64 whatever the judged format is. It rounds as well, which only
counts where the judged format is float64 itself: two errors of one size then, in squares twice one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LAMBDA = 5.0
"""The project's one constant: an allowance is λ times the root mean square of the rounding."""


@dataclass(frozen=True, slots=True)
class Format:
    """`unit`: half the distance from 1 to the next number; `floor`: what underflow may lose.

    Known exactly are multiples of `grid` up to `exact` (counts, masks, targets); any other input
    is known to half a last digit. A short format has many such multiples by chance, so that fewer
    of them are believed. `sides` roundings of this size stand between manual and reference.
    `wider` is the format in which the same code is judged again when it fails in this one.
    """

    name: str
    unit: float
    floor: float
    largest: float
    grid: float
    exact: float
    sides: float
    wider: str


FORMATS = {
    each.name: each
    for each in (
        Format("float16", 2.0**-11, 2.0**-24, 65504.0, 0.5, 2.0, 1.0, "float32"),
        Format("bfloat16", 2.0**-8, 2.0**-126, 2.0**128 * (1 - 2.0**-8), 0.5, 2.0, 1.0, "float32"),
        Format("float32", 2.0**-24, 2.0**-126, 2.0**128, 2.0**-4, 16.0, 1.0, "float64"),
        Format("float64", 2.0**-53, 2.0**-511, math.inf, 2.0**-4, 16.0, 2.0, "longdouble"),
    )
}
"""By name. The squares of float64 end at 2**-1022, so its floor is the root of that."""

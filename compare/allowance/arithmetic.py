"""The one constant of the project, and the two numbers of a floating-point format it multiplies.

Everything the judge allows is built from `unit` (relative) and `floor` (absolute), so a reader who
doubts a verdict has exactly one place to look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

LAMBDA = 5.0
r"""How many probabilistic standard bounds the allowance is wide, for the whole project.

Higham and Mary (2019), "A New Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci.
Comput. 41(5), theorem 2.4: with rounding errors that are independent and of mean zero, the error
of n operations stays below `lambda * sqrt(n) * u` (first order) except with probability at most
`2 exp(-lambda**2 / 2)` per operation. At 5 that is 7.5e-6; at half of it, the largest ratio that
honest comparisons may reach, 8.8 %, which is pessimistic, because partial sums are bounded rather
than known. `python -m benchmarks.power` measures what remains of it: the largest honest ratio.
"""

ROOT_FLOOR = 2.0**-511
"""The square of anything smaller is no normal float64, so no root taken here is finer than this."""
quiet = np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
"""An allowance may overflow to infinity, which means that nothing can be told there."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The compared format: `unit` is LAMBDA times its unit roundoff, `tiny` its smallest normal.

    A result below `tiny` may be flushed to zero by one side and not by the other, and then be
    multiplied by something large: each operation therefore allows one `floor` for every term it
    adds up. `parts`: so many processes added up a part of the batch each.
    """

    unit: float
    tiny: float
    parts: int = 1

    @property
    def roundoff(self) -> float:
        """Return the unit roundoff u itself: half the last digit of 1."""
        return self.unit / LAMBDA

    @classmethod
    def of(cls, dtype: DTypeLike, parts: int = 1) -> Arithmetic:
        """Return the constants of `dtype` (float32 or float64)."""
        limits = np.finfo(np.dtype(dtype))
        return cls(
            unit=LAMBDA * float(limits.eps) / 2, tiny=float(limits.smallest_normal), parts=parts
        )

    def floor(self, scale: float = 1.0) -> float:
        """Return what one flushed term may cost in numbers that were multiplied by `scale`."""
        return max(self.tiny * scale, ROOT_FLOOR)

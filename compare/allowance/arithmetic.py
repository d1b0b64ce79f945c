"""The one constant of the project, and the two numbers of a floating-point format it multiplies.

Everything the judge allows is built from `unit` (relative) and `floor` (absolute), so a reader who
doubts a verdict has exactly one place to look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

LAMBDA = 3.0
r"""How many probabilistic standard bounds the allowance is wide, for the whole project.

Higham and Mary (2019), "A New Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci.
Comput. 41(5), theorem 2.4: with rounding errors that are independent and of mean zero, the error
of n operations stays below `lambda * sqrt(n) * u` (first order) except with probability at most
`2 exp(-lambda**2 / 2)` per operation. At 3 that is 2.2 %: pessimistic, because the rules
bound partial sums by products of norms. The programs of `docs/verdict.md` and the tests hold what
remains, the largest honest ratio, to at most 0.5.
"""

ROOT_FLOOR = 2.0**-511
"""The square of anything smaller is no normal float64, so no root taken here is finer than this."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The compared format: `unit` is LAMBDA times its unit roundoff, `tiny` its smallest normal.

    A result below `tiny` may be flushed to zero by one side and not by the other, and then be
    multiplied by something large: each operation therefore allows one `floor` for every term it
    adds up.
    """

    unit: float
    tiny: float

    @classmethod
    def of(cls, dtype: DTypeLike) -> Arithmetic:
        """Return the constants of `dtype` (float32 or float64)."""
        limits = np.finfo(np.dtype(dtype))
        return cls(unit=LAMBDA * float(limits.eps) / 2, tiny=float(limits.smallest_normal))

    def floor(self, scale: float = 1.0) -> float:
        """Return what one flushed term may cost in numbers that were multiplied by `scale`."""
        return max(self.tiny * scale, ROOT_FLOOR)

"""Every mistake the diagnosis knows, family by family."""

from __future__ import annotations

from compare.mistakes.activation import ACTIVATION
from compare.mistakes.aliasing import IN_PLACE
from compare.mistakes.cross_entropy import CROSS_ENTROPY
from compare.mistakes.linear_algebra import LINEAR_ALGEBRA
from compare.mistakes.mistake import NetworkMistake
from compare.mistakes.precision import PRECISION
from compare.mistakes.reduction import REDUCTION
from compare.mistakes.regularisation import REGULARISATION
from compare.mistakes.rows import ROWS
from compare.mistakes.softmax import SOFTMAX

NETWORK: tuple[NetworkMistake, ...] = (
    *REDUCTION,
    *SOFTMAX,
    *CROSS_ENTROPY,
    *ACTIVATION,
    *LINEAR_ALGEBRA,
    *ROWS,
    *IN_PLACE,
    *PRECISION,
    *REGULARISATION,
)

"""Every mistake the diagnosis knows, family by family."""

from __future__ import annotations

from compare.contracts.errors import BadInput
from compare.mistakes.activation import ACTIVATION
from compare.mistakes.aliasing import IN_PLACE
from compare.mistakes.calls import CALLS
from compare.mistakes.cross_entropy import CROSS_ENTROPY
from compare.mistakes.derivative import DERIVATIVE
from compare.mistakes.linear_algebra import LINEAR_ALGEBRA
from compare.mistakes.mistake import Mistake, NetworkMistake
from compare.mistakes.momentum import MOMENTUM
from compare.mistakes.order import RECORDS
from compare.mistakes.precision import PRECISION
from compare.mistakes.reduction import REDUCTION
from compare.mistakes.regularisation import REGULARISATION
from compare.mistakes.reporting import REPORTING
from compare.mistakes.rows import ROWS
from compare.mistakes.softmax import SOFTMAX
from compare.mistakes.start import START
from compare.mistakes.step_mistake import StepMistake
from compare.mistakes.sums import SUMS
from compare.mistakes.update import UPDATE

NETWORK: tuple[NetworkMistake, ...] = (
    *REDUCTION,
    *SUMS,
    *SOFTMAX,
    *CROSS_ENTROPY,
    *DERIVATIVE,
    *ACTIVATION,
    *LINEAR_ALGEBRA,
    *ROWS,
    *IN_PLACE,
    *PRECISION,
    *REGULARISATION,
)
"""Those that show in loss and gradient of a single call."""

STEP: tuple[StepMistake, ...] = (*UPDATE, *MOMENTUM)
"""Those that show in consecutive records."""

CATALOGUE: tuple[Mistake, ...] = (
    *NETWORK,
    *CALLS,
    *STEP,
    *RECORDS,
    *START,
    *REPORTING,
)


def named(name: str) -> Mistake:
    """Return the mistake of this name. Raises `BadInput` where there is none."""
    for mistake in CATALOGUE:
        if mistake.name == name:
            return mistake
    raise BadInput(f"There is no mistake {name!r}: `python -m compare.mistakes` lists all names.")


def families() -> dict[str, list[Mistake]]:
    """Return the catalogue by family, in its own order."""
    found: dict[str, list[Mistake]] = {}
    for mistake in CATALOGUE:
        found.setdefault(mistake.family, []).append(mistake)
    return found


def in_words(mistake: Mistake) -> str:
    """Return the sentence of a mistake as its example fills it."""
    return mistake.sentence.format(**mistake.example_words)

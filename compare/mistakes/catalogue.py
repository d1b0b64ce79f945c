"""Every mistake the diagnosis knows, family by family."""

from __future__ import annotations

from itertools import chain

from compare.contracts.errors import BadInput
from compare.mistakes.activation import ACTIVATION
from compare.mistakes.adam import ADAM_STATE
from compare.mistakes.aliasing import IN_PLACE
from compare.mistakes.calls import CALLS
from compare.mistakes.cross_entropy import CROSS_ENTROPY
from compare.mistakes.declared import DECLARED
from compare.mistakes.derivative import DERIVATIVE
from compare.mistakes.dropout import DROPOUT
from compare.mistakes.factors import FACTORS
from compare.mistakes.inside import InsideMistake, inside_of
from compare.mistakes.linear_algebra import LINEAR_ALGEBRA
from compare.mistakes.mistake import Mistake, NetworkMistake
from compare.mistakes.momentum import MOMENTUM
from compare.mistakes.normalisation import NORMALISATION
from compare.mistakes.optimiser_habits import OPTIMISER_HABITS
from compare.mistakes.optimiser_mistake import OptimiserMistake
from compare.mistakes.optimisers import OPTIMISERS
from compare.mistakes.order import RECORDS
from compare.mistakes.precision import PRECISION
from compare.mistakes.ranks import RANKS
from compare.mistakes.reduction import REDUCTION
from compare.mistakes.regularisation import REGULARISATION
from compare.mistakes.reporting import REPORTING
from compare.mistakes.rows import ROWS
from compare.mistakes.softmax import SOFTMAX
from compare.mistakes.start import START
from compare.mistakes.step_mistake import StepMistake
from compare.mistakes.update import UPDATE
from compare.textbook import Point
from compare.textbook.plain import SLOPES

FAMILIES: dict[str, tuple[Mistake, ...]] = {
    "reduction": REDUCTION,
    "softmax": SOFTMAX,
    "cross-entropy": CROSS_ENTROPY,
    "activation": (*DERIVATIVE, *ACTIVATION),
    "linear algebra": LINEAR_ALGEBRA,
    "factors on the way": FACTORS,
    "rows and classes": ROWS,
    "aliasing": (*IN_PLACE, *CALLS),
    "dtype": PRECISION,
    "loss against gradient": REGULARISATION,
    "normalisation": NORMALISATION,
    "dropout": DROPOUT,
    "update": (*UPDATE, *MOMENTUM),
    "other optimisers": (*OPTIMISERS, *ADAM_STATE, *OPTIMISER_HABITS),
    "batches and order": RECORDS,
    "initial weights": START,
    "several ranks": RANKS,
    "reporting": REPORTING,
}
CATALOGUE: tuple[Mistake, ...] = tuple(chain.from_iterable(FAMILIES.values()))
IN_A_CALL = tuple(mistake for mistake in CATALOGUE if isinstance(mistake, NetworkMistake))
"""Those that show in loss and gradient of a single call."""
NETWORK = tuple(mistake for mistake in IN_A_CALL if not isinstance(mistake, InsideMistake))
"""Those of them that can be made in a network without normalisation and dropout."""
INSIDE = tuple(map(inside_of, IN_A_CALL))
"""All of them, as they are made in a network with normalisation or dropout."""
DECLARED_INSIDE = tuple(map(inside_of, DECLARED))
"""Those of what is declared, as they are made in such a network."""
OTHER_STEP = tuple(mistake for mistake in CATALOGUE if isinstance(mistake, OptimiserMistake))
"""The same of other optimisers than momentum."""
STEP = tuple(mistake for mistake in CATALOGUE if isinstance(mistake, StepMistake))
"""Those that show in consecutive records."""


def network_mistakes(point: Point) -> tuple[NetworkMistake, ...]:
    """Return those that can be made in such a network as the point's, with those of a loss,
    penalty or activation only where one is declared."""
    known = NETWORK if point.between.plain else INSIDE
    if point.minimised.plain and point.activation in SLOPES:
        return known
    return (*known, *(DECLARED if point.between.plain else DECLARED_INSIDE))


def named(name: str) -> Mistake:
    """Return the mistake of this name. Raises `BadInput` where there is none."""
    for mistake in CATALOGUE:
        if mistake.name == name:
            return mistake
    raise BadInput(f"There is no mistake {name!r}: `python -m compare.mistakes` lists all names.")


def in_words(mistake: Mistake) -> str:
    """Return the sentence of a mistake as its example fills it."""
    return mistake.sentence.format(**mistake.example_words)


def titled(mistake: Mistake) -> str:
    """Return the title of a mistake as its example fills it, as the beginning of a sentence."""
    title = mistake.title.format(**{"constant": mistake.example, **mistake.example_words})
    return title[0].upper() + title[1:]

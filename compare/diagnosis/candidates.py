"""Every mistake that can be made at a point, with candidates for its free constant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from compare.diagnosis.explanation import NOTHING, Part
from compare.diagnosis.match import Case, Overrides
from compare.mistakes.catalogue import network_mistakes
from compare.mistakes.fits import Among
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pass, Point
from compare.textbook.scope import LAYERED

MANY = 32
"""Rows above which each single one is tried alone only."""


def parts(case: Case, *, alone: bool) -> Iterator[Part]:
    """Yield every mistake that can be made at this point, with candidates for its constant.

    `alone`: only mistakes that can explain everything without a second one. Otherwise a mistake
    about one row of many is left out: with a second one beside it that is a needle in a haystack.
    """
    for mistake in network_mistakes(case.point):
        if not alone and not (mistake.paired and tellable(mistake, case)):
            continue
        if possible(mistake, case.point) and (mistake.proof is None or mistake.proof(case.seen)):
            for layer in mistake.choices(case.point):
                if not alone or rest_is_reproduced(case, Part(mistake, 1.0, layer), NOTHING):
                    yield from fitted(case, mistake, layer, NOTHING)


BELOW = frozenset({"x", "logits", *LAYERED})
"""Stages that every network has, whatever is minimised."""


def possible(mistake: NetworkMistake, point: Point) -> bool:
    """Return whether the mistake can be made at this point.

    What stands above the logits is softmax cross-entropy in the catalogue; where another loss is
    declared, only mistakes below it can be made. A penalty is added to whatever stands there.
    """
    if not mistake.applies(point):
        return False
    objective = replace(point.minimised, l2=0.0, l1=0.0, penalise="weights", penalty_over="1")
    return mistake.declared or objective.plain or set(mistake.stages) <= BELOW


def tellable(mistake: NetworkMistake, case: Case) -> bool:
    """Return whether the mistake is not about one row of many."""
    return len(case.point.x) <= MANY or not of_a_row(mistake)


def of_a_row(mistake: NetworkMistake) -> bool:
    """Return whether the mistake's constant is a row of the batch."""
    return isinstance(mistake.fit, Among) and mistake.fit.varies


def rest_is_reproduced(case: Case, part: Part, given: Overrides) -> bool:
    """Return whether `given` reproduces every tensor that `part` does not reach."""
    net = case.right.having(part.overrides)
    untouched = (n for n in case.observation.order if not net.relevant(*net.stage_of(n)))
    return all(case.ratio(name, given) <= 1.0 for name in untouched)


def fitted(
    case: Case, mistake: NetworkMistake, layer: int | None, given: Overrides
) -> Iterator[Part]:
    """Yield the mistake with every candidate for its constant, fitted beside `given`."""
    if mistake.fit is None:
        yield Part(mistake, None, layer)
        return

    def trial(constant: float) -> Pass:
        return case.right.having(given | mistake.overrides(constant, layer))

    with np.errstate(all="ignore"):
        for constant in mistake.fit(trial, case.seen):
            yield Part(mistake, constant, layer)

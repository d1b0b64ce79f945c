"""The numbers a mistake would give at a point: what stands beside manual - reference in a plot."""

from __future__ import annotations

import numpy as np

from compare.contracts.arrays import Float
from compare.contracts.result import Diagnosis
from compare.diagnosis.accept import adapted
from compare.diagnosis.explanation import Explanation, Part
from compare.diagnosis.match import Case
from compare.diagnosis.observation import Observation
from compare.mistakes.catalogue import IN_A_CALL, network_mistakes
from compare.mistakes.declared import DECLARED

BY_NAME = {mistake.name: mistake for mistake in (*IN_A_CALL, *DECLARED)}


def prediction(diagnosis: Diagnosis, observation: Observation, tensor: str) -> Float | None:
    """Return `tensor` (`dw1`, ...) as the mistake of a diagnosis computes it at this point.

    With its own constants, in its own layer, and in whichever row of this batch fits. Float64.
    None if the mistake is none of loss or gradient, or one of a network that was not declared, is
    not about this tensor, or does not reproduce what was seen of it here within its allowance.
    """
    made = {mistake.name for mistake in network_mistakes(observation.point)}
    here = all(slip.mistake in made for slip in diagnosis.slips)
    if not (diagnosis.slips and here and diagnosis.concerns(tensor)):
        return None
    with np.errstate(all="ignore"):
        case = Case(observation).only(tensor)
        fitting = adapted(explanation_of(diagnosis, case), case)
        return None if fitting is None else case.right.having(fitting.overrides).named(tensor).value


def explanation_of(diagnosis: Diagnosis, case: Case) -> Explanation:
    """Return the mistakes of a diagnosis as code, in such a network as that of the case."""
    made = {mistake.name: mistake for mistake in network_mistakes(case.point)}
    return Explanation(
        tuple(Part(made[slip.mistake], slip.constant, slip.layer) for slip in diagnosis.slips)
    )

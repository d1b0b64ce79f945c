"""All gradients of one point, compared, and which explanation of them is the better one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compare.checks.comparison import HONEST, Comparison, compare_entries, compare_projection
from compare.checks.kinks import KinkExplanation
from compare.contracts.arrays import Arrays, Float


def compare_gradients(
    manual: Arrays, expected: KinkExplanation
) -> tuple[dict[str, Comparison], dict[str, Comparison]]:
    """Compare every gradient entry by entry, and as a whole by its projection."""
    allowances = expected.allowances
    entries, projections = {}, {}
    for name, reference in expected.gradients.items():
        units = reference.shape[-1]
        entries[name] = compare_entries(
            f"d{name}", manual[name], reference, allowances.gradients[name], units
        )
        projection = compare_projection(
            f"d{name} projection", manual[name], reference, allowances.projections[name]
        )
        if projection is not None:
            projections[name] = projection
    return entries, projections


def worst(*compared: Mapping[str, Comparison]) -> float:
    """Return the largest ratio of all; anything that does not agree counts as infinite."""
    ratios = [
        one.ratio if one.agrees else np.inf for several in compared for one in several.values()
    ]
    return max(ratios)


def better(tried: float, before: float, explanation: KinkExplanation) -> bool:
    """Whether kinks explain what rounding does not, or what is too much for honest rounding.

    A unit that has changed sides may move a gradient by less than its allowance.
    """
    return tried <= 1.0 < before or (tried <= HONEST and not explanation.widened)


def finite(compared: Mapping[str, Comparison]) -> bool:
    """Whether all compared numbers are finite on both sides."""
    return all(one.manual_finite and one.reference_finite for one in compared.values())


def differences(manual: Arrays, reference: Arrays) -> dict[str, Float]:
    """Return `manual - reference` of every gradient in float64."""
    return {k: np.subtract(manual[k], reference[k], dtype=np.float64) for k in reference}

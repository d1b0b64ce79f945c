"""A point of a curve: the loss and accuracy that a side reports of a whole set."""

from __future__ import annotations

from dataclasses import dataclass

from compare.allowance import ForwardAllowances
from compare.checks.comparison import Comparison, compare_entries


@dataclass(frozen=True, slots=True)
class Reported:
    """A point of a curve, compared."""

    loss: Comparison
    accuracy: Comparison


def compare_reported(
    loss: float,
    accuracy: float,
    expected: float,
    expected_accuracy: float,
    allowances: ForwardAllowances,
    samples: int,
) -> Reported:
    """Compare a point of a curve: the accuracy may move by the samples that rounding may flip."""
    slack = (allowances.ambiguous + 0.5) / samples
    return Reported(
        compare_entries("loss", loss, expected, allowances.loss),
        compare_entries("accuracy", accuracy, expected_accuracy, slack),
    )

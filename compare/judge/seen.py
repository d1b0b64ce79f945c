"""What a record of a run shows: its curves, its velocities, numbers that can be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.examined import Examined
from compare.checks.reported import Reported, compare_reported
from compare.contracts.measured import Curves
from compare.contracts.records import Evaluation, Record


def shows_velocities(record: Record) -> bool:
    """Whether a record has the velocities of momentum; a step may keep its state in its own way."""
    return all(f"v_{name}" in record.state for name in record.parameters)


def reported_at(examined: Examined, targets: NDArray[Any], curves: Curves) -> Reported:
    """The training point of a full batch: its loss and logits are examined already."""
    logits = examined.expected.point.values["logits"]
    hits = logits.argmax(axis=1) == targets.argmax(axis=1)
    return compare_reported(
        curves.train_loss,
        curves.train_accuracy,
        examined.reference_loss,
        float(hits.mean()),
        examined.allowances.forward,
        len(targets),
    )


def is_finite(record: Record) -> bool:
    """Whether every number of a record can be compared at all."""
    arrays = (*record.parameters.values(), *record.gradients.values(), *record.state.values())
    reported = record.evaluation
    losses = () if reported is None else (reported.train_loss, reported.validation_loss)
    return all(np.isfinite(numbers).all() for numbers in (record.loss, *losses, *arrays))


def curves_of(evaluation: Evaluation) -> Curves:
    """Return the four numbers of an epoch boundary."""
    return Curves(
        train_loss=float(evaluation.train_loss),
        train_accuracy=float(evaluation.train_accuracy),
        validation_loss=float(evaluation.validation_loss),
        validation_accuracy=float(evaluation.validation_accuracy),
    )

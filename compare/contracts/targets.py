"""What targets must be before anything is held against them: class numbers, or rows that sum to 1.

For the cross-entropy `p - y` and `p sum_j y_j - y` are one gradient only where a row sums to 1. A
row without a label, or with a weight, makes them two, and no allowance may cover that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput

DUST = 4.0
"""Last digits of 1, beside one for the root of the classes, by which a rounded row may miss it."""


def require_classes(where: str, numbers: NDArray[Any], classes: int) -> None:
    """Raise `BadInput` for class numbers (N,) that are not among 0 to K - 1."""
    wrong = numbers[(numbers < 0) | (numbers >= classes)]
    if wrong.size:
        raise BadInput(
            f"{where}a class in targets is not among 0 to {classes - 1}: found {wrong[0]}; classes "
            "count from 0, and a sample without a class has to be left out"
        )


def require_probabilities(where: str, targets: NDArray[Any]) -> None:
    """Raise `BadInput` for rows (N, K) that miss a sum of 1 by more than their own rounding."""
    sums = targets.sum(axis=-1, dtype=np.float64)
    away = np.abs(sums - 1)
    row = int(away.argmax())  # NaN is the largest
    if away[row] <= dust(targets):
        return
    raise BadInput(
        f"{where}row {row} of targets sums to {sums[row]:.9g}; every row must sum to 1 (one-hot, "
        "or probabilities divided by their sum). Leave out samples without a label; weights and "
        "ignored rows are not part of this loss"
    )


def dust(targets: NDArray[Any]) -> float:
    """Return by how much rows may miss 1: a few digits of the format they were computed in.

    Numbers that float32 holds exactly may come from there, whatever they are stored in.
    """
    narrow = targets.astype(np.float32)
    kind = np.float32 if np.array_equal(narrow, targets) else targets.dtype
    return float((DUST + np.sqrt(targets.shape[-1])) * np.finfo(kind).eps)

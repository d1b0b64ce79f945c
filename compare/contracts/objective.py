"""What is minimised, as it was declared: output, loss, reduction and penalty, in one value.

loss = factor / D * sum of the terms of Loss(output(logits), targets) + penalty
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput

REDUCTIONS = ("mean", "batch_mean", "sum")
LOSS_NAMES = ("cross_entropy", "bce", "mse", "l1", "huber", "hinge")
OUTPUT_NAMES = ("identity", "sigmoid", "tanh", "relu", "softmax")
PENALISED = ("weights", "linear", "all")
PENALTY_OVER = ("1", "rows")
INSIDE = {("softmax", "cross_entropy"): "softmax", ("sigmoid", "bce"): "sigmoid"}
"""Losses on logits have this inside; as an output it would be applied twice."""
OVER_ROWS = frozenset({"cross_entropy"})
"""Losses whose mean is over the rows, as torch has it; that of the others is over all entries."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The names and numbers of the design; the defaults are softmax cross-entropy."""

    loss: str = "cross_entropy"
    output: str = "identity"
    reduction: str = "mean"
    loss_factor: float = 1.0
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    ignore_index: int | None = None
    l2: float = 0.0
    l1: float = 0.0
    penalise: str = "weights"
    penalty_over: str = "1"

    def __post_init__(self) -> None:
        if inside := INSIDE.get((self.output, self.loss)):
            raise BadInput(
                f"The loss {self.loss} takes logits and has the {inside} inside; with output "
                f"{self.output!r} it would be applied twice: leave the output at identity."
            )
        if self.loss != "cross_entropy" and (self.label_smoothing or self.weighs):
            raise BadInput(
                "label_smoothing, class_weights and ignore_index belong to the loss cross_entropy, "
                f"not to {self.loss}."
            )

    @property
    def plain(self) -> bool:
        """Whether nothing but the reduction differs from plain softmax cross-entropy."""
        return self == Objective(reduction=self.reduction) and self.reduction in ("mean", "sum")

    @property
    def weighs(self) -> bool:
        """Whether rows or classes count for more or less than 1."""
        return self.class_weights is not None or self.ignore_index is not None

    @property
    def one_hot(self) -> bool:
        """Whether targets are class numbers, written as one-hot rows."""
        return self.weighs or self.loss == "hinge"

    @property
    def penalises(self) -> bool:
        """Whether the loss has a penalty."""
        return bool(self.l1 or self.l2)

    def weights(self, targets: NDArray[Any]) -> NDArray[np.float64]:
        """What every entry of the targets counts for, (N, K)."""
        w = np.ones(targets.shape)
        if self.class_weights is not None:
            w *= np.asarray(self.class_weights)
        if self.ignore_index is not None:
            w[targets.argmax(axis=1) == self.ignore_index] = 0.0
        return w

    def share(self, targets: NDArray[Any]) -> float:
        """What the sum of all terms is multiplied by: factor / D; nan if no row counts."""
        rows, classes = targets.shape
        if self.reduction == "sum":
            return self.loss_factor
        if self.reduction == "mean" and self.weighs:
            total = float(np.vdot(targets, self.weights(targets)))
            return self.loss_factor / total if total else np.nan
        every = self.reduction == "mean" and self.loss not in OVER_ROWS
        count: int = rows * classes if every else rows
        return self.loss_factor / count

    def penalised(self, parameters: Mapping[str, NDArray[Any]]) -> list[str]:
        """The names of the parameters in the penalty."""
        return [name for name in parameters if is_penalised(name, self.penalise)]

    def penalty_share(self, rows: int) -> float:
        """What the penalty is multiplied by."""
        return 1 / rows if self.penalty_over == "rows" else 1.0


def is_penalised(name: str, penalise: str) -> bool:
    """Return whether a parameter is in the penalty: all are, or without scales and shifts, or the
    weights alone."""
    linear = not name.startswith(("gamma", "beta"))
    return penalise == "all" or name[0] == "w" or (penalise == "linear" and linear)

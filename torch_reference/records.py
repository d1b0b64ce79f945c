"""What the trainer yields: plain NumPy, so that whoever reads a record needs no torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torch_reference.layout import Arrays


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Loss and accuracy on the training and the validation set, all at the same weights.

    Parameters:
        train_loss: the mean (or sum) over the training set.
        train_accuracy: the share of its rows that are right, between 0 and 1.
        validation_loss: the same for the validation set.
        validation_accuracy: the same for the validation set.

    Example:
        >>> Evaluation(0.5, 0.75, 0.625, 0.5).validation_accuracy
        0.5
    """

    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True)
class Record:
    """One update, seen before it is applied: `loss` and `gradients` of `batch` at `parameters`.

    No later update changes the arrays; weights and gradients are closed for writing.

    Parameters:
        update: how many updates were made before.
        epoch: the epoch it belongs to, from 0.
        batch: row indices of the training set.
        loss: of that batch at `parameters`.
        gradients: of that loss, w1, b1, ...
        parameters: before the update.
        state: the optimiser's before the update, in the momentum form the run was asked for.
        evaluation: at epoch boundaries, else None.
        learning_rate: of this update.

    Example:
        >>> Record(0, 0, np.arange(2), 1.5, {}, {}, {}, None).loss
        1.5
    """

    update: int
    epoch: int
    batch: NDArray[np.int64]
    loss: float
    gradients: Arrays
    parameters: Arrays
    state: Arrays
    evaluation: Evaluation | None
    learning_rate: float | None = None

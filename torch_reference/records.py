"""What the trainer yields: plain NumPy, so that whoever reads a record needs no torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torch_reference.layout import Arrays


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Loss and accuracy on the training and the validation set, all at the same weights."""

    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True)
class Record:
    """One update, seen before it is applied: `loss` and `gradients` of `batch` at `parameters`.

    `state` is the optimiser's state before the update, in the momentum form the run was asked for.
    `evaluation` is there at epoch boundaries only. The arrays belong to the record: no later update
    changes them.
    """

    update: int
    epoch: int
    batch: NDArray[np.int64]
    loss: float
    gradients: Arrays
    parameters: Arrays
    state: Arrays
    evaluation: Evaluation | None

"""The learning loop of the report, as a generator of records.

Every update is shown *before* it is applied, and the end of training once more without an
update, so T updates give T + 1 records and every loss on a curve belongs to the weights beside it.
Validation data is only ever evaluated. (The report trained a second network on it.)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_mlp.arrays import Array, Arrays, copies
from manual_mlp.loss import accuracy

Data = tuple[Array, Array]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One point of the curves: all four numbers at the same weights."""

    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True)
class Record:
    """One update before it is applied: where training stood and what it saw there.

    `batch` are row indices of the training set, `loss` and `gradients` belong to that batch at
    `parameters`, `state` is the optimiser's before the step. `evaluation` is there at the first
    update of every epoch and at the end. The arrays are the record's own.
    """

    update: int
    epoch: int
    batch: Array
    loss: float
    gradients: Arrays
    parameters: Arrays
    state: Arrays
    evaluation: Evaluation | None


def train(
    parameters: Mapping[str, Array],
    state: Mapping[str, Array],
    training: Data,
    validation: Data,
    order: Sequence[Sequence[Array]],
    *,
    loss_and_gradients: Callable[..., tuple[Any, ...]],
    evaluate: Callable[..., tuple[float, float]],
    step: Callable[..., tuple[Arrays, Arrays]],
    learning_rate: float,
    momentum: float,
) -> Iterator[Record]:
    """Train along `order` and yield one record per update, then a last one without an update.

    `order` holds for every epoch its batches, each an array of row indices of the training set;
    it is drawn outside, so that another implementation can walk the same path. The last record
    has epoch = len(order) and the whole training set as its batch.

    The three functions have their options already bound:

        loss_and_gradients(parameters, x, targets) -> (loss, gradients[, intermediates])
        evaluate(parameters, x, targets) -> (loss, accuracy)
        step(parameters, gradients, state, learning_rate=, momentum=) -> (parameters, state)

    With one batch per epoch in natural order this is full-batch gradient descent: no row is
    copied, the loss of the batch is the training loss, and if the intermediates show `logits`,
    the training accuracy comes from them instead of a second forward pass.
    """
    now, v = copies(parameters), copies(state)
    everything = np.arange(len(training[0]))
    for update, (epoch, begins, batch) in enumerate(schedule(order, everything)):
        before = copies(now), copies(v)
        whole = np.array_equal(batch, everything)
        x, targets = training if whole else (training[0][batch], training[1][batch])
        loss, gradients, *shown = loss_and_gradients(now, x, targets)
        evaluation = None
        if begins:
            at_training = whole_batch(loss, targets, shown) if whole else None
            at_training = at_training or evaluate(now, *training)
            evaluation = Evaluation(*at_training, *evaluate(now, *validation))
        yield Record(update, epoch, batch.copy(), loss, copies(gradients), *before, evaluation)
        if epoch < len(order):
            now, v = step(now, gradients, v, learning_rate=learning_rate, momentum=momentum)


def schedule(
    order: Sequence[Sequence[Array]], everything: Array
) -> Iterator[tuple[int, bool, Array]]:
    """(epoch, first of its epoch?, batch) for every update, then the end of training."""
    for epoch, batches in enumerate(order):
        for i, batch in enumerate(batches):
            yield epoch, i == 0, batch
    yield len(order), True, everything


def whole_batch(
    loss: float, targets: Array, shown: Sequence[Mapping[str, Array]]
) -> tuple[float, float] | None:
    """Training loss and accuracy, if a pass over the whole training set showed its logits."""
    if shown and "logits" in shown[0]:
        return loss, accuracy(shown[0]["logits"], targets)
    return None

"""The learning loop of the report, as a generator of records.

Every update is shown *before* it is applied, and the end of training once more without an
update, so T updates give T + 1 records and every loss on a curve belongs to the weights beside it.
Validation data is only ever evaluated. (The report trained a second network on it.)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manual_mlp.arrays import Array, Arrays, closed, copies, equal
from manual_mlp.loss import accuracy
from manual_mlp.schedules import stops

Data = tuple[Array, Array]
RUNNING = "running_"
"""What the names of running statistics in a state begin with; no optimiser updates those."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One point of the curves: all four numbers at the same weights.

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
    """One update before it is applied: where training stood and what it saw there.

    The arrays are closed for writing, and no later update changes them.

    Parameters:
        update: how many updates were made before.
        epoch: the epoch it belongs to, from 0.
        batch: row indices of the training set.
        loss: of that batch at `parameters`.
        gradients: of that loss, w1, b1, ...
        parameters: before the update.
        state: the optimiser's, before the update.
        evaluation: at the first update of every epoch and at the end, else None.
        learning_rate: of this update.

    Example:
        >>> Record(0, 0, np.arange(2), 1.5, {}, {}, {}, None).loss
        1.5
    """

    update: int
    epoch: int
    batch: Array
    loss: float
    gradients: Arrays
    parameters: Arrays
    state: Arrays
    evaluation: Evaluation | None
    learning_rate: float | None = None


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
    schedule: Callable[[int], float] | None = None,
    patience: int | None = None,
    context_of: Callable[[int, int], Mapping[str, Any]] | None = None,
) -> Iterator[Record]:
    """Train along `order` and yield one record per update, then a last one without an update.

    `order` is drawn outside, so that another implementation can walk the same path. The last
    record has epoch = len(order) and the whole training set as its batch. The three functions
    have their options already bound. Where `patience` ends training early, the record of that
    epoch's beginning is the last one. Between two records only what they show is kept; the
    functions are handed copies of it.

    With one batch per epoch in natural order this is full-batch gradient descent: no row is
    copied, the loss of the batch is the training loss, and if the intermediates show `logits`,
    the training accuracy comes from them instead of a second forward pass.

    Parameters:
        parameters: where training starts; left as they are.
        state: the optimiser's state there, empty for zeros; left as it is.
        training: x (N, F) and targets (N, K).
        validation: the same, never trained on.
        order: for every epoch its batches, each an array of row indices.
        loss_and_gradients: `(parameters, x, targets) -> (loss, gradients[, intermediates])`.
        evaluate: `(parameters, x, targets) -> (loss, accuracy)`.
        step: `(parameters, gradients, state, learning_rate=, momentum=) -> (parameters, state)`.
        learning_rate: handed to every step.
        momentum: handed to every step.
        schedule: the learning rate of update t as a share of `learning_rate`.
        patience: epochs without a new smallest validation loss that are waited; None for ever.
        context_of: (update, rows) -> the context of that update, its masks. With it
            `loss_and_gradients` and `evaluate` take `context`: `training`, and the running
            statistics `running_mean1`, ... of the state, whose next values the first one shows.

    Returns:
        The records, one by one: an update is made when the next one is asked for.

    Example:
        >>> import manual_mlp
        >>> draw = np.random.default_rng(0)
        >>> parameters = manual_mlp.initial_parameters((4, 3, 2), draw)
        >>> x, targets = draw.normal(size=(5, 4)), np.eye(2)[[0, 1, 1, 0, 1]]
        >>> records = train(
        ...     parameters, {}, (x, targets), (x, targets), [[np.arange(5)]] * 20,
        ...     loss_and_gradients=manual_mlp.loss_and_gradients, evaluate=manual_mlp.evaluate,
        ...     step=manual_mlp.velocity_step, learning_rate=0.1, momentum=0.9,
        ... )
        >>> losses = [record.loss for record in records]
        >>> len(losses), losses[-1] < losses[0]
        (21, True)
    """
    now, v = copies(parameters), copies(state)
    everything = np.arange(len(training[0]))
    losses: list[float] = []
    for update, (epoch, begins, batch) in enumerate(batches_of(order, everything)):
        taken = copies(now)
        whole = np.array_equal(batch, everything)
        x, targets = training if whole else (training[0][batch], training[1][batch])
        how, at = in_context(context_of, update, len(x), v)
        loss, gradients, *shown = loss_and_gradients(taken, x, targets, **how)
        evaluation, over = None, epoch == len(order)
        if begins:
            at_training = whole_batch(loss, targets, shown) if whole and not how else None
            at_training = at_training or evaluate(taken, *training, **at)
            evaluation = Evaluation(*at_training, *evaluate(taken, *validation, **at))
            losses.append(evaluation.validation_loss)
            if patience is not None and stops(losses, patience) and not over:
                over, batch = True, everything
                how, _ = in_context(context_of, update, len(everything), v)
                loss, gradients, *_ = loss_and_gradients(taken, *training, **how)
        statistics = {name: shown[0][name] for name in v if name.startswith(RUNNING)}
        del shown  # numbers of every row, which nobody needs while the record is looked at
        rate = learning_rate * schedule(update) if schedule else learning_rate
        gradients = copies(gradients)
        written = None if equal(taken, now) else taken  # what a function did to them stays done
        del taken
        at_update = closed(gradients), closed(now), closed(v)
        yield Record(update, epoch, batch.copy(), loss, *at_update, evaluation, rate)
        if over:
            return
        v = {name: array for name, array in v.items() if not name.startswith(RUNNING)}
        rates = {"learning_rate": rate, "momentum": momentum}
        now, v = stepped(step, now if written is None else written, gradients, v, rates)
        v |= statistics


def stepped(
    step: Callable[..., tuple[Arrays, Arrays]],
    parameters: Arrays,
    gradients: Arrays,
    state: Arrays,
    rates: Mapping[str, float],
) -> tuple[Arrays, Arrays]:
    """What a step makes of copies, in copies: it may work in place, and in arrays that it keeps."""
    after, kept = step(copies(parameters), copies(gradients), copies(state), **rates)
    return copies(after), copies(kept)


def in_context(
    context_of: Callable[[int, int], Mapping[str, Any]] | None,
    update: int,
    rows: int,
    state: Arrays,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keyword `context` of an update, and that of an evaluation beside it."""
    if context_of is None:
        return {}, {}
    running = {name: array.copy() for name, array in state.items() if name.startswith(RUNNING)}
    training = {"training": np.array(True), **running, **context_of(update, rows)}
    evaluation = {"training": np.array(False), **running}
    return {"context": training}, {"context": evaluation}


def batches_of(
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

"""Family: right training, wrong curves. A mistake here says which other curve was drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np

from compare.contracts.arrays import Float
from compare.mistakes.mistake import Mistake

CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
STAND_INS = (
    "trained_on_validation_loss", "trained_on_validation_accuracy",
    "batch_means_train_loss", "batch_means_train_accuracy",
    "batch_means_validation_loss", "batch_means_validation_accuracy",
    "running_train_loss", "running_train_accuracy",
    "running_means_train_loss", "running_means_train_accuracy",
    "last_batch_train_loss", "last_batch_train_accuracy",
    "summed_train_loss", "summed_validation_loss",
)  # fmt: skip
"""Other curves of the same training, which may stand in the place of the right ones."""
SETS = ("train", "validation", "test")
LINE = "curves.append((*evaluate(w, train), *evaluate(w, validation)))  # before the update"

Curves = Mapping[str, Float]
"""Curve name to one value per epoch boundary; `test_...` and `STAND_INS` beside `CURVES`."""


@dataclass(frozen=True, eq=False)
class CurveMistake(Mistake):
    """A mistake in the curves: `curves` maps the right ones to those that would be drawn.

    NaN marks a point about which nothing can be said (the last one of a shifted curve).
    """

    _: KW_ONLY
    curves: Callable[[Curves], dict[str, Float]]

    @property
    def observable(self) -> tuple[str, ...]:
        """Return that the curves show it."""
        return ("curves",)


def later(curve: Float) -> Float:
    """Return the curve one epoch ahead: each value is that of the weights after the update."""
    return np.append(curve[1:], np.nan)


def earlier(curve: Float) -> Float:
    """Return the curve one epoch behind."""
    return np.append(np.nan, curve[:-1])


def moved(
    names: Sequence[str], move: Callable[[Float], Float]
) -> Callable[[Curves], dict[str, Float]]:
    """Return the change that moves the curves whose names begin so."""
    return lambda curves: {
        name: move(curve) if name.startswith(tuple(names)) else curve
        for name, curve in curves.items()
    }


def moved_of(
    kind: str, move: Callable[[Float], Float], sets: Sequence[str] = SETS
) -> Callable[[Curves], dict[str, Float]]:
    """Return the change that moves the losses, or the accuracies, of some sets of rows."""
    return moved([f"{which}_{kind}" for which in sets], move)


def taken(pairs: Mapping[str, str]) -> Callable[[Curves], dict[str, Float]]:
    """Return the change that draws other curves in place of some, where there are such."""
    return lambda curves: {
        name: curves.get(swapped(name, pairs), curve) for name, curve in curves.items()
    }


def swapped(name: str, pairs: Mapping[str, str]) -> str:
    """Return the name of the curve drawn in place of `name`."""
    for wanted, drawn in pairs.items():
        if name.startswith(wanted):
            return name.replace(wanted, drawn, 1)
    return name


def scaled_accuracy(curves: Curves) -> dict[str, Float]:
    """Return accuracies in per cent."""
    return {n: 100 * c if n.endswith("accuracy") else c for n, c in curves.items()}


def error_rate(curves: Curves) -> dict[str, Float]:
    """Return the share of wrong rows in place of every accuracy."""
    return {n: 1 - c if n.endswith("accuracy") else c for n, c in curves.items()}


REPORTING = (
    CurveMistake(
        "validation-after-update",
        "a validation curve measured after the update",
        "The training curve is measured before the update and the validation curve after it: "
        "at every epoch they belong to different weights.",
        "a = evaluate(w, train); w = step(w); curves.append((*a, *evaluate(w, validation)))",
        line=LINE,
        curves=moved(["validation", "test"], later),
        trigger="two epochs or more",
        seen=6,
    ),
    CurveMistake(
        "training-after-update",
        "a training curve measured after the update",
        "The training curve is measured after the update and the validation curve before it: "
        "at every epoch they belong to different weights.",
        "a = evaluate(w, validation); w = step(w); curves.append((*evaluate(w, train), *a))",
        line=LINE,
        curves=moved(["train"], later),
        trigger="two epochs or more",
    ),
    CurveMistake(
        "curves-after-update",
        "curves that are one epoch ahead",
        "All curves are measured after the update: they are one epoch ahead.",
        "w = step(w); curves.append((*evaluate(w, train), *evaluate(w, validation)))",
        line=LINE,
        curves=moved(SETS, later),
        trigger="two epochs or more",
    ),
    CurveMistake(
        "curves-late",
        "curves that are one epoch behind",
        "All curves are one epoch behind.",
        "curves.append(before); before = (*evaluate(w, train), *evaluate(w, validation))",
        line=LINE,
        curves=moved(SETS, earlier),
        trigger="two epochs or more",
    ),
    CurveMistake(
        "training-before-update",
        "a training curve measured before the update",
        "The training curve is one epoch behind the validation curve: it is the loss that the "
        "epoch began with, and the validation curve is measured after the update.",
        "a = evaluate(w, train); w = step(w); curves.append((*a, *evaluate(w, validation)))",
        line="w = step(w); curves.append((*evaluate(w, train), *evaluate(w, validation)))",
        curves=moved(["train"], earlier),
        trigger="two epochs or more",
    ),
    CurveMistake(
        "update-after-loop",
        "an update that stands after the loop",
        "The update stands after the loop over the epochs, not in it: every epoch measures "
        "the initial weights, and one single update is made at the end.",
        "for epoch in epochs: measure(w)\nw = step(w)",
        line="for epoch in epochs: measure(w); w = step(w)",
        curves=moved(SETS, lambda curve: np.full_like(curve, curve[0])),
        trigger="two epochs or more",
    ),
    CurveMistake(
        "validation-is-training",
        "a validation curve from the training data",
        "The validation curve is computed from the training data.",
        "curves.append((*evaluate(w, train), *evaluate(w, train)))",
        line=LINE,
        curves=taken({"validation": "train"}),
    ),
    CurveMistake(
        "curves-swapped",
        "training and validation curve swapped",
        "Training and validation curve are swapped.",
        "curves.append((*evaluate(w, validation), *evaluate(w, train)))",
        line=LINE,
        curves=taken({"validation": "train", "train": "validation"}),
    ),
    CurveMistake(
        "test-is-validation",
        "a test curve from the validation data",
        "The test curve is computed from the validation data.",
        "test_curve.append(evaluate(w, validation))",
        line=LINE,
        curves=taken({"test": "validation"}),
        trigger="a test curve",
        seen=1,
    ),
    CurveMistake(
        "validation-weights-trained",
        "a validation curve of other weights",
        "A second set of weights is trained on the validation data and the validation curve "
        "is its training curve: it says nothing about the network that was trained.",
        "w_valid = step(w_valid, gradients(w_valid, validation))",
        line=LINE,
        curves=taken({"validation": "trained_on_validation"}),
        trigger="the curves of a network trained on the validation data, for comparison",
    ),
    CurveMistake(
        "mean-of-batch-means",
        "a mean of batch means with a short last batch",
        "Training and validation are measured batch by batch, and the means of the batches are "
        "averaged: the rows of the short last batch count for more than the others.",
        "np.mean([evaluate(w, batch) for batch in batches])",
        line="evaluate(w, rows)",
        curves=taken({"train": "batch_means_train", "validation": "batch_means_validation"}),
        trigger="a last batch with fewer rows",
    ),
    CurveMistake(
        "validation-mean-of-batch-means",
        "a validation curve of batch means with a short last batch",
        "The validation data are measured batch by batch, and the means of the batches are "
        "averaged: the rows of the short last batch count for more than the others.",
        "np.mean([evaluate(w, batch) for batch in validation_batches])",
        line="evaluate(w, validation)",
        curves=taken({"validation": "batch_means_validation"}),
        trigger="a last batch with fewer rows",
    ),
    CurveMistake(
        "running-training-curve",
        "a training curve averaged while the weights moved",
        "The training curve is the mean over the batches of an epoch, each measured before its "
        "update: it belongs to weights all along the epoch, the validation curve to those at its "
        "end.",
        "for batch in batches: total += len(batch) * loss(w, batch); w = step(w)",
        line="for batch in batches: w = step(w)\ncurves.append(evaluate(w, train))",
        curves=taken({"train": "running_train"}),
        trigger="mini-batches",
    ),
    CurveMistake(
        "running-mean-of-batch-means",
        "a training curve of batch means, averaged while the weights moved",
        "The training curve is the plain mean of the losses of an epoch's batches, each measured "
        "before its update: it belongs to weights all along the epoch, and the rows of the short "
        "last batch count for more than the others.",
        "for batch in batches: losses.append(loss(w, batch)); w = step(w)",
        line="for batch in batches: w = step(w)\ncurves.append(evaluate(w, train))",
        curves=taken({"train": "running_means_train"}),
        trigger="mini-batches, and a last batch with fewer rows",
    ),
    CurveMistake(
        "last-batch-for-epoch",
        "a training curve of last batches",
        "The training curve shows the last batch of every epoch, before its update, not the "
        "training data.",
        "for batch in batches: last = loss(w, batch); w = step(w)\ncurves.append(last)",
        line="for batch in batches: w = step(w)\ncurves.append(evaluate(w, train))",
        curves=taken({"train": "last_batch_train"}),
        trigger="mini-batches",
    ),
    CurveMistake(
        "losses-summed-over-rows",
        "losses that are sums over the rows",
        "The losses are sums over the rows where the mean is declared: a convention.",
        "loss = -(y * np.log(p)).sum()",
        line="loss = -(y * np.log(p)).sum() / len(y)",
        curves=taken({"train": "summed_train", "validation": "summed_validation"}),
        convention=True,
    ),
    CurveMistake(
        "error-rate-for-accuracy",
        "error rates in place of accuracies",
        "Accuracies are shares of wrong rows, not of right ones: a convention.",
        "accuracy = (predicted != target).mean()",
        line="accuracy = (predicted == target).mean()",
        curves=error_rate,
        convention=True,
    ),
    CurveMistake(
        "accuracy-in-per-cent",
        "accuracies in per cent",
        "Accuracies are in per cent, not between 0 and 1: a convention.",
        "accuracy = 100 * (predicted == target).mean()",
        line=LINE,
        curves=scaled_accuracy,
        convention=True,
    ),
    CurveMistake(
        "training-loss-before-update",
        "a training loss measured before the update",
        "The training loss is that of the forward pass before the update, everything else is "
        "measured after it: it is one epoch behind the other curves.",
        "a = loss(w, train); w = step(w); curves.append((a, accuracy(w, train), ...))",
        line="w = step(w); curves.append((loss(w, train), accuracy(w, train), ...))",
        curves=moved_of("loss", earlier, ["train"]),
        trigger="two epochs or more",
    ),
    CurveMistake(
        "losses-before-update",
        "losses measured before the update",
        "The losses are measured before the update and the accuracies after it: they are one epoch "
        "behind the accuracies.",
        "a = losses(w); w = step(w); curves.append((*a, *accuracies(w)))",
        line="w = step(w); curves.append((*losses(w), *accuracies(w)))",
        curves=moved_of("loss", earlier),
        trigger="two epochs or more",
    ),
    CurveMistake(
        "accuracies-after-update",
        "accuracies measured after the update",
        "The losses are measured before the update and the accuracies after it: they are one epoch "
        "ahead of the losses.",
        "a = losses(w); w = step(w); curves.append((*a, *accuracies(w)))",
        line="curves.append((*losses(w), *accuracies(w))); w = step(w)",
        curves=moved_of("accuracy", later),
        trigger="two epochs or more",
    ),
    CurveMistake(
        "training-accuracy-after-update",
        "a training accuracy measured after the update",
        "The training accuracy is measured after the update, the training loss before it: it is "
        "one epoch ahead of the loss.",
        "a = loss(w, train); w = step(w); curves.append((a, accuracy(w, train)))",
        line="curves.append((loss(w, train), accuracy(w, train))); w = step(w)",
        curves=moved_of("accuracy", later, ["train"]),
        trigger="two epochs or more",
    ),
)

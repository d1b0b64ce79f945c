"""Family: right training, wrong curves. A mistake here says which other curve was drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np

from compare.contracts.arrays import Float
from compare.mistakes.mistake import Mistake

CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
LINE = "curves.append((*evaluate(w, train), *evaluate(w, validation)))  # before the update"

Curves = Mapping[str, Float]
"""Curve name to one value per epoch boundary; `test_...` and `trained_...` beside `CURVES`."""


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


REPORTING = (
    CurveMistake(
        "validation-after-update",
        "a validation curve measured after the update",
        "The training curve is measured before the update and the validation curve after it: "
        "at every epoch they belong to different weights.",
        "a = evaluate(w, train); w = step(w); curves.append((*a, *evaluate(w, validation)))",
        line=LINE,
        curves=moved(["validation"], later),
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
        curves=moved(["train", "validation"], later),
        trigger="two epochs or more",
    ),
    CurveMistake(
        "curves-late",
        "curves that are one epoch behind",
        "All curves are one epoch behind.",
        "curves.append(before); before = (*evaluate(w, train), *evaluate(w, validation))",
        line=LINE,
        curves=moved(["train", "validation"], earlier),
        trigger="two epochs or more",
    ),
    CurveMistake(
        "update-after-loop",
        "an update that stands after the loop",
        "The update stands after the loop over the epochs, not in it: every epoch measures "
        "the initial weights, and one single update is made at the end.",
        "for epoch in epochs: measure(w)\nw = step(w)",
        line="for epoch in epochs: measure(w); w = step(w)",
        curves=moved(["train", "validation"], lambda curve: np.full_like(curve, curve[0])),
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
        "accuracy-in-per-cent",
        "accuracies in per cent",
        "Accuracies are in per cent, not between 0 and 1: a convention.",
        "accuracy = 100 * (predicted == target).mean()",
        line=LINE,
        curves=scaled_accuracy,
        convention=True,
    ),
)

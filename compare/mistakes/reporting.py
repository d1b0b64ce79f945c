"""Family: right training, wrong curves. A mistake here says which other curve was drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compare.mistakes.mistake import Mistake

FAMILY = "reporting"
RIGHT = "all curves of an epoch at the same weights, validation never trains"
CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
LINE = "curves.append((*evaluate(w, train), *evaluate(w, validation)))  # before the update"

Float = NDArray[np.float64]
Curves = Mapping[str, Float]
"""Curve name to one value per epoch boundary; `test_...` and `trained_...` beside `CURVES`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CurveMistake(Mistake):
    """A mistake in the curves: `curves` maps the right ones to those that would be drawn.

    NaN marks a point about which nothing can be said (the last one of a shifted curve).
    """

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
        name="validation-after-update",
        family=FAMILY,
        sentence="The training curve is measured before the update and the validation curve after "
        "it: at every epoch they belong to different weights.",
        right=RIGHT,
        wrong="validation(epoch) at the weights of epoch + 1",
        line=LINE,
        slip="a = evaluate(w, train); w = step(w); curves.append((*a, *evaluate(w, validation)))",
        curves=moved(["validation"], later),
        trigger="two epochs or more",
        seen=6,
    ),
    CurveMistake(
        name="training-after-update",
        family=FAMILY,
        sentence="The training curve is measured after the update and the validation curve before "
        "it: at every epoch they belong to different weights.",
        right=RIGHT,
        wrong="training(epoch) at the weights of epoch + 1",
        line=LINE,
        slip="a = evaluate(w, validation); w = step(w); curves.append((*evaluate(w, train), *a))",
        curves=moved(["train"], later),
        trigger="two epochs or more",
    ),
    CurveMistake(
        name="curves-after-update",
        family=FAMILY,
        sentence="All curves are measured after the update: they are one epoch ahead.",
        right="the first point belongs to the initial weights",
        wrong="the first point belongs to the weights after one epoch",
        line=LINE,
        slip="w = step(w); curves.append((*evaluate(w, train), *evaluate(w, validation)))",
        curves=moved(["train", "validation"], later),
        trigger="two epochs or more",
    ),
    CurveMistake(
        name="curves-late",
        family=FAMILY,
        sentence="All curves are one epoch behind.",
        right="point e belongs to the weights of epoch e",
        wrong="point e belongs to the weights of epoch e - 1",
        line=LINE,
        slip="curves.append(before); before = (*evaluate(w, train), *evaluate(w, validation))",
        curves=moved(["train", "validation"], earlier),
        trigger="two epochs or more",
    ),
    CurveMistake(
        name="update-after-loop",
        family=FAMILY,
        sentence="The update stands after the loop over the epochs, not in it: every epoch "
        "measures the initial weights, and one single update is made at the end.",
        right="one update in every epoch",
        wrong="curve(epoch) = curve(0)",
        line="for epoch in epochs: measure(w); w = step(w)",
        slip="for epoch in epochs: measure(w)\nw = step(w)",
        curves=moved(["train", "validation"], lambda curve: np.full_like(curve, curve[0])),
        trigger="two epochs or more",
    ),
    CurveMistake(
        name="validation-is-training",
        family=FAMILY,
        sentence="The validation curve is computed from the training data.",
        right="validation loss on the validation data",
        wrong="validation loss on the training data",
        line=LINE,
        slip="curves.append((*evaluate(w, train), *evaluate(w, train)))",
        curves=taken({"validation": "train"}),
    ),
    CurveMistake(
        name="curves-swapped",
        family=FAMILY,
        sentence="Training and validation curve are swapped.",
        right="training first, validation second",
        wrong="validation first, training second",
        line=LINE,
        slip="curves.append((*evaluate(w, validation), *evaluate(w, train)))",
        curves=taken({"validation": "train", "train": "validation"}),
    ),
    CurveMistake(
        name="test-is-validation",
        family=FAMILY,
        sentence="The test curve is computed from the validation data.",
        right="test loss on the test data",
        wrong="test loss on the validation data",
        line=LINE,
        slip="test_curve.append(evaluate(w, validation))",
        curves=taken({"test": "validation"}),
        trigger="a test curve",
        seen=1,
    ),
    CurveMistake(
        name="validation-weights-trained",
        family=FAMILY,
        sentence="A second set of weights is trained on the validation data and the validation "
        "curve is its training curve: it says nothing about the network that was trained.",
        right=RIGHT,
        wrong="w_valid = w_valid - v_valid, and validation(w_valid)",
        line=LINE,
        slip="w_valid = step(w_valid, gradients(w_valid, validation))",
        curves=taken({"validation": "trained_on_validation"}),
        trigger="the curves of a network trained on the validation data, for comparison",
    ),
    CurveMistake(
        name="accuracy-in-per-cent",
        family=FAMILY,
        sentence="Accuracies are in per cent, not between 0 and 1: a convention.",
        right="accuracy = mean(predicted == target)",
        wrong="accuracy = 100 mean(predicted == target)",
        line=LINE,
        slip="accuracy = 100 * (predicted == target).mean()",
        curves=scaled_accuracy,
        convention=True,
    ),
)

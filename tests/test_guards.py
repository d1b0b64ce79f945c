"""A guard of the logarithm that changes nothing ordinary: its size and where it stands."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import manual_mlp
from compare import Verdict, check

Array = NDArray[Any]
Guarded = Callable[[Array], tuple[Array, Array]]
"""p -> (p of the logarithm, p of the gradient)."""


def network(guarded: Guarded) -> Callable[..., tuple[float, dict[str, Array]]]:
    """A right network but for what is done to its probabilities."""

    def loss_and_gradients(
        parameters: Mapping[str, Array], x: Array, targets: Array
    ) -> tuple[float, dict[str, Array]]:
        w1, b1, w2, b2 = (parameters[name] for name in ("w1", "b1", "w2", "b2"))
        z1 = x @ w1 + b1
        h1 = np.maximum(z1, 0)
        logits = h1 @ w2 + b2
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        in_log, in_gradient = guarded(e / e.sum(axis=1, keepdims=True))
        loss = -float(np.sum(targets * np.log(in_log))) / len(x)
        dlogits = (in_gradient - targets) / len(x)
        dz1 = dlogits @ w2.T * (z1 > 0)
        gradients = {"w1": x.T @ dz1, "b1": dz1.sum(axis=0)}
        return loss, gradients | {"w2": h1.T @ dlogits, "b2": dlogits.sum(axis=0)}

    return loss_and_gradients


def floored_in_log(p: Array) -> tuple[Array, Array]:
    return np.maximum(p, 1e-9), p


def clipped_for_both(p: Array) -> tuple[Array, Array]:
    clipped = np.clip(p, 1e-9, 1 - 1e-9)
    return clipped, clipped


def floored_otherwise_in_gradient(p: Array) -> tuple[Array, Array]:
    return np.maximum(p, 1e-9), np.where(p < 1e-9, p + 1e-5, p)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("guarded", "words", "not_said"),
    [
        (floored_in_log, "below 1e-09 are raised to it before the logarithm; the gradient", "too"),
        (clipped_for_both, "clipped to [1e-09, 1 - 1e-09], and the clipped ones stand", "is not."),
        (floored_otherwise_in_gradient, "and the gradient is another one too", "1e-09"),
    ],
)
def test_a_guard_that_nothing_ordinary_reaches_is_said_with_what_it_changes(
    guarded: Guarded, words: str, not_said: str
) -> None:
    result = check(network(guarded))
    assert result.verdict is Verdict.AGREES
    (note,) = (one for one in result.notes if "probabilities down to" in one)
    assert words in note and not_said not in note


@pytest.mark.slow
def test_a_clip_in_the_gradient_alone_is_not_said_to_be_in_the_loss() -> None:
    result = check(network(lambda p: (p, np.clip(p, 1e-3, 1 - 1e-3))))
    assert result.verdict is Verdict.DISAGREES
    assert result.diagnosis[0].mistake == "clip-in-gradient"


def test_a_function_that_raises_at_large_logits_keeps_them_within_no_bounds() -> None:
    def raising(
        parameters: Mapping[str, Array], x: Array, targets: Array
    ) -> tuple[float, dict[str, Array]]:
        logits = manual_mlp.forward(parameters, x)["logits"]
        math.exp(float(logits.max()) * 4)
        return manual_mlp.loss_and_gradients(parameters, x, targets)

    result = check(raising)
    assert result.verdict is Verdict.AGREES
    assert not any("kept within bounds" in note for note in result.notes)


def logistic(loss_of: Callable[[Array, Array, Array], Any]) -> Callable[..., Any]:
    """A right network with sigmoid outputs, but for what its loss makes of z, p and the targets."""

    def loss_and_gradients(parameters: Mapping[str, Array], x: Array, targets: Array) -> Any:
        h = np.tanh(x @ parameters["w1"] + parameters["b1"])
        z = h @ parameters["w2"] + parameters["b2"]
        p = 1 / (1 + np.exp(-z))
        dz = (p - targets) / z.size
        dh = dz @ parameters["w2"].T * (1 - h * h)
        gradients = {"w1": x.T @ dh, "b1": dh.sum(0), "w2": h.T @ dz, "b2": dz.sum(0)}
        return loss_of(z, p, targets).mean(), gradients

    return loss_and_gradients


def of_logits(z: Array, p: Array, t: Array) -> Array:
    return np.asarray(np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z))))


def of_clipped(z: Array, p: Array, t: Array) -> Array:
    q = np.clip(p, 1e-7, 1 - 1e-7)
    return np.asarray(-(t * np.log(q) + (1 - t) * np.log(1 - q)))


def of_probabilities(z: Array, p: Array, t: Array) -> Array:
    return np.asarray(-(t * np.log(p) + (1 - t) * np.log(1 - p)))


@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize(
    ("loss_of", "words"),
    [(of_logits, ""), (of_clipped, "others than torch's"), (of_probabilities, "not finite")],
)
def test_a_logistic_loss_says_where_its_logarithm_ends(
    loss_of: Callable[..., Any], words: str, classes: int
) -> None:
    result = check(logistic(loss_of), loss="bce", activation="tanh", classes=classes)
    assert result.verdict is Verdict.AGREES
    said = [note for note in result.notes if "probabilities down to" in note]
    assert len(said) == bool(words) and all(words in note for note in said)

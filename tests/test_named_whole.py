"""What the first line says of a mistake: all of it, with its layer, and the cause that it has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

import compare
from compare.contracts.arrays import Array, Arrays
from compare.contracts.result import Verdict

Gradients = tuple[float, Arrays]


def loss_and_gradients(
    parameters: Arrays, x: Array, targets: Array, *, weights: set[int], biases: set[int],
    shift: bool = True, stable: bool = True,
) -> Gradients:  # fmt: skip
    """Divides by N in these layers only; the logarithm of the probabilities unless `stable`."""
    w1, b1, w2, b2 = (parameters[name] for name in ("w1", "b1", "w2", "b2"))
    n = len(x)
    h = np.maximum(x @ w1 + b1, 0)
    z = h @ w2 + b2
    z = z - z.max(axis=1, keepdims=True) if shift else z
    with np.errstate(all="ignore"):
        e = np.exp(z)
        p = e / e.sum(axis=1, keepdims=True)
        log_p = z - np.log(e.sum(axis=1, keepdims=True)) if stable else np.log(p)
        loss = -(targets * log_p).sum() / n
    d2 = p - targets
    d1 = d2 @ w2.T * (h > 0)
    raw = {"w1": x.T @ d1, "b1": d1.sum(axis=0), "w2": h.T @ d2, "b2": d2.sum(axis=0)}
    divided = {f"w{i}" for i in weights} | {f"b{i}" for i in biases}
    return loss, {name: one / n if name in divided else one for name, one in raw.items()}


def missing(weights: set[int], biases: set[int]) -> Callable[..., Gradients]:
    return partial(loss_and_gradients, weights=weights, biases=biases)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "title"),
    [
        (missing(set(), {1, 2}), "weight gradients that are not divided by N"),
        (missing({1, 2}, set()), "bias gradients that are not divided by N"),
        (missing({1}, {1, 2}), "weight gradients that are not divided by N in layer 2 only"),
    ],
)
def test_a_mean_that_some_gradients_lack_is_named_in_full(
    wrong: Callable[..., Gradients], title: str
) -> None:
    found = compare.check(wrong, hidden=(7,))
    assert found.verdict is Verdict.DISAGREES
    assert f"): {title}: " in found.sentence


def test_a_loss_that_takes_the_log_of_0_is_not_told_to_subtract_a_maximum() -> None:
    both = {1, 2}
    of_p = partial(loss_and_gradients, weights=both, biases=both, stable=False)
    (note,) = [one for one in compare.check(of_p, hidden=(7,)).notes if "not finite" in one]
    assert "log of 0" in note and "log-sum-exp" in note and "maximum" not in note
    unshifted = partial(of_p, shift=False)
    (note,) = [one for one in compare.check(unshifted, hidden=(7,)).notes if "not finite" in one]
    assert "exp overflows" in note

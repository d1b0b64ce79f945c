"""A gradient in a test: with the fixture of the plugin, and with a plain function.

python -m pytest examples/test_my_gradient.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import assert_gradients_match
from manual_mlp_pytest import CrossCheck

Array = NDArray[Any]


def loss_and_gradients(
    parameters: dict[str, Array], x: Array, targets: Array
) -> tuple[float, dict[str, Array]]:
    """Logistic regression in K classes: the smallest network there is."""
    logits = x @ parameters["w1"] + parameters["b1"]  # (N, K)
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    dlogits = (np.exp(log_p) - targets) / len(x)
    loss = float(-(targets * log_p).sum() / len(x))
    return loss, {"w1": x.T @ dlogits, "b1": dlogits.sum(axis=0)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_my_gradient_is_that_of_torch(crosscheck: CrossCheck, dtype: str) -> None:
    crosscheck(loss_and_gradients, hidden=(), dtype=dtype)


def test_it_also_works_without_the_fixture() -> None:
    assert_gradients_match(loss_and_gradients, hidden=())

"""Why an answer depends on the order of the rows is told from what single rows change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import Verdict, check
from compare.checks.row_order import runs

pytestmark = pytest.mark.slow

Array = NDArray[Any]
Rows = Callable[[Array, Array], tuple[Array, Array]]


def network(rows: Rows, drops: float = 0.0) -> Callable[..., Any]:
    """A right network but for the rows it takes and the units it drops."""

    def loss_and_gradients(
        parameters: Mapping[str, Array], x: Array, targets: Array
    ) -> tuple[float, dict[str, Array]]:
        w1, b1, w2, b2 = (parameters[name] for name in ("w1", "b1", "w2", "b2"))
        x, targets = rows(x, targets)
        z1 = x @ w1 + b1
        mask = (z1 > 0) * (np.random.default_rng(0).random(z1.shape) >= drops)
        h1 = z1 * mask
        logits = h1 @ w2 + b2
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        loss = -float(np.sum(targets * log_p)) / len(x)
        dlogits = (np.exp(log_p) - targets) / len(x)
        dz1 = dlogits @ w2.T * mask
        gradients = {"w1": x.T @ dz1, "b1": dz1.sum(axis=0)}
        return loss, gradients | {"w2": h1.T @ dlogits, "b2": dlogits.sum(axis=0)}

    return loss_and_gradients


def halved(x: Array, targets: Array) -> tuple[Array, Array]:
    return x[: len(x) // 2], targets[: len(x) // 2]


def inputs_moved(x: Array, targets: Array) -> tuple[Array, Array]:
    order = np.arange(len(x))
    order[[2, 5]] = 5, 2
    return x[order], targets


def both_moved(x: Array, targets: Array) -> tuple[Array, Array]:
    return x[::-1], targets[::-1]


def unchanged(x: Array, targets: Array) -> tuple[Array, Array]:
    return x, targets


@pytest.mark.parametrize(
    ("manual", "words"),
    [
        (network(halved), "9 of 17 rows have no effect on loss and gradients: 8 to 16"),
        (network(inputs_moved), "the target of row 2 with the inputs of row 5"),
        (network(unchanged, drops=0.5), "the same random numbers are drawn at every call"),
    ],
)
def test_why_the_order_of_the_rows_counts_is_told(manual: Callable[..., Any], words: str) -> None:
    result = check(manual)
    assert result.verdict is Verdict.DISAGREES
    assert "depends on the order of the rows: " in result.sentence and words in result.sentence


def test_inputs_and_targets_that_are_moved_together_are_right() -> None:
    assert check(network(both_moved)).verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([4], "4"), ([0, 3, 4, 5], "0, 3 to 5"), ([1, 2, 7, 9, 10], "1 to 2, 7, 9 to 10")],
)
def test_rows_are_told_in_runs(numbers: list[int], words: str) -> None:
    assert runs(numbers) == words

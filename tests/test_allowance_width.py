"""The allowances are held from above: one that becomes twice as wide fails here.

In units of u, relative to the number they belong to, at networks where nothing is special. What is
asked for is a third more than what was measured: room for another BLAS, and none for a factor of 2.
"""

from __future__ import annotations

import numpy as np
import pytest

import manual_mlp
from compare.allowance.dense import Dense
from compare.allowance.lowrank import LowRank
from tests.allowed import DTYPES, allowed, network

Form = type[Dense] | type[LowRank]
ROOM = 4 / 3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("sizes", "rows", "activation", "form", "entry", "projection", "of_loss"),
    [
        ((64, 48, 10), 300, "relu", Dense, 627.8, 103.6, 80.7),
        ((64, 48, 10), 300, "relu", LowRank, 793.1, 195.0, 81.9),
        ((20, 30, 25, 5), 100, "tanh", Dense, 336.2, 146.7, 50.4),
        ((300, 200, 100, 8), 64, "relu", LowRank, 1169.4, 801.9, 67.7),
        ((12, 3), 1000, "relu", Dense, 793.3, 113.3, 138.8),
        ((300, 150, 10), 40, "sigmoid", LowRank, 874.5, 598.1, 41.1),
    ],
)
def test_allowances_are_no_wider_than_measured(
    sizes: tuple[int, ...], rows: int, activation: str, form: Form,
    entry: float, projection: float, of_loss: float, dtype: str,
) -> None:  # fmt: skip
    drawn = network(sizes, rows, dtype=dtype)
    found = allowed(drawn, activation, form=form)
    loss, gradients = manual_mlp.loss_and_gradients(*drawn, activation=activation)
    u = float(np.finfo(dtype).eps) / 2
    right = gradients["w1"].astype(np.float64)
    some = right != 0
    median = float(np.median(found.gradients["w1"][some] / np.abs(right[some])))
    assert entry / ROOM < median / u < ROOM * entry
    assert projection / ROOM < found.projections["w1"] / u < ROOM * projection
    assert of_loss / ROOM < found.forward.loss / loss / u < ROOM * of_loss

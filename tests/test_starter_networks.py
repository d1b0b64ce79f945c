"""A network whose loss is scaled has the gradients of the sum times a number, as torch says."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from compare.examine.starter.networks import Network, evaluated, values_of
from compare.examine.starter.readings import UNEQUAL

LOSSES = ("cross_entropy", "bce", "mse")
REDUCTIONS = ("mean", "batch_mean", "sum")


@pytest.mark.parametrize(("loss", "reduction"), list(product(LOSSES, REDUCTIONS)))
@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_a_scaled_loss_is_the_sum_times_a_number(loss: str, reduction: str, factor: float) -> None:
    if (loss, reduction) == ("cross_entropy", "batch_mean"):
        return  # no such is declared
    network = Network("tanh", loss=loss, reduction=reduction, loss_factor=factor)
    found, due = values_of(network, UNEQUAL, 0), evaluated(network, UNEQUAL, 0)
    assert np.isclose(found.loss, due.loss, rtol=1e-14)
    for name, one in due.gradients.items():
        assert np.allclose(found.gradients[name], one, rtol=1e-13, atol=1e-16)

"""Two derivations of one allowance: the runs' own, made by hand, and the pass over torch's graph.

Neither knows of the other, so each is a test of the other: at random points of four activations the
median of an allowance of one over that of the other stays within a factor of 3.
"""

from typing import Any

import numpy as np
import pytest
import torch

from compare.layers.analysed import analyse, as_tensors
from compare.layers.program import Program
from tests.allowed import DTYPES, allowed, network
from torch_reference.activations import activation_module

ACTIVATIONS = ("relu", "tanh", "sigmoid", "identity")
FACTOR = 3.0
POINTS = (((7, 9, 5), 6), ((13, 24, 4), 33), ((5, 8, 6, 3), 20))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes, rows", POINTS, ids=str)
def test_both_derivations_allow_about_the_same(
    sizes: tuple[int, ...], rows: int, activation: str, dtype: str
) -> None:
    drawn = network(sizes, rows, seed=rows, dtype=dtype)
    by_hand = allowed(drawn, activation)
    parameters, x, targets = drawn
    bend = activation_module(activation)

    def loss(inputs: Any) -> Any:
        h = inputs["x"]
        for layer in range(1, len(sizes)):
            z = h @ inputs[f"w{layer}"] + inputs[f"b{layer}"]
            h = bend(z)
        return -(inputs["targets"] * torch.log_softmax(z, 1)).sum(1).mean()

    inputs = as_tensors(parameters | {"x": x, "targets": targets})
    found = analyse(Program(loss, tuple(parameters)), inputs, None, dtype)
    assert found.doubt is None and found.unruled == ()
    for name, allowance in by_hand.gradients.items():
        ratio = float(np.median(found.allowances[f"d{name}"] / allowance))
        assert 1 / FACTOR <= ratio <= FACTOR, (name, ratio)

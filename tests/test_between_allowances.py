"""Two derivations of the allowances of normalised layers and dropout: by hand, and from the graph.

Neither knows of the other: at random points the median of an allowance of one over that of the
other stays within a factor of 3.
"""

from typing import Any

import numpy as np
import pytest
import torch

from compare.allowance import Arithmetic, Batch, network_allowances
from compare.allowance.between import insides
from compare.contracts.between import Between
from compare.layers.analysed import analyse, as_tensors
from compare.layers.program import Program
from compare.points.probe import draw_probes
from torch_reference import Reference

FACTOR = 3.0
KINDS = (("layer", 0.0), ("batch", 0.0), ("none", 0.4), ("layer", 0.3), ("batch", 0.3))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("sizes", [(13, 24, 4), (5, 8, 6, 3)], ids=str)
@pytest.mark.parametrize(("kind", "rate"), KINDS)
def test_both_derivations_allow_about_the_same(
    kind: str, rate: float, sizes: tuple[int, ...], dtype: str
) -> None:
    between = Between(kind, rate)
    probe = draw_probes(sizes, activation="tanh", dtype=dtype, seed=1, between=between)[0]
    at = probe.parameters, probe.x, probe.targets
    reference = Reference(sizes, activation="tanh", dtype=dtype, normalisation=kind, dropout=rate)
    _, gradients, values = reference.loss_and_gradients(
        *at, context=probe.context, intermediates=True
    )
    batch = Batch(probe.x, probe.targets)
    by_hand = network_allowances(
        Arithmetic.of(dtype), probe.parameters, batch, values, gradients, activation="tanh",
        inside=insides(kind, rate, probe.parameters, values, probe.context, None),
    )  # fmt: skip
    masks = {k: torch.from_numpy(v) for k, v in probe.context.items() if k.startswith("mask")}

    def loss(inputs: Any) -> Any:
        h, last = inputs["x"], len(sizes) - 1
        for i in range(1, last):
            z = h @ inputs[f"w{i}"] + inputs[f"b{i}"]
            if kind != "none":
                axis = {"layer": 1, "batch": 0}[kind]
                c = z - z.mean(axis, keepdim=True)
                s = c / torch.sqrt((c * c).mean(axis, keepdim=True) + 1e-5)
                z = inputs[f"gamma{i}"] * s + inputs[f"beta{i}"]
            h = torch.tanh(z)
            h = h * masks[f"mask{i}"] / (1 - rate) if rate else h
        logits = h @ inputs[f"w{last}"] + inputs[f"b{last}"]
        return -(inputs["targets"] * torch.log_softmax(logits, 1)).sum(1).mean()

    inputs = as_tensors(probe.parameters | {"x": probe.x, "targets": probe.targets})
    found = analyse(Program(loss, tuple(probe.parameters)), inputs, None, dtype)
    assert found.doubt is None and found.unruled == ()
    vanishing = between.vanishing(probe.parameters, probe.context)
    for name, allowance in by_hand.gradients.items():
        ratio = float(np.median(found.allowances[f"d{name}"] / allowance))
        assert name in vanishing or 1 / FACTOR <= ratio <= FACTOR, (name, ratio)

"""Gradients of every sample of a declared network, against torch.func.vmap over torch's modules."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, vmap

from compare.contracts.between import Between as Declared
from compare.contracts.objective import INSIDE, LOSS_NAMES, OUTPUT_NAMES
from compare.points.probe import draw_probes
from manual_mlp import Between, Criterion
from manual_mlp.per_sample import per_sample_gradients
from torch_reference import Reference
from torch_reference.criterion import Criterion as Twin

SIZES = (4, 5, 3)
ALL = [(output, loss) for loss in LOSS_NAMES for output in OUTPUT_NAMES]
PAIRS = [pair for pair in ALL if pair not in INSIDE and pair[1] != "hinge"]
"""All but hinge, whose class numbers torch takes row by row."""


def vmapped(probe: Any, kind: str, rate: float, output: str, loss: str) -> dict[str, Any]:
    """The same by torch: the gradient of one row's loss, mapped over the rows."""
    reference = Reference(SIZES, activation="tanh", normalisation=kind, dropout=rate)
    network, criterion = reference.new_network(), Twin(loss, output)
    network.load(probe.parameters)
    named = dict(network.named_parameters())
    masks = reference.masks(probe.context)

    class Traced(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Any, y: Any, keep: Any) -> Any:
            stages = self.network.trace(x[None], {k: m[None] for k, m in keep.items()})
            return criterion(stages["logits"], y[None])

    traced = Traced()

    def of_row(weights: Any, x: Any, y: Any, keep: Any) -> Any:
        return functional_call(
            traced, {f"network.{k}": w for k, w in weights.items()}, (x, y, keep)
        )

    rows = torch.from_numpy(probe.x), torch.from_numpy(probe.targets)
    found = vmap(grad(of_row), in_dims=(None, 0, 0, 0))(named, *rows, masks)
    names = {id(parameter): ours for ours, parameter in network.named.items()}
    return {names[id(named[k])]: g.detach().numpy() for k, g in found.items()}


@pytest.mark.parametrize(("kind", "rate"), [("none", 0.0), ("layer", 0.0), ("layer", 0.3)])
@pytest.mark.parametrize(("output", "loss"), PAIRS)
def test_gradients_of_every_sample_are_those_of_vmap(
    output: str, loss: str, kind: str, rate: float
) -> None:
    between = Declared(kind, rate)
    probe = draw_probes(SIZES, activation="tanh", dtype="float64", seed=2, between=between)[0]
    ours = per_sample_gradients(
        probe.parameters, probe.x, probe.targets, activation="tanh",
        criterion=Criterion(loss, output), between=Between(kind, rate), context=probe.context,
    )  # fmt: skip
    theirs = vmapped(probe, kind, rate, output, loss)
    assert ours.keys() == theirs.keys() == probe.parameters.keys()
    for name, gradient in ours.items():
        expected = theirs[name].swapaxes(1, 2) if name[0] == "w" else theirs[name]
        np.testing.assert_allclose(gradient, expected, atol=1e-13)


def test_rows_that_share_statistics_have_no_gradients_of_their_own() -> None:
    with pytest.raises(ValueError, match="no gradients of their own"):
        per_sample_gradients({}, np.ones((2, 2)), np.eye(2), between=Between("batch"))

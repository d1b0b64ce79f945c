"""Embedding bags written out are torch's own, whatever they are given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from compare.layers.whole_functions import WholeFunctions

INDEX = torch.tensor([0, 2, 2, 1, 3, 0, 4])


@pytest.mark.parametrize("given", [
    {}, {"mode": "sum"}, {"mode": "max"}, {"padding_idx": 2}, {"include_last_offset": False},
    {"mode": "sum", "per_sample_weights": torch.linspace(-1, 1, 7)},
])  # fmt: skip
def test_bags_written_out_are_torchs_own(given: dict[str, Any]) -> None:
    w, offsets = torch.randn(6, 3), torch.tensor([0, 2, 2, 5])
    with WholeFunctions():
        found = F.embedding_bag(INDEX, w, offsets, **given)
    assert torch.allclose(found, F.embedding_bag(INDEX, w, offsets, **given))


def test_rows_and_modules_are_bags_as_well() -> None:
    bags, rows = torch.nn.EmbeddingBag(6, 3, mode="sum"), INDEX[:6].view(2, 3)
    with WholeFunctions():
        found = bags(rows)
    assert torch.allclose(found, bags(rows))

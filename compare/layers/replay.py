"""The same program once more, with single decisions turned over: what a kink can explain.

All other decisions are those of the first walk, so that nothing else changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from compare.layers.walk import Walk

Flips = Mapping[int, Sequence[tuple[int, Any]]]
"""By the number of a decision: the flat entries to turn over, and what to put there."""


class Replay(Walk):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """`script`: every discrete result of the first walk, in order."""

    def __init__(self, script: Sequence[Tensor], flips: Flips) -> None:
        super().__init__()
        self.script = script
        self.flips = flips

    def decide(self, kind: str, found: Tensor, operands: tuple[Any, ...]) -> Tensor:
        number = self.met
        self.met += 1
        result = self.script[number]
        if number in self.flips:
            result = result.clone(memory_format=torch.contiguous_format)
            for entry, value in self.flips[number]:
                result.view(-1)[entry] = value
        return result

"""Units at kinks, noted as the blocks of a batch pass by: whoever asks for them later need not look
through all rows again.

Only of float32. In float64 a unit is that near a kink once in many batches, and to look through one
of them again takes less time than to note the units of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.operands import Where
from compare.allowance.rules import ActivationRule
from compare.allowance.walk import Layer, S
from compare.contracts.arrays import Values

COARSE = 2.0**-40
"""Numbers with a coarser roundoff than this are at kinks in many batches."""
MOST = 2048
"""More units than this at kinks are not noted."""


@dataclass
class AtKinks:
    """The units within their allowance of `kinks`, layer by layer and block by block.

    `noted` is None where they are too many, or nobody notes them.
    """

    kinks: tuple[float, ...]
    noted: dict[int, list[tuple[Where, Where]]] | None

    @classmethod
    def of(cls, rule: ActivationRule, arithmetic: Arithmetic, *, backward: bool) -> Self:
        """Return what notes them, or nothing where nobody will ask."""
        noting = bool(rule.kinks) and backward and arithmetic.roundoff > COARSE
        return cls(tuple(rule.kinks), {} if noting else None)

    def see(self, rows: slice, layers: Sequence[Layer[S]], z: Values) -> None:
        """Take a block."""
        if self.noted is None:
            return
        for layer in layers[:-1]:
            at, units = layer.z.reaching(self.kinks, z[f"z{layer.number}"])
            self.noted.setdefault(layer.number, []).append((at + rows.start, units))
        if sum(len(at) for blocks in self.noted.values() for at, _ in blocks) > MOST:
            self.noted = None

    def last_rows(self) -> Where:
        """Return the rows with such a unit in the block that came last."""
        noted = (self.noted or {}).values()
        return np.unique(np.concatenate([np.empty(0, np.intp), *(each[-1][0] for each in noted)]))

    def units(self, layer: int) -> tuple[Where, Where] | None:
        """Return all of a layer, `(rows, units)`."""
        if self.noted is None or layer not in self.noted:
            return None
        rows, units = (np.concatenate(each) for each in zip(*self.noted[layer], strict=True))
        return rows, units

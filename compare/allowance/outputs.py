"""What a network puts out for a batch, block by block of its rows: logits, and what these may err.

The softmax, and all that follows from it, is found of one block after the other whenever it is
asked for: it takes a thousandth of the time of a gradient, and would be several (N, K) arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.batch import Batch
from compare.allowance.head import Head, Losses, head_of_rows, loss_allowance
from compare.allowance.spread import Spread
from compare.allowance.told import Softmaxed, Told
from compare.contracts.arrays import Float, Real


class Output(NamedTuple):
    """The reference's logits of some rows, (N, K), their allowances, and their softmax."""

    logits: Real
    allowed: Float
    p: Float

    @classmethod
    def of(cls, logits: Real, head: Head) -> Self:
        """Return that of a whole batch."""
        return cls(logits, head.logits.T, head.probabilities.T)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The logits of all rows of a batch and their squared allowances, with the slice of each block.

    `form`: how the batch's rows are read.
    """

    arithmetic: Arithmetic
    batch: Batch
    form: type[Spread]
    logits: Sequence[Real]
    spreads: Sequence[tuple[slice, Spread]]

    def rows(self) -> Iterator[Output]:
        """Yield the output of each block."""
        for logits, (_, rows) in zip(self.logits, self.softmaxed(), strict=True):
            yield Output(logits, rows.z_allowance.T, rows.p.T)

    def softmaxed(self) -> Iterator[tuple[slice, Softmaxed]]:
        """Yield each block's softmax, and what moves it."""
        for logits, (part, spread) in zip(self.logits, self.spreads, strict=True):
            yield part, Softmaxed.of(logits, spread.entries().T, self.arithmetic.unit)

    def told(self) -> Told:
        """Return what all rows tell of each."""
        blocks = (rows for _, rows in self.softmaxed())
        return Told.by(
            blocks, self.batch.often, self.arithmetic, lambda: np.concatenate(self.logits)
        )

    def heads(self, told: Told) -> Iterator[tuple[Head, Losses]]:
        """Yield each block's head, by what all rows tell, and the losses of its rows."""
        for part, rows in self.softmaxed():
            here = self.batch.part(part, self.form)
            yield head_of_rows(rows, here, told.of_rows(part), self.arithmetic.unit)

    def loss(self, losses: Sequence[Losses], told: Told) -> float:
        """Return A(sum of the losses) from those of all blocks."""
        whole = Losses(*(np.concatenate(each) for each in zip(*losses, strict=True)))
        return loss_allowance(whole, told.weights, self.arithmetic)

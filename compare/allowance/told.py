"""What only all rows of a batch tell of the softmax of each, found as blocks of rows pass by.

    lse      errors of log sum exp that samples share: sums over all of them
    weights  how many rows are like each
    to_one   how many samples have a p that rounds to 1, all in the same direction
    small    whether all that the logits move by is far below 1

Beside these there are only a few numbers of each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Self

import numpy as np

from compare.allowance.alike import row_weights
from compare.allowance.arithmetic import Arithmetic
from compare.allowance.log_sum_exp import Rounded, Shared
from compare.allowance.softmax import are_small, moved_logits, round_to_one, softmax_columns
from compare.contracts.arrays import Float, Real


class Softmaxed(NamedTuple):
    """The softmax of some rows in float64, and what their logits may move by.

    `p`, `shifted`, `moved` (B) and `z_allowance` class by class, (K, N); of each sample, (N,), the
    largest logit `top`, the largest |logit| `sizes`, the largest p `most` and the largest B.
    """

    p: Float
    shifted: Float
    moved: Float
    z_allowance: Float
    top: Float
    sizes: Float
    most: Float
    largest: Float

    @classmethod
    def of(cls, reference: Real, z_square: Float, unit: float) -> Self:
        """Return that of the reference's logits, (N, K); `z_square` is their A**2, (K, N)."""
        logits = np.asarray(reference.T, dtype=np.float64, order="C")  # (K, N)
        z_allowance = np.sqrt(z_square, order="C")
        p, shifted = softmax_columns(logits)
        moved = moved_logits(shifted, z_allowance, unit)
        return cls(
            p, shifted, moved, z_allowance, np.maximum.reduce(logits),
            np.maximum.reduce(np.abs(logits)), np.maximum.reduce(p), np.maximum.reduce(moved),
        )  # fmt: skip


class Told(NamedTuple):
    """What all rows tell: see above; `lse` and `weights` are of each row, (N,)."""

    lse: Rounded
    weights: Float | None
    to_one: int
    small: bool

    @classmethod
    def by(
        cls,
        blocks: Iterable[Softmaxed],
        often: Float | None,
        arithmetic: Arithmetic,
        logits: Callable[[], Real],
    ) -> Self:
        """Let the rows of a batch pass by.

        `often`: how often each row of x occurs; `logits` returns those of all rows, (N, K).
        """
        unit, roundoff = arithmetic.unit, arithmetic.roundoff
        shared, to_one, small, size = Shared(), 0, True, 0.0
        for rows in blocks:
            shared.see(rows.p, rows.top, rows.most, rows.largest, roundoff)
            to_one += round_to_one(rows.p, rows.most, unit)
            small = small and are_small(rows.largest)
            size = float(np.maximum.reduce(rows.sizes, initial=size))
        weights = row_weights(often, logits().T, size, roundoff)
        return cls(shared.rounded(), weights, to_one, small)

    def of_rows(self, rows: slice) -> Self:
        """Return some rows of it."""
        weights = None if self.weights is None else self.weights[rows]
        lse = Rounded(self.lse.p[rows], self.lse.losses[rows])
        return self._replace(lse=lse, weights=weights)

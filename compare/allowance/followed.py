"""The largest error of each sample's dlogits, followed exactly to the layers below.

Adding squares is for independent errors. The logit of the target has by far the largest error in a
fitted network, and hands it to all units below: what they make of it adds up again, or cancels, two
layers further down.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compare.allowance.operands import Float, Real, Right
from compare.allowance.sample import sampled
from compare.allowance.spread import Followed

Rows = slice | NDArray[np.int64]
MANY = 512
"""Where one bound serves all rows, so many of them are followed."""


class Led(NamedTuple):
    """An error on its way down: `sizes`, (N,), are its squares at dlogits; `entries`, (S, H), what
    has become of it in the `rows` that are followed."""

    sizes: Float
    rows: Rows
    entries: Float

    @classmethod
    def of(cls, allowance: Float, *, every: bool) -> Led:
        """Start with the largest entry of each row of A(dlogits), (N, K), in every row or some."""
        count = len(allowance)
        most = np.maximum.reduce(allowance, axis=1)
        rows = slice(None) if every else sampled(count, MANY)
        some = allowance[rows]
        largest = np.zeros_like(some)
        at = np.arange(len(some)), np.argmax(some, axis=1)
        largest[at] = some[at]
        return cls(most * most, rows, largest)

    def through(self, right: Right) -> tuple[Led, Followed]:
        """Return what `dz @ right` makes of it, and by how much that exceeds the sum of squares."""
        down = self.entries @ right.entries  # (S, H)
        exceeding = np.square(down)
        exceeding -= np.square(self.entries) @ right.squares
        np.maximum(exceeding, 0.0, out=exceeding)
        return Led(self.sizes, self.rows, down), Followed(self.sizes, self.rows, exceeding)

    def sloped(self, slope: Real) -> Led:
        """Return what `dh * f'(z)` makes of it; `slope`: f'(z) in the rows that are followed."""
        return Led(self.sizes, self.rows, self.entries * slope)

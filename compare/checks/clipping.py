"""What clipping makes of recorded gradients, with what rounding may change in it.

    norm:   g * min(1, largest / (||g|| + 1e-6))       ||g|| of all gradients together
    value:  every entry held between -largest and largest

Source: torch.nn.utils.clip_grad_norm_ and clip_grad_value_.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.textbook.functions import held
from compare.textbook.pair import Pair, arithmetic_of, exact

GUARD = 1e-6
"""What torch adds to the norm."""
ROUNDINGS = 3.0
"""Of the factor that all entries share: root, sum, quotient."""


@dataclass(frozen=True, slots=True)
class Clipping:
    """How gradients are held in check before the step; None: not at all."""

    norm: float | None = None
    value: float | None = None

    def pairs(self, gradients: Mapping[str, NDArray[Any]]) -> dict[str, Pair]:
        """Return the gradients that the step uses."""
        found = {name: exact(g, g.dtype) for name, g in gradients.items()}
        if self.norm is not None:
            share, error = self.shortened(gradients)
            found = {
                name: scaled(pair, share, error) if share < 1 or error else pair
                for name, pair in found.items()
            }
        if self.value is not None:
            bound = self.value
            found = {name: held(pair, -bound, bound) for name, pair in found.items()}
        return found

    def shortened(self, gradients: Mapping[str, NDArray[Any]]) -> tuple[float, float]:
        """Return the factor of clipping by norm, and its relative allowance.

        A sum of n squares rounds by sqrt(n) units at most, its root by half of that. A factor of
        exactly 1 has no rounding.
        """
        assert self.norm is not None
        wide = [g.astype(np.float64).reshape(-1) for g in gradients.values()]
        whole = sqrt(sum(float(np.vdot(g, g)) for g in wide))
        entries = sum(g.size for g in gradients.values())
        unit = arithmetic_of(next(iter(gradients.values())).dtype).unit
        error = unit * (ROUNDINGS + sqrt(entries) / 2)
        share = self.norm / (whole + GUARD)
        if not share * (1 - error) < 1:  # also of a norm that is not finite
            return 1.0, 0.0
        return min(share, 1.0), error


def scaled(pair: Pair, share: float, error: float) -> Pair:
    """Return the entries times a factor that is known up to a relative error."""
    product = pair * share
    return product.made(product.value, product.allowance + error * np.abs(product.value))

"""Weak points: where a check could not have failed, or not seen an error worth seeing, and why.

A verdict is worth as much as the error it would have noticed. For every gradient the smallest
scale error that the same-point check could have detected is known from the allowance; the points
where it exceeds the promised size are weak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Allowances
from compare.result import Weak

PROMISED = {"float64": 1e-12, "float32": 1e-4}
"""The relative scale error that must be detected on every point not called weak."""
HONEST = 0.5
"""Honest ratios stay below this, so an error of `1 + HONEST` allowances is always detected."""


def smallest_scale_error(
    name: str, reference: NDArray[np.floating], allowances: Allowances
) -> float:
    """Return the smallest relative scale error of gradient `name` that cannot be missed here."""
    flat = np.abs(reference, dtype=np.float64).ravel()
    peak = int(np.argmax(flat))
    if flat[peak] == 0.0:
        return np.inf
    by_entry = float(allowances.gradients[name].flat[peak] / flat[peak])
    return (1 + HONEST) * min(by_entry, allowances.projections[name])


@dataclass
class Power:
    """Counts, per gradient, the points with power, and keeps the worst of the others."""

    dtype: str
    points: int = 0
    powerful: dict[str, int] = field(default_factory=dict)
    weakest: dict[str, tuple[float, int, int]] = field(default_factory=dict)

    def see(
        self,
        reference: Mapping[str, NDArray[np.floating]],
        allowances: Allowances,
        epoch: int,
        update: int,
    ) -> None:
        """Measure one point."""
        self.points += 1
        for name, tensor in reference.items():
            size = smallest_scale_error(name, tensor, allowances)
            self.powerful[name] = self.powerful.get(name, 0) + (size <= PROMISED[self.dtype])
            if size > self.weakest.get(name, (0.0, 0, 0))[0]:
                self.weakest[name] = size, epoch, update

    def powerless(self) -> list[str]:
        """Return the gradients that had no point with power at all."""
        return [name for name, count in self.powerful.items() if count == 0]

    def weak(self) -> list[Weak]:
        """Return one entry per gradient with weak points: how many, and the worst of them."""
        found = []
        for name, count in self.powerful.items():
            if count < self.points:
                size, epoch, update = self.weakest[name]
                found.append(
                    Weak("same_point", self._reason(name, count, size), name, epoch, update, size)
                )
        return found

    def _reason(self, name: str, count: int, size: float) -> str:
        weak, promised = self.points - count, PROMISED[self.dtype]
        if np.isinf(size):
            return f"d{name} was all zero at {weak} of {self.points} points or fewer"
        return (
            f"at {weak} of {self.points} points a scale error of {promised:g} in d{name} "
            f"could have been missed"
        )

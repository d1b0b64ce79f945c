"""What stands between two layers besides the activation, as it was declared; and its context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays

NORMALISATIONS = ("none", "layer", "batch")
RUNNING = "running_"
Context = Mapping[str, Array]
"""What both sides share besides parameters and data: `training`, a bool without axes; `mask1`, ...,
(N, H), True for units that stay; `running_mean1`, `running_var1`, ..., (H,)."""
NOTHING: Context = {}


@dataclass(frozen=True, slots=True)
class Between:
    """Normalisation before the activation, dropout behind it; `affine`: with gamma and beta."""

    normalisation: str = "none"
    dropout: float = 0.0
    affine: bool = True

    @property
    def plain(self) -> bool:
        """Whether there is neither."""
        return self.normalisation == "none" and not self.dropout

    @property
    def together(self) -> bool:
        """Whether a row depends on the others of its batch."""
        return self.normalisation == "batch"

    @property
    def as_in_evaluation(self) -> bool:
        """Whether training and evaluation compute the same."""
        return not self.together and not self.dropout

    def masks(self, sizes: Sequence[int], rows: int, seed: Sequence[int]) -> Arrays:
        """Return the masks of one update, drawn once for both sides."""
        if not self.dropout:
            return {}
        drawn = np.random.default_rng(seed)
        return {
            f"mask{layer}": drawn.random((rows, width)) >= self.dropout
            for layer, width in enumerate(sizes[1:-1], start=1)
        }

    def statistics(self, sizes: Sequence[int], dtype: Any) -> Arrays:
        """Return the running statistics a training starts with: those of a standard normal."""
        found: Arrays = {}
        for layer, width in enumerate(sizes[1:-1] if self.together else (), start=1):
            found[f"running_mean{layer}"] = np.zeros(width, dtype)
            found[f"running_var{layer}"] = np.ones(width, dtype)
        return found

    def scales(self, sizes: Sequence[int], dtype: Any = np.float64) -> Arrays:
        """Return gamma1, beta1, ... of a network that has not been trained: ones and zeros."""
        found: Arrays = {}
        normalises = self.normalisation != "none" and self.affine
        for layer, width in enumerate(sizes[1:-1] if normalises else (), start=1):
            found[f"gamma{layer}"] = np.ones(width, dtype)
            found[f"beta{layer}"] = np.zeros(width, dtype)
        return found

    def vanishing(self, parameters: Mapping[str, Any], context: Context) -> set[str]:
        """Return the parameters whose gradient is 0 in exact arithmetic, whatever the loss.

        Batch normalisation takes the mean off, so what a bias below it adds is taken off again.
        """
        if not self.together or not context.get("training", True):
            return set()
        last = sum(name[0] == "w" for name in parameters)
        return {f"b{layer}" for layer in range(1, last)} & set(parameters)


PLAIN = Between()


def running(state: Mapping[str, Array]) -> Arrays:
    """Return the running statistics of a state."""
    return {name: array for name, array in state.items() if name.startswith(RUNNING)}


def ordered(arrays: Mapping[str, Array]) -> Arrays:
    """Return parameters layer by layer: w1, b1, gamma1, beta1, w2, ..."""
    kinds = ("w", "b", "gamma", "beta")

    def place(name: str) -> tuple[int, int]:
        kind = name.rstrip("0123456789")
        return int(name[len(kind) :]), kinds.index(kind)

    return {name: arrays[name] for name in sorted(arrays, key=place)}

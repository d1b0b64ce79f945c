"""Where the network is evaluated: parameters, batch, and the settings both sides share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from compare.contracts.between import PLAIN, Between, Context
from compare.contracts.objective import Objective


@dataclass(frozen=True)
class Point:
    """Where the network is evaluated: parameters, batch and the settings both sides share."""

    parameters: Mapping[str, NDArray[Any]]
    x: NDArray[Any]  # (N, F)
    targets: NDArray[Any]  # (N, K)
    activation: str = "relu"
    reduction: str = "mean"
    dtype: DTypeLike = np.float64
    objective: Objective | None = None  # None: softmax cross-entropy with that reduction
    between: Between = PLAIN
    context: Context = field(default_factory=dict)

    @property
    def minimised(self) -> Objective:
        """Return what is minimised."""
        return self.objective or Objective(reduction=self.reduction)

    @property
    def depth(self) -> int:
        """Return the number of layers L."""
        return sum(name[0] == "w" for name in self.parameters)

    @property
    def training(self) -> bool:
        """Return whether masks and statistics are those of training."""
        return bool(self.context.get("training", True))

    @property
    def how(self) -> dict[str, Any]:
        """Return the keyword that an implementation gets besides: none without a context."""
        return {"context": dict(self.context)} if self.context else {}

    @property
    def names(self) -> tuple[str, ...]:
        """Return what every implementation shows, the cheapest to compute first."""
        layers = range(self.depth, 0, -1)
        kinds = ("b", "w", "beta", "gamma")
        found = (f"{kind}{layer}" for layer in layers for kind in kinds)
        return ("loss", *(f"d{name}" for name in found if name in self.parameters))

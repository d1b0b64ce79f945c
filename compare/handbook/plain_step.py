"""One update as one writes it in an evening: where the mistakes of the optimiser are planted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def step(
    parameters: Mapping[str, NDArray[Any]],
    gradients: Mapping[str, NDArray[Any]],
    state: Mapping[str, NDArray[Any]],
    *,
    learning_rate: float,
    momentum: float,
) -> tuple[Arrays, Arrays]:
    """Gradient descent with momentum, the learning rate inside the velocity."""
    parameters_after, state_after = {}, {}
    for name, w in parameters.items():
        dw = gradients[name]
        v = state.get(f"v_{name}", np.zeros_like(w))
        v = momentum * v + learning_rate * dw
        w = w - v
        parameters_after[name], state_after[f"v_{name}"] = w, v
    return parameters_after, state_after

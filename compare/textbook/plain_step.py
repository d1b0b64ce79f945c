"""One update as one writes it in an evening: every equation on a line of its own, once.

`update` runs on arrays here and on pairs in the textbook; a mistake of the optimiser is what
somebody writes in place of one of its lines. In the velocity form the learning rate stands inside
the velocity, in the buffer form outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays


def first_velocity(w: Any) -> Any:
    """Velocity before the first update."""
    start = np.zeros_like(w)
    return start


def update(
    name: str,
    w: Any,
    dw: Any,
    v: Any,
    *,
    learning_rate: float,
    momentum: float,
    form: str = "velocity",
    earlier: Any = 0.0,
    first: bool = False,
) -> tuple[Any, Any]:
    """One parameter and its velocity after the update.

    `earlier` is the gradient of the update before and `first` tells the first update: the right
    equations need neither.
    """
    inside, outside = (learning_rate, 1) if form == "velocity" else (1, learning_rate)
    v = momentum * v + inside * dw
    w = w - outside * v
    return w, v


EARLIER: Arrays = {}
"""Gradients of the update before, which a step that gets things mixed up may use."""


def step(
    parameters: Mapping[str, NDArray[Any]],
    gradients: Mapping[str, NDArray[Any]],
    state: Mapping[str, NDArray[Any]],
    *,
    learning_rate: float,
    momentum: float,
) -> tuple[Arrays, Arrays]:
    """Gradient descent with momentum."""
    after, state_after = {}, {}
    for name, w in parameters.items():
        dw = gradients[name]
        first = f"v_{name}" not in state
        v = first_velocity(w) if first else state[f"v_{name}"]
        earlier = np.zeros_like(w) if first else EARLIER.get(name, np.zeros_like(w))
        after[name], state_after[f"v_{name}"] = update(
            name, w, dw, v, learning_rate=learning_rate, momentum=momentum,
            earlier=earlier, first=first,
        )  # fmt: skip
        EARLIER[name] = dw
    return after, state_after

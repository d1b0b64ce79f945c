"""The network with every value on the way shown, unless fewer are asked for."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from manual_mlp import objective
from manual_mlp.arrays import Array, Arrays
from manual_mlp.network import backward, forward
from manual_mlp.objective import evaluate

__all__ = ["backward", "evaluate", "forward", "loss_and_gradients"]


def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    intermediates: Literal[True] | Collection[str] = True,
    **options: Any,
) -> tuple[float, Arrays, Arrays]:
    """Loss, gradients and values on the way, with the options of `objective.loss_and_gradients`."""
    return objective.loss_and_gradients(
        parameters, x, targets, intermediates=intermediates, **options
    )

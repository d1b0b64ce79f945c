"""What may stand between the last layer and the loss: o = output(z), z being the logits.

A table with one entry each: the value, and how dL/do becomes dL/dz.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from manual_mlp.arrays import Array
from manual_mlp.loss import softmax
from manual_mlp.smooth import sigmoid


@dataclass(frozen=True, slots=True)
class Output:
    """`value(z) -> o` and `pull(do, z, o) -> dz`, all (N, K)."""

    value: Callable[[Array], Array]
    pull: Callable[[Array, Array, Array], Array]


def softmax_pull(do: Array, z: Array, o: Array) -> Array:
    """The full Jacobian of the softmax, dp_j/dz_k = p_j ([j = k] - p_k).

    dz_k = sum_j do_j p_j ([j = k] - p_k) = p_k (do_k - sum_j do_j p_j)
    """
    dz: Array = o * (do - (do * o).sum(axis=1, keepdims=True))
    return dz


OUTPUTS: dict[str, Output] = {
    "identity": Output(lambda z: z, lambda do, z, o: do),
    "sigmoid": Output(sigmoid, lambda do, z, o: do * o * (1 - o)),
    "tanh": Output(np.tanh, lambda do, z, o: do * (1 - o * o)),
    "relu": Output(lambda z: np.maximum(z, 0), lambda do, z, o: do * (z > 0)),
    "softmax": Output(softmax, softmax_pull),
}

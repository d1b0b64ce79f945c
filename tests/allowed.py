"""Random networks, and what their numbers are allowed: for the tests of the allowances."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

import manual_mlp
from compare.allowance import Allowances, Arithmetic, Batch, gradients, network_allowances
from compare.allowance.alike import row_identities

Array = NDArray[Any]
DTYPES = ("float64", "float32")

BIASES_LIKE_WEIGHTS = mock.patch.object(gradients, "CHEAP", 0)
"""Partial sums of a bias may be far below the worst order: here nobody looks at them."""


def network(
    sizes: tuple[int, ...], rows: int, *, seed: int = 0, dtype: str = "float64", scale: float = 1.0
) -> tuple[dict[str, Array], Array, Array]:
    generator = np.random.default_rng(seed)
    parameters: dict[str, Array] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        parameters[f"w{layer}"] = generator.normal(size=(fan_in, fan_out)) / np.sqrt(fan_in)
        parameters[f"b{layer}"] = generator.normal(size=fan_out) / 5
    x = scale * generator.normal(size=(rows, sizes[0]))
    targets = np.eye(sizes[-1])[generator.integers(sizes[-1], size=rows)]
    return (
        {name: array.astype(dtype) for name, array in parameters.items()},
        x.astype(dtype),
        targets.astype(dtype),
    )


def allowed(
    drawn: tuple[dict[str, Array], Array, Array], activation: str, **options: Any
) -> Allowances:
    parameters, x, targets = drawn
    _, gradients, values = manual_mlp.loss_and_gradients(
        parameters, x, targets, activation=activation, intermediates=True
    )
    return network_allowances(
        Arithmetic.of(x.dtype), parameters, Batch(x, targets, row_identities(x)), values, gradients,
        activation=activation, **options,
    )  # fmt: skip

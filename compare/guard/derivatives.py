"""Functions that return derivatives and no loss: called on copies, under guard, and read.

hessian_vector_product(parameters, x, targets, direction) -> {name: shape of the parameter}
per_sample_gradients(parameters, x, targets) -> {name: (N, shape of the parameter)}
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.guard.contract import Reader
from compare.guard.implementation import Guarded

PER_SAMPLE = "per_sample_gradients"


def is_product(function: Callable[..., Any]) -> bool:
    """Whether a function asks for a direction, as a Hessian-vector product does."""
    try:
        return "direction" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


class GuardedProduct(Guarded):
    """A Hessian-vector product under guard."""

    positions = ("parameters", "x", "targets", "direction")

    def __call__(
        self, parameters: Mapping[str, Array], x: Array, targets: Array, direction: Arrays
    ) -> Arrays:
        """Return H v, read and checked for names, shapes and format."""
        given: dict[str, Any] = {"parameters": parameters, "x": x, "targets": targets}
        value = self.call({**given, "direction": direction})
        reader = Reader(self.function, parameters, len(x), self.guard.notes)
        return self.read(lambda: reader.arrays(value, "product", parameters))


class GuardedSamples(Guarded):
    """Per-sample gradients under guard."""

    positions = ("parameters", "x", "targets")

    def __call__(self, parameters: Mapping[str, Array], x: Array, targets: Array) -> Arrays:
        """Return the gradients of every row, read and checked."""
        value = self.call({"parameters": parameters, "x": x, "targets": targets})
        due = {name: np.zeros((len(x), *w.shape), w.dtype) for name, w in parameters.items()}
        reader = Reader(self.function, due, len(x), self.guard.notes)
        return self.read(lambda: reader.arrays(value, "gradient", due))

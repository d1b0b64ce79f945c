"""What a layer of the benchmark is: inputs to draw, a torch reference, honest writings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Inputs = dict[str, Array]
Manual = Callable[[Inputs, Any], tuple[Any, Inputs]]
Draw = Callable[[np.random.Generator, int, float], Inputs]


@dataclass(frozen=True)
class Layer:
    """`draw(generator, batch, scale)` gives float64 inputs; `honest` has several ways of writing.

    `scalar`: a loss without dy.
    """

    name: str
    draw: Draw
    reference: Callable[..., Any]
    honest: Mapping[str, Manual]
    wrt: tuple[str, ...]
    scalar: bool = False


def normal(generator: np.random.Generator, *shape: int, scale: float = 1.0) -> Array:
    """Return normal numbers."""
    return np.asarray(scale * generator.normal(size=shape))


def in_format(inputs: Inputs, dtype: str) -> Inputs:
    """Return floating inputs in a format, the others as they are."""
    return {k: v.astype(dtype) if v.dtype.kind == "f" else v for k, v in inputs.items()}

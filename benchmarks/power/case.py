"""One point of the population: a network, its weights, a batch and targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Arrays = dict[str, Array]
Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a point is drawn for."""

    activation: str
    reduction: str
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Sketch:
    """A case before its numbers are rounded to its format."""

    parameters: dict[str, Float]
    x: Float
    targets: Float


@dataclass(frozen=True, slots=True)
class Case:
    """One point at which implementations are compared. `x` (N, F), `targets` (N, K)."""

    kind: str
    parameters: Arrays
    x: Array
    targets: Array
    activation: str
    reduction: str

    @property
    def depth(self) -> int:
        """Number of layers L."""
        return len(self.parameters) // 2

    @property
    def dtype(self) -> np.dtype[Any]:
        """The compared format."""
        return self.x.dtype

    @property
    def sizes(self) -> tuple[int, ...]:
        """`(F, H, ..., K)`."""
        widths = (self.parameters[f"b{i}"].size for i in range(1, self.depth + 1))
        return (self.x.shape[1], *widths)

    @property
    def entries(self) -> int:
        """Number of parameters."""
        return sum(values.size for values in self.parameters.values())

    @property
    def operations(self) -> float:
        """Multiplications of one forward pass."""
        return float(len(self.x) * sum(w.size for w in self.parameters.values()))

    def of_format(self, dtype: Any) -> Case:
        """Return the same point in another format."""
        parameters = {name: values.astype(dtype) for name, values in self.parameters.items()}
        x, targets = self.x.astype(dtype), self.targets.astype(dtype)
        return Case(self.kind, parameters, x, targets, self.activation, self.reduction)


def as_case(kind: str, drawn: Sketch, setting: Setting) -> Case:
    """Round a sketch to its format; target rows sum to 1 there as well as they can."""
    dtype = setting.dtype
    parameters = {k: np.ascontiguousarray(v.astype(dtype)) for k, v in drawn.parameters.items()}
    x, targets = (np.ascontiguousarray(a.astype(dtype)) for a in (drawn.x, drawn.targets))
    return Case(kind, parameters, x, targets, setting.activation, setting.reduction)


def norm(values: NDArray[np.floating]) -> float:
    """The Frobenius norm, without a square that overflows or vanishes."""
    peak = float(np.abs(values).max(initial=0.0))
    if not 0 < peak < np.inf:
        return peak
    return peak * float(np.linalg.norm(values.astype(np.float64) / peak))

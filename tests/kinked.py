"""Points on kinks, made on purpose: networks whose chosen units have a pre-activation of zero.

The row is moved along the gradient of its unit's pre-activation until that is zero up to rounding,
or a blank row makes it exactly zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import manual_mlp
from compare.allowance import Arithmetic
from compare.checks.examined import Examined
from compare.checks.same_point import SamePoint
from compare.contracts.arrays import Arrays
from torch_reference import Reference

Array = NDArray[Any]
Unit = tuple[int, int, int]
"""(layer, row, unit)"""


@dataclass(frozen=True)
class Kinked:
    """A relu network, its data and the units put on a kink."""

    parameters: Arrays
    x: Array
    targets: Array
    dtype: str

    @property
    def sizes(self) -> tuple[int, ...]:
        """F, H, ..., K."""
        biases = [self.parameters[f"b{i + 1}"].size for i in range(len(self.parameters) // 2)]
        return (self.x.shape[1], *biases)

    def z(self, unit: Unit) -> float:
        """The pre-activation of a unit, as the reference computes it."""
        layer, row, number = unit
        return float(of_reference(self.parameters, self.x)[f"z{layer}"][row, number])

    def gradients(self, slopes: dict[Unit, float]) -> tuple[float, Arrays]:
        """Our loss and gradients, with the slopes of some units chosen by hand."""
        return with_slopes(self.parameters, self.x, self.targets, slopes)

    def judged(self, loss: float, gradients: Arrays) -> Examined:
        """What the same-point check says."""
        check = SamePoint(
            Reference(self.sizes, dtype=self.dtype), Arithmetic.of(self.dtype), "relu", "mean"
        )
        return check(self.parameters, self.x, self.targets, loss, gradients)


def of_reference(parameters: Arrays, x: Array) -> Arrays:
    """The reference's `z1, h1, ..., logits`.

    A unit on a kink has a z of 0 up to rounding. Which side of 0 it falls on depends on the
    processor and on the library: only the side the reference itself took tells which is the other.
    """
    depth = len(parameters) // 2
    sizes = (x.shape[1], *(parameters[f"b{layer}"].size for layer in range(1, depth + 1)))
    targets = np.zeros((len(x), sizes[-1]), dtype=x.dtype)
    return Reference(sizes, dtype=x.dtype).evaluate(parameters, x, targets, intermediates=True)[2]


def with_slopes(
    parameters: Arrays, x: Array, targets: Array, slopes: dict[Unit, float]
) -> tuple[float, Arrays]:
    """Loss and gradients of a relu network with the given slopes, elsewhere the reference's."""
    values = manual_mlp.forward(parameters, x)
    sides = of_reference(parameters, x)
    depth = len(parameters) // 2
    dz = manual_mlp.grad_ce(targets, values["logits"])
    gradients: Arrays = {}
    for layer in range(depth, 0, -1):
        h = values[f"h{layer - 1}"] if layer > 1 else x
        gradients |= {f"w{layer}": h.T @ dz, f"b{layer}": dz.sum(axis=0)}
        if layer > 1:
            slope = (sides[f"z{layer - 1}"] > 0).astype(x.dtype)
            for (below, row, unit), chosen in slopes.items():
                if below == layer - 1:
                    slope[row, unit] = chosen
            dz = (dz @ parameters[f"w{layer}"].T) * slope
    loss = manual_mlp.cross_entropy(values["logits"], targets)
    return loss, {name: gradients[name] for name in parameters}


def kinked(
    units: list[Unit],
    sizes: tuple[int, ...] = (7, 6, 5, 3),
    *,
    rows: int = 11,
    dtype: str = "float32",
    seed: int = 0,
) -> Kinked:
    """A random network with the given units on a kink; at most one unit per row."""
    generator = np.random.default_rng(seed)
    parameters: Arrays = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        parameters[f"w{layer}"] = generator.normal(size=(fan_in, fan_out)) * np.sqrt(2 / fan_in)
        parameters[f"b{layer}"] = generator.normal(size=fan_out) / 5
    x = generator.normal(size=(rows, sizes[0]))
    targets = np.eye(sizes[-1])[generator.integers(sizes[-1], size=rows)]
    for unit in units:
        x[unit[1]] = moved_onto(parameters, x[unit[1]], unit)
    return Kinked(
        {name: array.astype(dtype) for name, array in parameters.items()},
        x.astype(dtype),
        targets.astype(dtype),
        dtype,
    )


def moved_onto(parameters: Arrays, x: Array, unit: Unit) -> Array:
    """The nearest row for which the unit's z is 0; z is linear as long as no mask changes."""
    layer, _, number = unit
    for _ in range(10):
        values = manual_mlp.forward(parameters, x[None])
        slope = parameters[f"w{layer}"][:, number]
        for below in range(layer - 1, 0, -1):
            slope = parameters[f"w{below}"] @ ((values[f"z{below}"][0] > 0) * slope)
        assert slope.any(), f"unit {unit} cannot be reached from this row; choose another"
        x = x - values[f"z{layer}"][0, number] * slope / (slope @ slope)
    return x

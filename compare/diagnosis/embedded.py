"""Wide probes that are small networks inside: for code that takes no other widths than its own.

A mistake shows in a few units as well as in a thousand. All but a few inputs are 0, all but a few
hidden units are silent and lead nowhere, so loss and gradients of the few are those of a small
network, and every mistake is looked for there. What is found must then reproduce a random network
of the full widths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.diagnosis.observation import Observation
from compare.points.diagnostic import reduced
from compare.textbook import Point

Array = NDArray[Any]
Arrays = Mapping[str, Array]
SILENT = -1.0
"""The bias of a unit that is to be silent: below the kink of every activation that has one at 0."""
ACTIVATIONS = ("relu", "tanh", "identity")
"""Activations of which a unit can be made silent: its value is 0, whatever comes in."""


@dataclass(frozen=True)
class Inside:
    """The widths (F, H, ..., K) of the code, and those of the small network inside."""

    wide: tuple[int, ...]
    small: tuple[int, ...]

    def point(self, point: Point) -> Point:
        """Return a small point as one of the full widths."""
        parameters: dict[str, Array] = {}
        for name, array in point.parameters.items():
            layer = int(name[1:])
            shape = (self.wide[layer - 1], self.wide[layer])[-array.ndim :]
            last = layer == point.depth
            rest = SILENT if name[0] == "b" and not last and point.activation == "relu" else 0.0
            parameters[name] = padded(array, shape, rest)
        x = padded(point.x, (len(point.x), self.wide[0]), 0.0)
        return replace(point, parameters=parameters, x=x)

    def seen(self, observation: Observation, point: Point) -> Observation:
        """Return what was seen at the wide point as it was seen of the small one."""
        cut = dict(zip(self.wide, self.small, strict=True))
        seen = {
            name: array[tuple(slice(cut.get(size, size)) for size in array.shape)]
            for name, array in observation.seen.items()
        }
        return Observation(point, seen, observation.label)


def padded(array: Array, shape: tuple[int, ...], rest: float) -> Array:
    """Return an array in the first entries of a larger one that is `rest` elsewhere."""
    larger = np.full(shape, rest, dtype=array.dtype)
    larger[tuple(slice(size) for size in array.shape)] = array
    return larger


def inside(sizes: Sequence[int], activation: str) -> Inside | None:
    """Return the small network inside one of these widths; None where there is none to find.

    The classes stay as many as they are: a class cannot be silent.
    """
    small = (*reduced(sizes)[:-1], sizes[-1])
    cut = dict(zip(sizes, small, strict=True))
    one_each = [cut[size] for size in sizes] == list(small)
    if activation not in ACTIVATIONS or small == tuple(sizes) or not one_each:
        return None
    return Inside(tuple(sizes), small)


Looked = Callable[[Sequence[tuple[str, Point]]], list[Observation]]


def seen_inside(
    network: Inside, points: Sequence[tuple[str, Point]], observe: Looked
) -> list[Observation]:
    """Return what code of the full widths computes at small points put inside."""
    found = []
    for label, point in points:
        for observation in observe([(label, network.point(point))]):
            found.append(network.seen(observation, point))
    return found

"""One layer called at one point: its output, what its backward pass gives, and central differences
of its forward pass along directions of its input and of its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.alone.making import Way
from compare.examine.starter.construct import drawn_alike
from compare.examine.starter.own.leaves import leaves_of
from compare.examine.starter.own.slopes import NEAR, STEP, Slope, slope_of
from compare.examine.starter.slots import Slot

SMALL, APART = 0.1, 0.3
"""How large the slopes that are handed back are, below what anybody clips at, and how far the
parameters are moved from what the class gives them: gammas of 1 hide what they should scale."""
INPUT = "x"
MOST_NUMBERS = 4_000


class NoLayer(Exception):
    """What was called is no layer whose passes can be compared."""


@dataclass(frozen=True)
class Called:
    """What a forward and a backward pass gave."""

    output: Array
    returned: tuple[Array, ...]
    slots: tuple[Slot, ...]
    """Every array that the object holds afterwards."""
    moved: bool
    """Whether the backward pass moved a parameter."""


@dataclass
class Layer:
    """One layer: everything is drawn alike at every call."""

    way: Way
    slopes_of: dict[tuple[str, int], Slope] = field(default_factory=dict)

    @cached_property
    def x(self) -> Array:
        """Its input."""
        return np.random.default_rng(1).normal(size=self.way.shape)

    @cached_property
    def dy(self) -> Array:
        """What is handed back to it."""
        return SMALL * np.random.default_rng(2).normal(size=self.output(self.x, {}).shape)

    def made(self, parameters: Mapping[str, Array]) -> Any:
        """The object, with some of its arrays set."""
        thing = self.way.cls(*self.way.given)
        slots = held(thing)
        for name, array in parameters.items():
            slots[name].put(array.copy())
        return thing

    def output(self, x: Array, parameters: Mapping[str, Array]) -> Array:
        """The output for an input."""
        with drawn_alike():
            return self.forward(self.made(parameters), x)

    def forward(self, thing: Any, x: Array) -> Array:
        """The forward pass of an object."""
        found = getattr(thing, self.way.forward)(x.copy(), *self.way.further)
        if not isinstance(found, np.ndarray) or found.dtype.kind != "f":
            raise NoLayer
        if not (found.size and found.size < MOST_NUMBERS and np.isfinite(found).all()):
            raise NoLayer
        return found.copy()

    @cached_property
    def parameters(self) -> Arrays:
        """The arrays that its output depends on, moved from what the class gives them."""
        found: Arrays = {}
        with drawn_alike():
            start = {name: one.array.copy() for name, one in held(self.made({})).items()
                     if not one.of_gradients}  # fmt: skip
        still = self.output(self.x, {})
        for number, (name, array) in enumerate(start.items()):
            drawn = np.random.default_rng([3, number]).normal(size=array.shape)
            moved = array + APART * drawn
            if not np.array_equal(self.output(self.x, {name: moved}), still):
                found[name] = moved
        return found

    def called(self) -> Called:
        """Call both passes."""
        with drawn_alike():
            thing = self.made(self.parameters)
            output = self.forward(thing, self.x)
            back = thing.backward(self.dy.copy())
        slots = held(thing)
        moved = any(not np.array_equal(slots[name].array, one) if name in slots else True
                    for name, one in self.parameters.items())  # fmt: skip
        returned = back if isinstance(back, tuple | list) else (back,)
        arrays = tuple(one for one in returned if isinstance(one, np.ndarray))
        return Called(output, arrays, tuple(slots.values()), moved)

    def value(self, name: str, by: Array) -> float:
        """The sum of dy times the output, with the input or a parameter moved."""
        x = self.x + by if name == INPUT else self.x
        own = self.parameters
        moved = own if name == INPUT else own | {name: own[name] + by}
        return float((self.dy * self.output(x, moved)).sum())

    def slope(self, name: str, number: int) -> Slope:
        """How fast that rises along one direction."""
        key = name, number
        if key not in self.slopes_of:
            way = self.direction(name, number)
            still = self.value(name, 0 * way)
            far = [self.value(name, step * way) for step in (STEP, -STEP, NEAR, -NEAR)]
            self.slopes_of[key] = slope_of(still, far)
        return self.slopes_of[key]

    def direction(self, name: str, number: int) -> Array:
        """One of several directions, of length 1."""
        shape = self.x.shape if name == INPUT else self.parameters[name].shape
        drawn = np.random.default_rng([4, number, len(name)]).normal(size=shape)
        return drawn / np.linalg.norm(drawn)


def held(thing: Any) -> dict[str, Slot]:
    """The arrays of floats that an object holds, by the way to them."""
    return dict(slots_of(thing))


def slots_of(thing: Any) -> Iterator[tuple[str, Slot]]:
    """Yield them."""
    for way, (holder, key, value) in leaves_of({"": thing}).items():
        if isinstance(value, np.ndarray) and value.ndim:
            words = tuple(one for one in way.split(".") if one)
            yield ".".join(words), Slot(holder, key, words)

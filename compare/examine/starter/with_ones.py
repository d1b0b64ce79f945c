"""Attributes of a class that hold the weight and the bias of a layer in one matrix.

    self.W1 = np.random.randn(n_inputs + 1, n_hidden)

whose first or last row is multiplied by a 1. Each half is a place of its own, so that weights are
put there and gradients are read from there as from two attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.arrays_in import Leaf
from compare.examine.starter.slots import Slot
from compare.examine.starter.unrolled import Unrolled, matrices


@dataclass(frozen=True)
class Half(Slot):
    """The part of an array that holds a weight, or a bias."""

    part: tuple[Any, ...]

    @property
    def array(self) -> Array:
        """What it holds now: a view."""
        found: Array = super().array[self.part]
        return found

    def put(self, array: Array) -> None:
        """Write into the array that is there."""
        self.array[...] = array

    @property
    def held(self) -> Any:
        """Nothing that any other place holds."""
        return self


def forms_of(parameters: Mapping[str, Array], where: str) -> list[Unrolled]:
    """The forms of matrices whose biases are `first` or `last`; none if they have their own."""
    names = tuple(parameters) if where else ()
    layers = [names[place : place + 2] for place in range(0, len(names), 2)]
    return [form for one in layers for form in matrices(one) if form.last == (where == "last")]


def halves_in(
    slots: Sequence[Slot], parameters: Mapping[str, Array], where: str
) -> Iterator[tuple[str, Half]]:
    """The places of weights and biases in matrices that hold both."""
    for slot in slots:
        for form in forms_of(parameters, where):
            if form.fits(slot.array, parameters):
                of_weight, of_bias = (slice(None, -1), -1) if form.last else (slice(1, None), 0)
                for name, part in zip(form.names, (of_weight, of_bias), strict=True):
                    index = (part,) if form.lying else (slice(None), part)
                    yield name, Half(slot.holder, slot.key, slot.way, index)


def opened(
    leaves: Sequence[Leaf], forms: Sequence[Unrolled], parameters: Mapping[str, Array]
) -> Iterator[Leaf]:
    """Arrays in which matrices of these forms are taken apart."""
    for leaf in leaves:
        form = next((one for one in forms if one.fits(leaf.array, parameters)), None)
        if form is None:
            yield leaf
        else:
            halves = form.apart(np.asarray(leaf.array), parameters, False)
            yield from (Leaf((*leaf.way, name), one) for name, one in halves.items())

"""The penalty of a layer whose strength is an attribute that is 0 as it was built.

    if self.l2 > 0: self.dweights += 2 * self.l2 * self.weights

A network of such layers is compared without it. So a layer alone is called once more with each
strength that its backward pass reads, and what that adds has to be a usual term,
    c s w  or  c s sign(w),  c = 1, 2 or 1/2, over 1 or over the rows,
of the weights or of the biases. Which of these the loss has is not shown by a layer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product
from types import FunctionType
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.layer_classes import BACKWARD, FORWARD
from compare.examine.starter.slots import gradient_slots, laid_like, weight_slots
from compare.examine.starter.source import Source
from compare.examine.starter.strengths import FACTORS, OURS, near
from compare.guard.guard import Guard

STRENGTH = re.compile(r".*(regulari|penalt|lambda|lmbda|decay)\w*|(reg|l[12])\w*|\w*l[12]|wd")
"""The name of a strength, without underscores; that it is 0 and read in the backward pass too."""
ROWS, INPUTS, UNITS = 3, 5, 4


def strengths_checked(
    source: Source, names: Iterable[str], guard: Guard
) -> Iterator[FunctionVerdict]:
    """Yield the layers that add no usual term to their gradients, or one that cannot be seen."""
    for name in names:
        try:
            layer = source.load([name]).get(name)
            held = guard.run(partial(strengths_of, layer), name, None)
        except UserCodeError:
            continue
        for strength in held:
            try:
                usual = guard.run(partial(adds_usual, layer, strength), name, None)
            except UserCodeError:
                usual = False
            if not usual:
                yield FunctionVerdict(
                    f"{strength} of {name}", "gradient", source.where(name), Verdict.UNDECIDABLE,
                    f"was not compared: what {strength} adds to the gradients is no usual L1 or L2"
                    " term",
                )  # fmt: skip


def strengths_of(cls: Callable[..., Any]) -> list[str]:
    """The attributes that are 0, named like a strength, and read in the backward pass."""
    back = getattr(cls, BACKWARD, None)
    read = back.__code__.co_names if type(back) is FunctionType else ()
    held = vars(cls(INPUTS, UNITS)).items()
    return [name for name, value in held
            if type(value) in (int, float) and value == 0 and name in read
            and STRENGTH.fullmatch(plain(name))]  # fmt: skip


def adds_usual(cls: Callable[..., Any], strength: str) -> bool:
    """Whether a strength adds a usual term to a gradient, or nothing at all."""
    w = drawn()
    with np.errstate(all="ignore"):
        without, given = (gradients(cls, strength, value, w) for value in (0.0, OURS))
    return set(without) == set(w) and all(
        is_usual(given[name] - without[name], one) for name, one in w.items()
    )


def is_usual(added: Array, w: Array) -> bool:
    """Whether what is added to a gradient is nothing, or a usual term."""
    if not added.any():
        return True
    terms = product(FACTORS, (1, ROWS), (w, np.sign(w)))
    return any(near(added, OURS * factor / over * one) for factor, over, one in terms)


def drawn() -> Arrays:
    """Weights and biases of a layer."""
    generator = np.random.default_rng(0)
    return {"w": generator.normal(size=(INPUTS, UNITS)), "b": generator.normal(size=UNITS)}


def gradients(cls: Callable[..., Any], strength: str, value: float, w: Arrays) -> Arrays:
    """The gradients that a layer leaves at a strength."""
    generator = np.random.default_rng(1)
    layer = cls(INPUTS, UNITS)
    setattr(layer, strength, value)
    slots = weight_slots(layer, w)
    for name, slot in slots.items():
        slot.put(laid_like(w[name], slot.array.shape))
    ahead = next(name for name in FORWARD if hasattr(cls, name))
    getattr(layer, ahead)(generator.normal(size=(ROWS, INPUTS)))
    getattr(layer, BACKWARD)(generator.normal(size=(ROWS, UNITS)))
    found = gradient_slots(layer, w, slots)
    return {name: laid_like(slot.array, w[name].shape).copy() for name, slot in found.items()}

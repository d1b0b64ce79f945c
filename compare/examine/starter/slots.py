"""Where an object of somebody's class keeps its weights and its gradients.

Attributes, entries of dictionaries and lists, and those of objects inside it (a list of layers)
are looked through for arrays; which one is w1, b1, w2 or b2 is told by its shape, at sizes of
which no two are equal.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.binding import plain

DEEPEST = 4
WORDS = r"(?!(data|dense|decoder|down|drop|decay|depth|dim|dtype|dict|deep)\w*$)"
"""What begins with a d and names no gradient."""
GRADIENT_NAME = re.compile(WORDS + r"d[lwb]?[a-z]*\d*|.*(grad|delta|nabla).*")
"""The last name on the way to a gradient, without underscores."""
DENSE = re.compile(r"d\d+")
OTHER_NAME = re.compile(r"[vms][wb]?\d*|vel.*|.*(veloc|moment|cache|prev|sum|avg|best|old|mask).*")
"""The last name on the way to what an optimiser keeps."""
LETTER = re.compile(r"[vms]\d*")
"""Of these, those that a weight may have as well: V beside U, s beside c."""
PENALTY = re.compile(r"reg\w*|lam\w*|lmb\w*|l2\w*|weightdecay|decay|wd|lambd")
"""The strength of a penalty."""
STRENGTH = re.compile(
    r".*(regulari|penalt|lambda|lmbda|decay)\w*|(reg|lam|lmb|l[12])\w*|\w*(reg|lam|lmb|l[12]|wd)"
)
"""The same of a layer, whose backward pass reads it."""
SECOND = re.compile(r"l2(size|units|dim|width|nodes|neurons|in|out)?")
"""Of the first, those that the width of a second layer has as well."""
AHEAD = re.compile("forward|feed|predict|activ|elu")
"""In the names of methods that need no learning rate."""
RATE = re.compile(r"(current|base|initial|init)?(lr|learningrate)|rate|alpha|eta|stepsize")


BIAS = re.compile(r"b[a-z]?\d*|.*bias\w*|.*offset\w*")
"""What may be the name of a bias."""


@dataclass(frozen=True)
class Slot:
    """One place of an object that holds an array: `holder.key` or `holder[key]`, and its way."""

    holder: Any
    key: Any
    way: tuple[str, ...]

    @property
    def array(self) -> Array:
        """What it holds now."""
        if isinstance(self.holder, dict | list):
            return np.asarray(self.holder[self.key])
        return np.asarray(getattr(self.holder, self.key))

    def put(self, array: Array) -> None:
        """Let it hold another array, of the shape it has."""
        laid = np.ascontiguousarray(array)
        if isinstance(self.holder, dict | list):
            self.holder[self.key] = laid
        else:
            setattr(self.holder, self.key, laid)

    @property
    def held(self) -> Any:
        """The object itself that is there."""
        return vars(self.holder)[self.key] if hasattr(self.holder, "__dict__") else (
            self.holder[self.key]
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The last word of its way, in lower case and without underscores."""
        words = [plain(word) for word in self.way if not word.isdigit()]
        return words[-1] if words else ""

    @property
    def of_gradients(self) -> bool:
        """True if any word of its way names a gradient; the d1 of `d1.W` is a dense layer."""
        words = [plain(word) for word in self.way if not word.isdigit()]
        held = (word for word in words[:-1] if not DENSE.fullmatch(word))
        return any(GRADIENT_NAME.fullmatch(word) for word in (*held, *words[-1:]))


def slots_in(thing: Any, way: tuple[str, ...] = ()) -> Iterator[Slot]:
    """Every array of floats that an object holds, in the order in which it was given them."""
    if len(way) >= DEEPEST:
        return
    for key, value in entries(thing):
        here = (*way, str(key))
        if isinstance(value, np.ndarray):
            if value.dtype.kind == "f" and value.ndim in (1, 2):
                yield Slot(thing, key, here)
        elif isinstance(value, dict | list) or hasattr(value, "__dict__"):
            if not isinstance(value, type) and not inspect.isroutine(value):
                yield from slots_in(value, here)


def entries(thing: Any) -> list[tuple[Any, Any]]:
    """Keys and values of a dictionary or list, names and values of an object's attributes."""
    if isinstance(thing, dict):
        return list(thing.items())
    if isinstance(thing, list):
        return list(enumerate(thing))
    return list(vars(thing).items()) if hasattr(thing, "__dict__") else []


def fits(array: Array, wanted: tuple[int, ...]) -> bool:
    """True if an array has a shape, apart from axes of length 1 and from being transposed."""
    long = [size for size in array.shape if size != 1]
    return long in (list(wanted), list(wanted[::-1]))


def put_everywhere(thing: Any, slots: Mapping[str, Slot], arrays: Mapping[str, Array]) -> None:
    """Give an object other arrays, each in every place where it has the same one: layers that were
    handed `params["W1"]` have it as well."""
    places = [(slot, slot.held) for slot in slots_in(thing)]
    for name, slot in slots.items():
        held = slot.held
        for other in [one for one, array in places if array is held] or [slot]:
            other.put(arrays[name])


def weight_slots(thing: Any, due: Mapping[str, Array]) -> dict[str, Slot]:
    """Where w1, b1, ... are, as far as they can be told: the first array of the right shape.

    A letter that an optimiser's state often has is taken where no other array fits.
    """
    slots = [slot for slot in slots_in(thing) if not slot.of_gradients]
    named = [slot for slot in slots if not OTHER_NAME.fullmatch(slot.name)]
    letters = [slot for slot in slots if LETTER.fullmatch(slot.name)]
    found: dict[str, Slot] = {}
    for slot in (*named, *letters):
        for name, array in due.items():
            if name not in found and fits(slot.array, array.shape):
                found[name] = slot
    return found


def is_without_biases(thing: Any, missing: Sequence[str], due: Mapping[str, Array]) -> bool:
    """Whether just the biases are missing in an object, all of them, and no number is one."""
    numbers = [name for name, value in getattr(thing, "__dict__", {}).items()
               if isinstance(value, int | float) and BIAS.fullmatch(plain(name))]  # fmt: skip
    return not numbers and set(missing) == {name for name in due if name[0] == "b"}


def gradient_slots(
    thing: Any, due: Mapping[str, Array], weights: Mapping[str, Slot]
) -> dict[str, Slot]:
    """Where the gradients of w1, b1, ... are: arrays of their shape under a gradient's name.

    Of several the one that is named like the weight: gamma has the shape of the bias before it.
    """
    taken = [(slot.holder, slot.key) for slot in weights.values()]
    slots = [slot for slot in slots_in(thing) if slot.of_gradients and not any(
        slot.holder is holder and slot.key == key for holder, key in taken)]  # fmt: skip
    found: dict[str, Slot] = {}
    for name, array in due.items():
        fitting = [slot for slot in slots if fits(slot.array, array.shape)]
        if fitting:
            found[name] = min(fitting, key=lambda slot: unlike(slot, weights.get(name)))
    return found


def unlike(gradient: Slot, weight: Slot | None) -> tuple[bool, bool]:
    """In which of two ways a gradient is not named as that of a weight: beside it, and at all."""
    named = weight is not None and weight.name in gradient.name
    return not (named and weight is not None and gradient.holder is weight.holder), not named


def laid_like(array: Array, shape: tuple[int, ...]) -> Array:
    """An array brought into another shape: transposed, or with an axis of length 1 more or less."""
    if array.size != np.prod(shape, dtype=int):
        raise ValueError(f"an array of shape {array.shape} cannot be laid like {shape}")
    long = tuple(size for size in array.shape if size != 1)
    turned = array.T if long != tuple(size for size in shape if size != 1) else array
    return turned.reshape(shape)


def strengths_of(thing: Any) -> dict[str, float]:
    """The strengths of penalties that an object has, by the names of its attributes."""
    return {
        name: float(value)
        for name, value in getattr(thing, "__dict__", {}).items()
        if is_strength(name, value)
    }


def is_strength(name: str, value: Any) -> bool:
    """Whether something is a number named like the strength of a penalty; the 64 of `l1, l2 = 128,
    64` is the width of a layer."""
    key = plain(name)
    width = type(value) is int and value > 1 and bool(SECOND.fullmatch(key))
    return bool(PENALTY.fullmatch(key)) and type(value) in (int, float) and not width


def set_strength(thing: Any, strength: float, only: str = "") -> None:
    """Give an object another strength: those of its own that are not 0, or all if every one is; or
    one of them `only`, and 0 for the others."""
    own = strengths_of(thing)
    for name, value in own.items():
        if value or not any(own.values()):
            setattr(thing, name, strength if only in ("", name) else 0.0)


def read_ahead(thing: Any, name: str) -> bool:
    """Whether a forward pass, an activation or a method that one of them calls reads an attribute:
    the `alpha` of a leaky ReLU."""
    methods = {key: one for base in type(thing).__mro__ for key, one in vars(base).items()
               if type(one) is FunctionType}  # fmt: skip
    reached = [key for key in methods if AHEAD.search(plain(key))]
    for key in reached:  # which grows meanwhile
        reached += [one for one in methods[key].__code__.co_names
                    if one in methods and one not in reached]  # fmt: skip
    return any(name in methods[key].__code__.co_names for key in reached)


def set_rate(thing: Any, rate: float) -> bool:
    """Give an object another learning rate, if it has one."""
    names = [name for name in getattr(thing, "__dict__", {})
             if RATE.fullmatch(plain(name)) and not read_ahead(thing, name)]  # fmt: skip
    for name in names:
        setattr(thing, name, rate)
    return bool(names)

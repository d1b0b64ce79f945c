"""The global random generators: how the state of each is read, written back and compared.

Read twice for every call of a user's function, before and after it; code that draws from one of
them has to find it where it would have found it without us.
"""

from __future__ import annotations

import ctypes
import operator
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

WORDS = 624
"""Words of the state of NumPy's generator, a Mersenne twister; the place in them follows."""
HOLDS_A_NORMAL = 3
"""Where a state of NumPy's says whether a normal number was kept for the next draw."""
READ: dict[bytes, Any] = {}
"""The state last read, by its words in memory."""


@dataclass(frozen=True, slots=True)
class Generator:
    """A global random generator: how its state is read, written, and compared with another."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], Any]
    same: Callable[[Any, Any], bool]


def global_generators() -> list[Generator]:
    """Return the generators that exist; torch is never imported."""
    found = [PYTHON, NUMPY]
    torch: Any = sys.modules.get("torch")
    if hasattr(torch, "get_rng_state"):
        found.append(Generator("torch", torch.get_rng_state, torch.set_rng_state, torch.equal))
    return found


def state_of_numpy() -> Any:
    """Return the state of NumPy's global generator, read anew only where it may have moved.

    NumPy hands its 624 words over one by one, twice for every call of a user's function, which
    took longer than many a gradient. The words in memory tell whether one was drawn, except of a
    normal number that was kept from the draw before: a state that holds one is always read.
    """
    words = words_in_memory()
    if words is None:
        return np.random.get_state(legacy=False)  # noqa: NPY002  the code under test draws from it
    if words not in READ:
        state: Any = np.random.get_state()  # noqa: NPY002
        READ.clear()
        if state[HOLDS_A_NORMAL]:
            return state
        READ[words] = state
    return READ[words]


def words_in_memory() -> bytes | None:
    """Return the words of NumPy's global generator and its place in them, None if of a new kind."""
    twister = np.random.mtrand.get_bit_generator()
    if type(twister) is not np.random.MT19937:
        return None
    return ctypes.string_at(twister.ctypes.state_address, (WORDS + 1) * ctypes.sizeof(ctypes.c_int))


def same_parts(one: Any, other: Any) -> bool:
    """Compare two states that are made of numbers, names and arrays in tuples or dictionaries."""
    if one is other:
        return True
    if isinstance(one, dict):  # what NumPy hands over of a generator that is no twister
        one, other = tuple(one.items()), tuple(other.items())
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same_parts, one, other))
    return np.array_equal(one, other)


PYTHON = Generator("Python", random.getstate, random.setstate, operator.eq)
NUMPY = Generator("NumPy", state_of_numpy, np.random.set_state, same_parts)

"""Where the values of a pass live: each in an array of its own, or taking turns in a workspace.

The mathematics does not care and the numbers are the same; the time does. One pass over the
report's network makes 80 MB of hidden values, and fetching fresh memory of that size from the
system costs as much as the elementwise arithmetic done on it.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import numpy as np

from manual_mlp.arrays import Array

# Small enough for a few such arrays to share a cache, large enough for the matrix product of one
# block to be nearly as fast as that of all rows. `python -m benchmarks.speed` measures it.
BLOCK_BYTES = 2**22


class Workspace:
    """Memory lent to one pass after another, allocated when a shape is first met.

    It serves one pass at a time: what it lent is written over by the next pass, and within a
    pass by the next value in the same slot (z1, then h1, then dz1).
    """

    def __init__(self) -> None:
        self._held: dict[Any, Array] = {}

    def lend(
        self, slot: str, shape: tuple[int, int], dtype: np.dtype[Any], order: Literal["C", "F"]
    ) -> Array:
        """The slot's array of this kind, its contents undefined."""
        key = slot, shape, dtype, order
        if key not in self._held:
            self._held[key] = np.empty(shape, dtype, order)
        return self._held[key]


@dataclass(frozen=True, slots=True)
class Memory:
    """Gives every value of a pass its array.

    Without a workspace each value has a fresh array of its own. With one, so have the values
    named in `kept`, which the caller wants to see; all others take turns in its slots.
    """

    workspace: Workspace | None = None
    kept: Container[str] = ()

    def array(
        self,
        name: str,
        slot: str,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        order: Literal["C", "F"] = "C",
    ) -> Array:
        """An array for the value `name`, its contents undefined."""
        if self.workspace is None or name in self.kept:
            return np.empty(shape, dtype, order)
        return self.workspace.lend(slot, shape, dtype, order)

    def own_array(self, name: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> Array | None:
        """An array for a value that can do without one: None unless it has one of its own."""
        wanted = self.workspace is None or name in self.kept
        return np.empty(shape, dtype) if wanted else None


def row_blocks(array: Array) -> Iterator[slice]:
    """Slices that cut the rows of `array` into equal blocks of at most about `BLOCK_BYTES`.

    Several elementwise passes over one block find it in the cache; over the whole array each of
    them would fetch it from main memory again.
    """
    blocks = max(1, ceil(array.nbytes / BLOCK_BYTES))
    size = max(1, ceil(len(array) / blocks))
    return (slice(start, start + size) for start in range(0, len(array), size))

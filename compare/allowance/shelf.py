"""Small arrays that outlive the block of rows they are found in, kept apart from its large ones.

An array of a block that is kept lies in memory between two that are not. The C library then has a
gap there, which an array of the next block often misses by a few bytes: block after block the
process grows by arrays that nobody holds. So what is kept is copied to a shelf of its own, whose
boards are mapped: what nobody has written to takes no memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

import numpy as np

BOARD = 1 << 23
"""Bytes of a board."""
ALIGNED = 64


@dataclass(slots=True)
class Shelf:
    """Takes arrays until it is let go; `boards` hold them one behind the other."""

    boards: list[np.ndarray] = field(default_factory=list)
    used: int = 0

    def put(self, array: Any) -> Any:
        """Return a copy of the array, with the order of its axes in memory."""
        along = array.T if array.flags.f_contiguous and not array.flags.c_contiguous else array
        copy = self._room(along.nbytes).view(along.dtype).reshape(along.shape)
        copy[...] = along
        return copy if along is array else copy.T

    def _room(self, size: int) -> np.ndarray:
        """Return so many bytes that nobody has."""
        begin = -(-self.used // ALIGNED) * ALIGNED
        if not self.boards or begin + size > len(self.boards[-1]):
            self.boards.append(np.frombuffer(mmap(-1, max(BOARD, size)), np.uint8))
            begin = 0
        self.used = begin + size
        return self.boards[-1][begin : self.used]

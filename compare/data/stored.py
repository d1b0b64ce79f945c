"""Rows that stay in their file: they are read, and become numbers of a network, a block at a time.

    file -> the rows that are asked for -> (n, F) in the format of the run

For data larger than memory. Whoever only slices and indexes rows can take a `StoredRows` for an
array (n, F): every answer is an array of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

FLOAT64: np.dtype[Any] = np.dtype(np.float64)
BLOCK_BYTES = 2**22
"""About so many bytes are made of a block of rows where all are gone through."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredRows:
    """Some rows of `values` (m, ...), in the `order` (n,) of their numbers.

    uint8 is divided by 255, in float64; other numbers are taken as they are. Then they are brought
    into these `formats`, one after the other.
    """

    values: NDArray[Any]
    order: NDArray[np.int64]
    formats: tuple[np.dtype[Any], ...] = (FLOAT64,)

    ndim = 2

    @property
    def dtype(self) -> np.dtype[Any]:
        """The format of the rows that are read."""
        return self.formats[-1]

    @property
    def shape(self) -> tuple[int, int]:
        """(n, F)."""
        return len(self.order), prod(self.values.shape[1:])

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return self.dtype.itemsize

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return prod(self.shape)

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """The rows of a slice, (k, F), of numbers of rows, (k, F), or one row, (F,)."""
        wanted = self.order[rows]
        found = as_numbers(np.asarray(self.values[wanted]))
        for dtype in self.formats:
            found = found.astype(dtype, copy=False)
        return found.reshape(*np.shape(wanted), self.shape[1])

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for rows in self.blocks():
            yield from self[rows]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All rows, in memory after all."""
        whole = np.empty(self.shape, self.dtype)
        for rows in self.blocks():
            whole[rows] = self[rows]
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def copy(self) -> StoredRows:
        """The same: nobody can write into it."""
        return self

    def blocks(self) -> Iterator[slice]:
        """Slices that go through all rows, block by block."""
        height = max(1, BLOCK_BYTES // max(1, 8 * self.shape[1]))
        for start in range(0, len(self), height):
            yield slice(start, min(start + height, len(self)))

    def of(self, rows: Any) -> StoredRows:
        """Some of the rows, still in their file."""
        return replace(self, order=self.order[rows])

    def in_format(self, dtype: np.dtype[Any]) -> StoredRows:
        """The same rows in another format."""
        return replace(self, formats=(np.dtype(dtype),))

    def astype(self, dtype: DTypeLike) -> StoredRows:
        """The same numbers in another format: those of float32 keep only its digits."""
        return replace(self, formats=(*self.formats, np.dtype(dtype)))


def as_numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return stored values as float64: the one scale that is applied is uint8's."""
    with np.errstate(over="ignore"):  # a long double too large for float64 is found elsewhere
        found = values.astype(np.float64, order="C")
    if values.dtype == np.uint8:
        found /= 255
    return found

"""Sums of squares in float64, in row blocks that stay in the cache.

The squares of a large activation matrix are never stored: each block is squared and used up while
it is warm. float32 input is widened block by block, so its squares neither overflow nor vanish.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
BLOCK_ENTRIES = 1 << 16
"""Entries of one block: 512 KiB of float64, a share of an ordinary second-level cache."""


def _blocks(array: NDArray[np.floating]) -> Iterator[tuple[slice, Float]]:
    height = max(1, BLOCK_ENTRIES // max(1, array.shape[1]))
    for start in range(0, len(array), height):
        part = slice(start, start + height)
        yield part, array[part].astype(np.float64, copy=False)


def row_squares(array: NDArray[np.floating]) -> Float:
    """Return `sum_j array_ij**2`, (N,), in float64."""
    if array.dtype == np.float64:
        exact: Float = np.einsum("ij,ij->i", array, array)
        return exact
    total = np.empty(len(array))
    for part, block in _blocks(array):
        np.einsum("ij,ij->i", block, block, out=total[part])
    return total


def column_squares_and_sums(array: NDArray[np.floating]) -> tuple[Float, Float]:
    """Return `sum_i array_ij**2` and `sum_i |array_ij|`, both (H,), in float64."""
    squares = np.zeros(array.shape[1])
    sums = np.zeros(array.shape[1])
    for _, block in _blocks(array):
        squares += np.einsum("ij,ij->j", block, block)
        sums += np.abs(block).sum(axis=0)
    return squares, sums


def squared_products(left: NDArray[np.floating], right: Float) -> tuple[Float, Float]:
    """Return `(left**2).T @ right`, (F, M), and the column sums of `left**2`, (F,)."""
    beside = np.concatenate((right, np.ones((len(right), 1))), axis=1)
    product = np.zeros((left.shape[1], beside.shape[1]))
    for part, block in _blocks(left):
        product += (block * block).T @ beside[part]
    return product[:, :-1], product[:, -1]

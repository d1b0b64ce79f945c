"""Sums of squares of whole matrices, right to four digits, which is plenty for an allowance.

The squares of a large matrix are never stored: each block of rows is squared and used up while it
is warm.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Float, Real

BLOCK_BYTES = 128_000
"""Bytes of a block: what is made of them stays in cache, and is small enough (below 128 KiB) that
the C library keeps its memory instead of asking the system for it again."""
DOTTED = 1 << 13
"""Terms of a dot product at a time: from 10,000 on OpenBLAS wakes a second thread for each."""
MOST_ADDED = 1 << 12
"""So many squares are added up in float32, one after the other, before it goes on in float64."""
SAFELY = 1e-30
"""Sums of squares between this and its inverse may be made in float32."""
SMALL = 1e-280
"""A sum of squares below this may have lost some of them."""
SAFE = 2.0**50
"""float32 squares are taken after scaling the largest row to this, so none of them overflows."""
SMALLEST = 2.0**-100
"""Sums of squares of float32 rows below this are not scaled, but widened to float64."""


def blocks(array: Real) -> Iterator[tuple[slice, Real]]:
    """Yield the rows of `array` piece by piece, each with its slice."""
    height = height_of(array)
    for start in range(0, len(array), height):
        part = slice(start, start + height)
        yield part, array[part]


def height_of(array: Real) -> int:
    """Return how many of its rows make a block."""
    row: int = array.shape[1] * array.itemsize
    return max(1, BLOCK_BYTES // max(1, row))


def row_squares(array: Real) -> Float:
    """Return `sum_j array_ij**2`, (N,). What float32 cannot hold is made again in float64."""
    if array.dtype == np.float64:
        return np.asarray(np.vecdot(array, array))
    rows: Float = np.einsum("ij,ij->i", array, array).astype(np.float64)
    doubtful = ~safe(rows)
    if np.count_nonzero(doubtful):
        wide = array[doubtful].astype(np.float64)
        rows[doubtful] = np.vecdot(wide, wide)
    return rows


def column_squares(array: Real) -> Float:
    """Return `sum_i array_ij**2`, (H,), likewise."""
    if array.dtype == np.float64:
        return np.asarray(np.einsum("ij,ij->j", array, array))
    columns = np.zeros(array.shape[1])
    for start in range(0, len(array), MOST_ADDED):
        part = array[start : start + MOST_ADDED]
        columns += np.einsum("ij,ij->j", part, part)
    doubtful = ~safe(columns)
    if np.count_nonzero(doubtful):
        wide = array[:, doubtful].astype(np.float64)
        columns[doubtful] = np.einsum("ij,ij->j", wide, wide)
    return columns


def safe(squares: Real) -> NDArray[np.bool_]:
    """Which sums of squares, made in float32, have neither overflowed nor lost anything."""
    found: NDArray[np.bool_] = (squares > SAFELY) & (squares < 1 / SAFELY)
    return found


def length(array: Real) -> float:
    """Return `sqrt(sum_i array_i**2)` over all entries, whatever their size."""
    flat, total = array.reshape(-1), 0.0
    for start in range(0, flat.size, DOTTED):
        wide = flat[start : start + DOTTED].astype(np.float64, copy=False)
        total += float(np.vdot(wide, wide))
    if SMALL <= total < np.inf:
        return float(np.sqrt(total))
    peak = float(np.abs(flat).max(initial=0.0))
    if not 0 < peak < np.inf:
        return peak
    return peak * float(np.linalg.norm(flat.astype(np.float64) / peak))


def squared_products(left: Real, sizes: Float, across: Float) -> Float:
    """Return `across @ left**2`, (M, F); `sizes` are the `row_squares` of `left`, (N, F).

    float32 is squared in float32, which is exact enough for an allowance, with the largest row
    scaled to 2**50: entries below 1e-34 of it vanish. What would have to be scaled further than
    float32 reaches is widened instead.
    """
    if left.dtype == np.float32 and not np.maximum.reduce(sizes, initial=0.0) > SMALLEST:
        left = left.astype(np.float64)
    dtype, scale, unit = left.dtype, 1.0, None
    if dtype == np.float32:
        peak = float(np.maximum.reduce(sizes))
        scale = SAFE / 2.0 ** np.ceil(np.log2(peak) / 2) if 0 < peak < np.inf else 1.0
        unit = np.maximum.reduce(across, axis=1, keepdims=True)
        unit[unit == 0] = 1.0
        narrow = np.empty(across.shape, np.float32)
        across = np.divide(across, unit, out=narrow, casting="same_kind")
    product = np.zeros((len(across), left.shape[1]), dtype)
    squares = np.empty((height_of(left), left.shape[1]), dtype)
    for part, block in blocks(left):
        square = squares[: len(block)]
        scaled = block if scale == 1.0 else np.multiply(block, dtype.type(scale), out=square)
        np.multiply(scaled, scaled, out=square)
        product += across[:, part] @ square
    if unit is None:
        return product.astype(np.float64, copy=False)
    return product.astype(np.float64) * (unit / scale / scale)


def largest_quotients(above: Real, rows: Float) -> Float:
    """Return `max_i above_ij**2 / rows_i`, (H,), over the i with `rows_i` > 0.

    Rows too short for their inverse to fit the format count as the shortest for which it does.
    """
    root = np.divide(1.0, np.sqrt(rows), out=np.zeros(len(rows)), where=rows > 0)
    root = np.minimum(root, np.finfo(above.dtype).max).astype(above.dtype)
    largest = np.zeros(above.shape[1])
    for part, block in blocks(above):
        scaled = block * root[part, None]
        np.maximum(largest, np.maximum.reduce(np.abs(scaled, out=scaled)), out=largest)
    return largest * largest

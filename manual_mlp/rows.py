"""Blocks of rows: the gradient of a sum over rows is the sum of the gradients of its blocks.

The mathematics is the same for all rows at once; the time and the memory are not. The values of
one block stay in the cache from the line that makes them to the line that reads them, and what a
pass needs does not grow with the number of rows.
"""

from collections.abc import Mapping
from itertools import accumulate
from math import ceil

from manual_mlp.arrays import Array

# Small enough for a few such arrays to share a cache, and for the C library to keep their memory
# from one call to the next. `python -m benchmarks.speed` measures it.
BLOCK_BYTES = 2**19
# Adding up the gradient of a block moves 3 numbers per weight through memory, computing it takes 6
# operations per weight and row: from some hundred rows on the first is a few per cent of that.
LEAST_ROWS = 512


GROUP = 32
"""Each block of so many is a row shorter than the one before it: the C library then puts its arrays
where those of that block lay. An equal array, aligned otherwise, often misses its place by a few
bytes and takes a new one, block after block."""


def row_blocks(rows: int, parameters: Mapping[str, Array]) -> list[slice]:
    """Slices that cut so many rows into blocks of about one size for one pass at the parameters.

    The widest value of a block, (rows of the block, widest layer) with the inputs among the layers,
    takes about `BLOCK_BYTES`; only very wide layers need more, for their `LEAST_ROWS`. No rows are
    one empty block.
    """
    weights = [w for name, w in parameters.items() if name.startswith("w")]
    widest = max(max(w.shape) * w.itemsize for w in weights)
    most = max(LEAST_ROWS, BLOCK_BYTES // widest)
    sizes = block_sizes(rows, max(1, ceil(rows / most)))
    return [slice(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True)]


def block_sizes(rows: int, count: int) -> list[int]:
    """So many sizes that add up to `rows`: see `GROUP`. Tiny blocks are equal but for a row."""
    shorter = [k % GROUP if rows > 2 * GROUP * count else 0 for k in range(count)]
    size, more = divmod(rows + sum(shorter), count)
    return [size - less + (k < more) for k, less in enumerate(shorter)]

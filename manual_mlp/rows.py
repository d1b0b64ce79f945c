"""Blocks of rows: the gradient of a sum over rows is the sum of the gradients of its blocks.

The mathematics is the same for all rows at once; the time and the memory are not. The values of
one block stay in the cache from the line that makes them to the line that reads them, and what a
pass needs does not grow with the number of rows.
"""

from collections.abc import Mapping
from math import ceil

from manual_mlp.arrays import Array

# Small enough for a few such arrays to share a cache, and for the C library to keep their memory
# from one call to the next. `python -m benchmarks.speed` measures it.
BLOCK_BYTES = 2**19
# Adding up the gradient of a block moves 3 numbers per weight through memory, computing it takes 6
# operations per weight and row: from some hundred rows on the first is a few per cent of that.
LEAST_ROWS = 512


def row_blocks(rows: int, parameters: Mapping[str, Array]) -> list[slice]:
    """Slices that cut so many rows into equal blocks for one pass at the parameters.

    The widest value of a block, (rows of the block, widest layer) with the inputs among the layers,
    takes about `BLOCK_BYTES`; only very wide layers need more, for their `LEAST_ROWS`. No rows are
    one empty block.
    """
    weights = [w for name, w in parameters.items() if name.startswith("w")]
    widest = max(max(w.shape) * w.itemsize for w in weights)
    most = max(LEAST_ROWS, BLOCK_BYTES // widest)
    size = max(1, ceil(rows / max(1, ceil(rows / most))))
    return [slice(start, min(start + size, rows)) for start in range(0, max(1, rows), size)]

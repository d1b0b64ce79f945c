"""What every loader ends in: three splits of rows and labels, ready for a network.

Letters: n rows of this split, F values per row, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Rows `x` (n, F) float64, C-contiguous, and their class numbers `labels` (n,) int64.

    Data that memory has no room for stay in their file: then `x` is a `StoredRows`, to be indexed.

    `numbers`, (n, K) float64, are targets that are no classes; labels then say nothing.
    """

    x: NDArray[np.float64]
    labels: NDArray[np.int64]
    numbers: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """A named data set in three splits; labels run from 0 to `classes` - 1.

    `classes` is the number K, `source` the attribution or the path it was read from.
    """

    name: str
    source: str
    classes: int
    train: Split
    validation: Split
    test: Split

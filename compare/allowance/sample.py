"""Which rows are looked at where looking at all of them would cost too much."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=64)
def sampled(count: int, most: int) -> slice | NDArray[np.int64]:
    """Return up to `most` of `count` rows: at random, since data have periods, always the same."""
    if count <= most:
        return slice(None)
    return np.random.default_rng(count).choice(count, most, replace=False)

"""How often a row or a unit occurs: equal rows err equally, so their errors add up, not in squares.

"Errors add in squares" holds for independent errors. A batch of N equal rows makes one error N
times, and the honest ratio grows like sqrt(N) (measured: 20.8 at N = 8,192 without this file). A
row that occurs m times therefore weighs m times in every sum of squares.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def multiplicities(keys: NDArray[np.generic]) -> Float | None:
    """Return for each key how often it occurs, (N,), or None if all differ."""
    order = np.sort(keys)
    if len(keys) < 2 or not (order[1:] == order[:-1]).any():
        return None
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    times: Float = counts[inverse].astype(np.float64)
    return times


def row_identities(x: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return a number per row of `x`, (N,), equal for equal rows; made once per data set."""
    seen: dict[bytes, int] = {}
    rows = np.ascontiguousarray(x)
    return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in rows], dtype=np.int64)


def row_keys(logits: NDArray[np.floating]) -> Float:
    """Return one number per row, (N,), equal for equal rows: a sum with irrational weights."""
    weights = np.sqrt(np.arange(2, logits.shape[1] + 2, dtype=np.float64))
    keys: Float = (logits * weights).sum(axis=1)
    return keys


def row_weights(identities: NDArray[np.int64] | None, logits: NDArray[np.floating]) -> Float:
    """Return the weight of every row of a batch, (N,): its multiplicity in `x` or in the logits.

    Different inputs can have equal logits (a dead layer), and then share the error of everything
    that follows.
    """
    weights = np.ones(len(logits))
    for keys in (identities, row_keys(logits)):
        times = None if keys is None else multiplicities(keys)
        if times is not None:
            np.maximum(weights, times, out=weights)
    return weights

"""How many threads a run gets: the same for both sides, and no more than are worth waking.

The two sides take turns, each with threads of its own that sleep while the other computes. To wake
them at every product costs more than they save in a small network: an epoch of the default run
took 23 to 24 ms on two threads and 10 to 13 ms on one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

WORTH_WAKING = 1 << 27
"""Multiplications of a batch's forward pass from which a second thread pays (measured: between
1.1e8 and 3.1e8 on two cores)."""


def worthwhile_threads(rows: int, sizes: Sequence[int]) -> int | None:
    """Return 1 for batches and networks too small to share out, and None, all there are, else."""
    return 1 if rows * sum(a * b for a, b in pairwise(sizes)) < WORTH_WAKING else None


@contextmanager
def given_threads(count: int | None) -> Iterator[None]:
    """Give the BLAS of NumPy and torch the same number of threads; None changes nothing."""
    if count is None:
        yield
        return
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(limits=count):
            yield
    finally:
        torch.set_num_threads(before)

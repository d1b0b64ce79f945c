"""Points are measured in several processes of one thread each; the answer does not depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context

import torch
from threadpoolctl import threadpool_limits

from benchmarks.power.measures import Point, measure


@contextmanager
def single_threaded() -> Iterator[None]:
    """Use one thread in NumPy and in torch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def one_thread() -> None:
    """Make a worker use one thread for good."""
    threadpool_limits(1)
    torch.set_num_threads(1)


def measured(seed: int, count: int, jobs: int) -> Iterator[Point]:
    """Yield every point, in order; one job is done in this process."""
    one = partial(measure, seed)
    if jobs == 1:
        with single_threaded():
            yield from map(one, range(count))
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=one_thread) as pool:
        yield from pool.map(one, range(count))

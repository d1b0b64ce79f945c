"""Independent measurements in several processes of one thread each; no answer depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

import torch
from threadpoolctl import threadpool_limits

T = TypeVar("T")


class Mapped(Protocol):
    """Apply a function to every item and yield the answers in order, as `map` does."""

    def __call__(self, function: Callable[[Any], T], items: Iterable[Any], /) -> Iterator[T]: ...


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


@contextmanager
def processes(jobs: int) -> Iterator[Mapped]:
    """Lend a `map` that works in `jobs` processes; one job is done in this one."""
    if jobs == 1:
        with single_threaded():
            yield map
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=one_thread) as pool:
        yield pool.map

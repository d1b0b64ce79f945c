"""While a diagnosis runs, Python's collector of cycles comes round less often.

A search keeps every pass that it has computed, hundreds of thousands of small objects, and the
collector walks the youngest of them after every 700 and all of them every now and then: with
nothing found, a third of the time (3.9 s became 2.7 on a network of two layers).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = 20_000
"""So many objects are made between two collections. 200,000 gained a tenth more and took memory."""


class _Searches:
    """How many searches run, and how often the collector came round before the first of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        self.before: tuple[int, ...] = gc.get_threshold()


SEARCHES = _Searches()


@contextmanager
def collected_seldom() -> Iterator[None]:
    """Let the collector come round seldom; the last search on any thread puts it back."""
    with SEARCHES.lock:
        if SEARCHES.running == 0:
            SEARCHES.before = often, *older = gc.get_threshold()
            gc.set_threshold(often and max(SELDOM, often), *older)  # 0: never
        SEARCHES.running += 1
    try:
        yield
    finally:
        with SEARCHES.lock:
            SEARCHES.running -= 1
            if SEARCHES.running == 0:
                gc.set_threshold(*SEARCHES.before)

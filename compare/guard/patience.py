"""How long a call is waited for after one that never returned.

A function that hangs at one point hangs at the next ten as well, and each would be waited for. So
the first call has all of the time, and each that used its time up leaves a tenth of it to the
others of the same check: calls that return take milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

SHARE = 10
LEAST = 1.0
"""Seconds that are waited in any case, unless the user said less."""


@dataclass
class Waited:
    """How many calls of one check never returned."""

    hung: int = 0


CHECK: ContextVar[Waited | None] = ContextVar("CHECK", default=None)
"""Of the check that runs; a check inside of another belongs to that one."""


@contextmanager
def one_check() -> Iterator[None]:
    """Begin with all patience, unless this is part of another check."""
    if CHECK.get() is not None:
        yield
        return
    token = CHECK.set(Waited())
    try:
        yield
    finally:
        CHECK.reset(token)


def seconds_left(timeout: float | None) -> float | None:
    """Return how long the next call is waited for."""
    waited = CHECK.get()
    if timeout is None or waited is None or not waited.hung:
        return timeout
    return min(timeout, max(timeout / float(SHARE) ** waited.hung, LEAST))


def count_one_that_hung() -> None:
    """Remember that a call never returned."""
    waited = CHECK.get()
    if waited is not None:
        waited.hung += 1

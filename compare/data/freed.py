"""Memory that was freed, given back to the system.

The C library keeps what was freed for the next array, and where large arrays of several sizes come
and go it fills up with gaps that none of them fits into.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from compare.contracts.arrays import Arrays

LARGE = 1 << 20
"""Bytes of the parameters from which gaps count; below, the call would take longer than it is
worth."""


def give_back(parameters: Arrays) -> None:
    """Give back what lies free, where parameters are large and the C library is glibc."""
    size = sum(array.nbytes for array in parameters.values())
    trim = _trim() if size >= LARGE else None
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], object] | None:
    """Return the function of glibc, None where the process has another C library."""
    try:
        found: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return found

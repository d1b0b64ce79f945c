"""Readers of option values: each takes the text of one option and says what is wrong with it.

The sentence of an ArgumentTypeError begins with "must be", because argparse puts the option in
front of it.
"""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable

PLOT_FORMATS = ("png", "svg", "pdf")
LARGEST = 2**31 - 1
"""Sizes and counts end where a C int ends: the BLAS takes no more."""


def whole(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to LARGEST."""

    def read(text: str) -> int:
        try:
            found = int(text)
        except ValueError:
            found = least - 1
        if least <= found <= LARGEST:
            return found
        raise ArgumentTypeError(f"must be a whole number from {least} to {LARGEST}, not {text!r}")

    return read


def number(rule: str, accepts: Callable[[float], bool]) -> Callable[[str], float]:
    """Return a reader of the numbers that `rule` describes and `accepts` accepts."""

    def read(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = math.nan
        if accepts(found):
            return found
        raise ArgumentTypeError(f"must be {rule}, not {text!r}")

    return read


def widths(text: str) -> tuple[int, ...]:
    """Read `48`, `512,256` or `512-256`; nothing or `none` is a network of one layer."""
    if text.strip() in ("", "none"):
        return ()
    try:
        return tuple(whole(1)(part) for part in text.replace("-", ",").split(","))
    except ArgumentTypeError:
        raise ArgumentTypeError(
            "must be whole numbers above 0 with commas between them, such as 48 or 512,256, "
            f"or `none`, not {text!r}"
        ) from None


def plot_formats(text: str) -> tuple[str, ...]:
    """Read `png,svg`, each once."""
    formats = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    if set(formats) <= set(PLOT_FORMATS):
        return formats
    raise ArgumentTypeError(
        f"must be among {', '.join(PLOT_FORMATS)}, with commas between them, not {text!r}"
    )

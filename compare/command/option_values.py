"""Readers of option values: each takes the text of one option and says what is wrong with it.

The sentence of an ArgumentTypeError begins with "must be", because argparse puts the option in
front of it.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from compare.contracts.limits import Limit, Unfit, shown

PLOT_FORMATS = ("png", "svg", "pdf")


def read_by(limit: Limit) -> Callable[[str], Any]:
    """Return the reader of an option with this limit."""

    def read(text: str) -> Any:
        try:
            return limit.read(text)
        except Unfit as problem:
            raise ArgumentTypeError(str(problem)) from None

    return read


def plot_formats(text: str) -> tuple[str, ...]:
    """Read `png,svg`, each once."""
    formats = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    if set(formats) <= set(PLOT_FORMATS):
        return formats
    raise ArgumentTypeError(
        f"must be among {', '.join(PLOT_FORMATS)}, with commas between them, not {shown(text)}"
    )

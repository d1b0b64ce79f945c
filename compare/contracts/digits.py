"""Two numbers beside each other, written so that a reader sees that they differ.

In a fixed number of digits 0.12345678 and 0.12345679 may read alike: who is told that one is wrong
then finds no difference.
"""

from __future__ import annotations

EXACT = 17
"""So many digits tell any two numbers of float64 apart."""


def two_values(one: float, other: float, least: int = 7, form: str = "g") -> tuple[str, str]:
    """Write two numbers with as many digits as tell them apart, `least` of them at least.

    `form` is that of a format: `g`, or `e` for numbers below each other in a table.
    """
    for digits in range(least, EXACT + 1):
        written = f"{one:.{digits}{form}}", f"{other:.{digits}{form}}"
        if written[0] != written[1]:
            return written
    return f"{one:.{least}{form}}", f"{other:.{least}{form}}"

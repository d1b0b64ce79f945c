"""A factor between seen and right numbers, said as a form of the sizes: `n / 32`, `1 / K`, `2`.

One batch cannot tell n / 32 from 0.1562; batches of two sizes can.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from compare.textbook import Point

CLOSE = 1e-6
"""Relative distance within which factors are the same number."""
LARGEST = 100_000
"""No batch size or data set that somebody wrote down is larger."""


@dataclass(frozen=True)
class Factor:
    """The factor seen at one point."""

    point: Point
    value: float

    @property
    def rows(self) -> int:
        """Return N."""
        return len(self.point.targets)


FORMS: dict[str, Callable[[Factor], float]] = {
    "N": lambda f: f.rows,
    "1 / N": lambda f: 1 / f.rows,
    "K": lambda f: f.point.targets.shape[1],
    "1 / K": lambda f: 1 / f.point.targets.shape[1],
    "N K": lambda f: f.rows * f.point.targets.shape[1],
    "1 / (N K)": lambda f: 1 / (f.rows * f.point.targets.shape[1]),
    "N / F": lambda f: f.rows / f.point.x.shape[1],
    "N / K": lambda f: f.rows / f.point.targets.shape[1],
    "N / (N - 1)": lambda f: f.rows / (f.rows - 1) if f.rows > 1 else math.nan,
    "(N - 1) / N": lambda f: (f.rows - 1) / f.rows,
}
"""Factors that people make, N rows, K classes and F inputs; the sign is told apart."""


def form(factors: Sequence[Factor]) -> str:
    """Return the common form of factors at several points; empty if they have none."""
    return next(forms(factors), "") if factors else ""


def forms(factors: Sequence[Factor]) -> Iterator[str]:
    """Yield the forms that fit, the simplest first; a single batch size shows only a number."""
    values = [factor.value for factor in factors]
    if same(values):
        if len({factor.rows for factor in factors}) == 1:
            yield from number_or_form(factors)
        else:
            yield from sized(factors)
            yield digits(values[0])
        return
    yield from sized(factors)
    per_row = [factor.value / factor.rows for factor in factors]
    if same(per_row):
        yield scaled("N", per_row[0])
    in_total = [factor.value * factor.rows for factor in factors]
    if same(in_total):
        yield f"{digits(in_total[0])} / N"


def sized(factors: Sequence[Factor]) -> Iterator[str]:
    """Yield the named forms that fit at every point."""
    for sign, mark in ((1, ""), (-1, "-")):
        for name, size in FORMS.items():
            if same([sign * factor.value / size(factor) for factor in factors], 1.0):
                yield mark + name


def number_or_form(factors: Sequence[Factor]) -> Iterator[str]:
    """Yield what a factor seen at one batch size may be: a number, and the forms it has there."""
    value = factors[0].value
    rows = factors[0].rows / value
    short = abs(value - float(f"{value:.2g}")) < CLOSE * abs(value)
    if not short and 1 < rows < LARGEST and abs(rows - round(rows)) < CLOSE * rows:
        yield f"{digits(value)} ({factors[0].rows} / {round(rows)})"
    yield digits(value)


def scaled(name: str, share: float) -> str:
    """Return `name / 32`, or `0.3 name` where the divisor is no whole number."""
    divisor = 1 / share
    if 1 <= abs(divisor) < LARGEST and abs(divisor - round(divisor)) < CLOSE * abs(divisor):
        return f"{name} / {round(divisor)}"
    return f"{digits(share)} {name}"


def same(values: Sequence[float], target: float | None = None) -> bool:
    """Return whether all values are one number, or `target` if given."""
    wanted = values[0] if target is None else target
    return all(abs(value - wanted) <= CLOSE * abs(wanted) for value in values)


def digits(c: float) -> str:
    """Return c with four digits, or with as many as tell it from 1 by two."""
    if c == 1.0:
        return "1"
    zeros = -math.floor(math.log10(abs(c - 1.0)))
    return f"{c:.{max(4, zeros + 2)}g}"

"""Two arrays and an allowance: the one place where the project decides "equal up to rounding".

Agreement is `|manual - reference| <= 1 * allowance` for every entry. NaN agrees with nothing, and
comparing no entries at all is an error, because an empty comparison would pass for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compare.allowance.arithmetic import LAMBDA
from compare.allowance.squares import DOTTED
from compare.checks.ratio import ratio
from compare.contracts.arrays import Float
from compare.contracts.measured import Worst

Allowing = Callable[[slice], Float]
"""Gives the allowances of a part of the flattened entries."""

BLOCK = DOTTED
"""Entries compared at a time: all that is made of them stays in cache."""


HONEST = 0.5
"""Honest ratios stay below this, so an error of `1 + HONEST` allowances is always detected."""


class EmptyComparison(ValueError):
    """There was nothing to compare."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The worst entry of one comparison, and which sides are finite."""

    name: str
    worst: Worst
    manual_finite: bool
    reference_finite: bool
    spread: float = 0.0  # the root mean square of all ratios
    most_spread: float = 1.0  # what rounding may make of it

    @property
    def agrees(self) -> bool:
        """Whether rounding explains every entry, and all of them together."""
        return self.worst.ratio <= 1.0 and self.spread <= self.most_spread

    @property
    def ratio(self) -> float:
        """The worst ratio: of an entry, or of all entries together to what they may be."""
        return max(self.worst.ratio, self.spread / self.most_spread)

    @property
    def decidable(self) -> bool:
        """Whether the reference is a number at all; without one nothing can be said."""
        return self.reference_finite


def compare_entries(
    name: str,
    manual: ArrayLike,
    reference: ArrayLike,
    allowance: ArrayLike | Allowing,
    independent: int = 1,
) -> Comparison:
    """Compare entry by entry; `allowance` has the same shape or is a scalar, or is made on demand.

    The root mean square of the ratios is held against `most_spread(independent)`: errors that every
    entry shares are seen there long before the worst entry is beyond its own allowance.

    Errors: `EmptyComparison` without entries, `ValueError` for different shapes, before anything
    could broadcast.
    """
    left, right = np.asarray(manual), np.asarray(reference)
    if left.shape != right.shape:
        raise ValueError(f"{name}: manual is {left.shape} and reference is {right.shape}.")
    if left.size == 0:
        raise EmptyComparison(f"{name} has no entries, so nothing was compared.")
    allowed = allowance if callable(allowance) else _given(name, allowance, left.shape)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        worst, squares = _worst_entry(left.reshape(-1), right.reshape(-1), allowed)
    finite = bool(np.isfinite(worst.ratio))
    if not finite:
        at = _first_not_finite(left, right, worst.at)
        error = abs(float(left.flat[at]) - float(right.flat[at]))
        worst = Entry(at, error, float(allowed(slice(at, at + 1))[0]), np.inf)
    return Comparison(
        name,
        Worst(
            error=worst.error,
            allowance=worst.allowance,
            ratio=worst.ratio,
            index=tuple(int(i) for i in np.unravel_index(worst.at, left.shape)),
            manual=float(left.flat[worst.at]),
            reference=float(right.flat[worst.at]),
        ),
        manual_finite=finite or bool(np.isfinite(left).all()),
        reference_finite=finite or bool(np.isfinite(right).all()),
        spread=float(np.sqrt(squares / left.size)) if finite else 0.0,
        most_spread=most_spread(independent),
    )


def most_spread(independent: int) -> float:
    """Return what the root mean square of difference / allowance may be.

    An allowance is at least lambda standard deviations wide, so the mean square of the ratios is
    about 1 / lambda**2 at most. Of m independent errors of which each moves 1 / m of all entries,
    the root of it exceeds

        (1 + lambda / sqrt(m)) / lambda

    with a probability of at most exp(-lambda**2 / 2), no more than an entry its allowance. For m
    stand the units of the layer, which share no rounding of their own. But they may share a bias:
    sums of sorted terms do, up to 0.35 in layers of hundreds of units (`benchmarks.power`), and
    where samples are alike and a log-sum-exp is rounded one way in all of them, torch's own
    derivative errs by more than 0.4 of its allowance in every entry of a layer. So what an honest
    entry may be, all of them may be: never below `HONEST`. Never above 1, where the entries alone
    decide.

    Source: Boucheron, Lugosi and Massart (2013), Concentration Inequalities, theorem 5.6 (Gaussian
    concentration of Lipschitz functions).
    """
    return min(1.0, max(HONEST, 1 / LAMBDA + 1 / float(np.sqrt(independent))))


class Entry(NamedTuple):
    """One entry of a comparison, by its place in the flattened array."""

    at: int
    error: float
    allowance: float
    ratio: float


def _given(name: str, allowance: ArrayLike, shape: tuple[int, ...]) -> Allowing:
    """Hand out an allowance that is there already: one for all entries, or one for each."""
    entries = np.asarray(allowance, dtype=np.float64)
    if entries.ndim == 0:
        everywhere = entries.reshape(1)
        return lambda part: everywhere
    if entries.shape != shape:
        raise ValueError(f"{name}: entries are {shape} and their allowance is {entries.shape}.")
    return entries.reshape(-1).__getitem__


def _worst_entry(left: NDArray[Any], right: NDArray[Any], allowed: Allowing) -> tuple[Entry, float]:
    """Return the first entry with the largest ratio, and the sum of the squares of all ratios.

    Block by block, so that a large comparison stays in cache. Where a block is equal throughout,
    which NaN and infinity are not, nobody asks what would have been allowed: the first entry stands
    for it. So it is wherever a side is replayed by the very code that made it.
    """
    worst, squares = Entry(0, 0.0, 0.0, -1.0), 0.0
    for start in range(0, left.size, BLOCK):
        part = slice(start, start + BLOCK)
        if not (left[part] - right[part]).any():
            if not start:
                worst = Entry(0, 0.0, float(allowed(slice(0, 1))[0]), 0.0)
            continue
        error = np.subtract(left[part], right[part], dtype=np.float64)
        np.abs(error, out=error)
        allowance = allowed(part)
        ratios = ratio(error, allowance)
        squares += float(np.vdot(ratios, ratios))
        at = int(ratios.argmax())
        if ratios[at] > worst.ratio:
            permitted = allowance[at if allowance.size > 1 else 0]
            worst = Entry(start + at, float(error[at]), float(permitted), float(ratios[at]))
        if worst.ratio == np.inf:
            break
    return worst, squares


def _first_not_finite(left: NDArray[np.generic], right: NDArray[np.generic], peak: int) -> int:
    """The first entry where either side is not a number one can compare."""
    broken = ~(np.isfinite(left) & np.isfinite(right))
    return int(np.argmax(broken)) if broken.any() else peak


def compare_projection(
    name: str,
    manual: NDArray[np.floating],
    reference: NDArray[np.floating],
    allowance: float,
) -> Comparison | None:
    """Compare `<manual, reference> / <reference, reference>` with 1; None if the reference is 0.

    One number for the whole tensor: it sees a wrong scale that every single entry hides.
    """
    if not np.isfinite(allowance):
        return None
    left, right = manual.reshape(-1), reference.reshape(-1)
    norm = moved = 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, right.size, BLOCK):
            part = slice(start, start + BLOCK)
            wide = right[part].astype(np.float64)
            norm += float(np.vdot(wide, wide))
            moved += float(np.vdot(np.subtract(left[part], wide), wide))
    if not 0.0 < norm < np.inf:
        return None
    shift = moved / norm
    worst = Worst(
        error=abs(shift),
        allowance=allowance,
        ratio=float(ratio(abs(shift), allowance)),
        index=(),
        manual=1.0 + shift,
        reference=1.0,
    )
    return Comparison(name, worst, bool(np.isfinite(shift)), True)

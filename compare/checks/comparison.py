"""Two arrays and an allowance: the one place where the project decides "equal up to rounding".

Agreement is `|manual - reference| <= 1 * allowance` for every entry. NaN agrees with nothing, and
comparing no entries at all is an error, because an empty comparison would pass for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compare.result import Worst


class EmptyComparison(ValueError):
    """There was nothing to compare."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The worst entry of one comparison, and which sides are finite."""

    name: str
    worst: Worst
    manual_finite: bool
    reference_finite: bool

    @property
    def agrees(self) -> bool:
        """Whether rounding explains every entry."""
        return self.worst.ratio <= 1.0

    @property
    def decidable(self) -> bool:
        """Whether the reference is a number at all; without one nothing can be said."""
        return self.reference_finite


def compare_entries(
    name: str, manual: ArrayLike, reference: ArrayLike, allowance: ArrayLike
) -> Comparison:
    """Compare entry by entry; `allowance` has the same shape or is a scalar.

    An allowance that came out as NaN (infinity times zero, in a run that diverges) tells as little
    as an infinite one.

    Errors: `EmptyComparison` without entries, `ValueError` for different shapes, before anything
    could broadcast.
    """
    left, right = np.asarray(manual), np.asarray(reference)
    if left.shape != right.shape:
        raise ValueError(f"{name}: manual is {left.shape} and reference is {right.shape}.")
    if left.size == 0:
        raise EmptyComparison(f"{name} has no entries, so nothing was compared.")
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        difference = np.asarray(np.subtract(left, right, dtype=np.float64))
        np.abs(difference, out=difference)
        # Equal is equal, also where nothing is allowed; NaN is not 0 and stays NaN.
        ratio = np.divide(difference, allowance, out=np.zeros(left.shape), where=difference != 0)
    peak = int(np.argmax(ratio))  # NaN counts as the largest
    if np.isnan(ratio.flat[peak]) and np.isnan(allowance).any():
        known = np.where(np.isnan(allowance), np.inf, allowance)
        return compare_entries(name, manual, reference, known)
    value = float(ratio.flat[peak])
    finite = np.isfinite(value)
    if not finite:
        peak = _first_not_finite(left, right, peak)
    return Comparison(
        name,
        Worst(
            error=float(difference.flat[peak]),
            allowance=float(np.broadcast_to(allowance, left.shape).flat[peak]),
            ratio=value if finite else np.inf,
            index=tuple(int(i) for i in np.unravel_index(peak, left.shape)),
            manual=float(left.flat[peak]),
            reference=float(right.flat[peak]),
        ),
        manual_finite=bool(finite or np.isfinite(left).all()),
        reference_finite=bool(finite or np.isfinite(right).all()),
    )


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
    right = np.asarray(reference, dtype=np.float64).ravel()
    norm = float(np.vdot(right, right))
    if not 0.0 < norm < np.inf or not np.isfinite(allowance):
        return None
    difference = np.subtract(manual, reference, dtype=np.float64).ravel()
    shift = float(np.vdot(difference, right)) / norm
    worst = Worst(
        error=abs(shift),
        allowance=allowance,
        ratio=abs(shift) / allowance if np.isfinite(shift) else np.inf,
        index=(),
        manual=1.0 + shift,
        reference=1.0,
    )
    return Comparison(name, worst, bool(np.isfinite(shift)), True)

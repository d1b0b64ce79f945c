"""A manual side's numbers at one point, held against the reference's: what became of every tensor.

What an allowance of the reference's graph cannot explain may still not be a mistake, so it is asked
in this order: is it a kink; is it the tail of a function that somebody clipped; is the algebra
right and only loses digits, which the same code shows one precision up. What is left accuses,
unless the allowance itself is in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.comparison import Comparison, compare_entries
from compare.contracts.arrays import Arrays
from compare.contracts.measured import LayerKink
from compare.layers.formats import FORMATS
from compare.layers.points import Point
from compare.layers.survey import Surveyed

CLIPPED = 2.0**-20
"""A difference below this many roundings of a tensor's largest entry is a tail, not a digit."""

SAME = 1e-3
"""Factors so close to each other are one."""


class State(StrEnum):
    """What was found at one point."""

    AGREES = "agrees"
    KINKS = "agrees up to kinks"
    CLIPPED = "agrees but for a clipped tail"
    DIGITS = "right, but loses digits"
    DISAGREES = "disagrees"
    UNDECIDED = "undecided"


@dataclass
class Judged:
    """One point: the manual numbers, and every tensor's comparison. `lost`: digits by tensor.

    `grown`: by tensor, the scale error that shows where only roundings that grow together allow.
    """

    surveyed: Surveyed
    manual: Arrays
    compared: Mapping[str, Comparison]
    missing: tuple[str, ...]
    misshapen: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    state: State
    why: str | None = None
    kinks: tuple[LayerKink, ...] = ()
    lost: Mapping[str, float] = field(default_factory=dict)
    grown: Mapping[str, float] = field(default_factory=dict)

    @property
    def point(self) -> Point:
        """Where this was."""
        return self.surveyed.point

    @property
    def wrong(self) -> list[str]:
        """Return the tensors that rounding does not explain, with those of a wrong form first."""
        off = [name for name, found in self.compared.items() if not found.agrees]
        return [*self.missing, *self.misshapen, *off]

    def allow(self, wider: Arrays) -> bool:
        """Compare again, with wider allowances; return whether a wrong tensor has any."""
        analysed = self.surveyed.analysed
        before = analysed.allowances
        gained = any((wider[name] > before[name]).any() for name in self.wrong)
        self.surveyed = replace(self.surveyed, analysed=replace(analysed, allowances=wider))
        self.compared = judge(self.surveyed, self.manual).compared
        return gained


def judge(surveyed: Surveyed, manual: Arrays) -> Judged:
    """Compare every tensor of a point; nothing is excused yet."""
    right = surveyed.analysed.reference
    missing = tuple(name for name in right if name not in manual)
    misshapen = {
        name: (manual[name].shape, right[name].shape)
        for name in right
        if name in manual and manual[name].shape != right[name].shape
    }
    compared = {
        name: compare_entries(name, manual[name], right[name], surveyed.analysed.allowances[name])
        for name in right
        if name not in missing and name not in misshapen and right[name].size
    }
    judged = Judged(surveyed, manual, compared, missing, misshapen, State.AGREES)
    if surveyed.analysed.doubt is not None:
        judged.state, judged.why = State.UNDECIDED, surveyed.analysed.doubt
    elif judged.wrong:
        judged.state = State.DISAGREES
    return judged


def is_tail(judged: Judged) -> bool:
    """Return whether all that differs is cut off, far below its tensor's last digit."""
    unit = FORMATS[judged.point.format].unit
    if judged.missing or judged.misshapen:
        return False
    for name in judged.wrong:
        right = judged.surveyed.analysed.reference[name]
        manual = np.asarray(judged.manual[name], dtype=np.float64)
        off = np.abs(manual - right)
        beyond = ~(off <= judged.surveyed.analysed.allowances[name])
        if not (off[beyond] <= CLIPPED * unit * np.abs(right).max()).all():
            return False
        if not is_cut(manual[beyond], right[beyond]):
            return False
    return True


def is_cut(manual: NDArray[Any], right: NDArray[Any]) -> bool:
    """Return whether entries may be those of a function with its tail cut off, at 0 or at a bound.

    A cut turns no sign, and multiplies no two entries by one factor other than 1.
    """
    there = right != 0
    factors = manual[there] / right[there]
    if (factors < 0).any():
        return False
    different = np.unique(np.abs(right[there])).size > 1
    one = different and factors.min() > 0 and np.ptp(factors) <= SAME * factors.max()
    return not (one and abs(factors.max() - 1) > SAME)


def digits_lost(judged: Judged) -> dict[str, float]:
    """Return, by tensor, how many decimal digits more than rounding explains are lost.

    No more than the format has.
    """
    most = -np.log10(FORMATS[judged.point.format].unit)
    return {
        name: float(min(np.log10(max(judged.compared[name].worst.ratio, 1.0)), most))
        for name in judged.wrong
        if name in judged.compared
    }


def same_error(name: str, manual: Arrays, other: Arrays, allowance: NDArray[Any]) -> bool:
    """Return whether two answers of the manual side differ by less than an allowance."""
    if manual[name].shape != other[name].shape:
        return False
    return compare_entries(name, manual[name], other[name], allowance).agrees

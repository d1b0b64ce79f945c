"""This project's rule at one point: the same-point check, kinks included, and what it cannot see.

`Power` is the smallest relative error that cannot be missed in a tensor; where that is larger than
promised, the tensor is weak at this point. An all-zero gradient always is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.power.case import Array, Arrays, Case
from compare.allowance import Arithmetic
from compare.allowance.alike import row_identities
from compare.checks.comparison import compare_entries
from compare.checks.examined import Examined, Expected
from compare.checks.same_point import SamePoint
from compare.checks.swept import Swept
from compare.checks.weak import (
    PROMISED,
    PROMISED_OF_ANY_SHAPE,
    smallest_error,
    smallest_scale_error,
)
from torch_reference import Reference


def promised(kind: str, dtype: np.dtype[np.floating]) -> float:
    """Return the relative size from which on a planted error must be detected."""
    return PROMISED[dtype.name] if kind == "scale" else PROMISED_OF_ANY_SHAPE


@dataclass(frozen=True, slots=True)
class Power:
    """The smallest relative errors that cannot be missed in one tensor at one point."""

    scale: float
    any_shape: float
    promised: float

    @property
    def weak(self) -> bool:
        """Whether an error of a promised size could be missed."""
        return not (self.scale <= self.promised and self.any_shape <= PROMISED_OF_ANY_SHAPE)

    def of(self, kind: str) -> float:
        """Return the smallest relative size of a kind of error that cannot be missed."""
        return self.scale if kind == "scale" else self.any_shape


@dataclass(frozen=True, slots=True)
class Judge:
    """The same-point check at one case; the reference is evaluated once for all that is held."""

    case: Case
    check: SamePoint
    expected: Expected

    @classmethod
    def at(cls, case: Case) -> Judge:
        """Evaluate the reference, and what rounding may explain there."""
        check = same_point(case)
        identities = row_identities(case.x)
        return cls(case, check, check.expect(case.parameters, case.x, case.targets, identities))

    @property
    def finite(self) -> bool:
        """Whether the reference is a number; without one nothing can be said."""
        gradients = self.expected.gradients.values()
        return bool(
            np.isfinite(self.expected.loss) and all(np.isfinite(g).all() for g in gradients)
        )

    def hold(self, gradients: Arrays, loss: float | None = None) -> Examined:
        """Hold gradients, and a loss or else the reference's own, against the reference."""
        return self.check.hold(
            self.expected, self.expected.loss if loss is None else loss, gradients
        )

    def power(self) -> dict[str, Power]:
        """Return what could be missed here, per parameter."""
        allowances, dtype = self.expected.point.allowances, self.case.dtype
        return {
            name: Power(
                smallest_scale_error(name, reference, allowances),
                smallest_error(name, reference, allowances),
                PROMISED[dtype.name],
            )
            for name, reference in self.expected.gradients.items()
        }

    def worst(self, examined: Examined, shown: Arrays) -> tuple[float, str]:
        """Return the largest ratio and where: loss, gradients, projections, what a variant shows.

        Where units are on the other side of a kink, everything behind them differs: its gradients
        have been held against a reference that takes the same side, its intermediates cannot be.
        """
        ratios = {name: one.ratio for name, one in examined.comparisons.items()}
        values, allowances = self.expected.point.values, self.expected.point.allowances
        if isinstance(values, Swept):
            values = values.whole()  # all but p, which torch does not show
        flipped = self.case.activation == "relu" and any(
            ((z > 0) != (values[name] > 0)).any() for name, z in shown.items() if name[0] == "z"
        )
        for name, manual in shown.items():
            allowance = allowances.intermediate(name) if name in values else None
            if allowance is not None and not (flipped and name[0] == "d"):
                compared = compare_entries(name, manual, values[name], allowance)
                ratios[name] = compared.worst.ratio
        where = max(ratios, key=lambda name: ratios[name])
        return ratios[where], where


def same_point(case: Case) -> SamePoint:
    """Return the check for networks like the case's."""
    reference = Reference(
        case.sizes, activation=case.activation, reduction=case.reduction, dtype=case.dtype
    )
    return SamePoint(reference, Arithmetic.of(case.dtype), case.activation, case.reduction)


def median_allowance(reference: Array, allowance: Array) -> float | None:
    """Return the median allowance of the non-zero entries in u, relative to them; None without.

    An allowance that is not a number allows everything, as in the comparison itself.
    """
    some = reference != 0
    if not some.any():
        return None
    unit = float(np.finfo(reference.dtype).eps) / 2
    with np.errstate(over="ignore"):
        relative = allowance[some] / np.abs(reference[some], dtype=np.float64)
    return float(np.median(np.where(np.isnan(relative), np.inf, relative))) / unit

"""The third witness: does the manual gradient belong to the manual side's own loss?

    R(h) = L(theta + h d) - L(theta) - h <g, d>

shrinks as h**2 if g is the gradient of L and as h if it is not; no step size has to be believed,
only a slope. It asks neither torch nor our derivation. In float64, and its power ends near
the rounding of the loss: an error below `power` leaves it undecided.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.records import Arrays, Implementation

Float = NDArray[np.float64]

STEPS = 2.0 ** -np.arange(2, 34)
"""Step sizes in units of the parameter's own norm, halved each time."""
NOISE = 16.0
"""Remainders below this many roundings of the loss are not used for the slope."""


class Belongs(StrEnum):
    """What the slope says of the manual gradient and the manual loss."""

    YES = "slope 2: the gradient belongs to the loss"
    NO = "slope 1: the gradient does not belong to the loss"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Taylor:
    """One Taylor test along `direction` in `parameter`. `power`: the smallest error it can see."""

    parameter: str
    direction: str
    h: Float
    remainder: Float
    used: NDArray[np.bool_]
    slope: float
    power: float
    error: float
    belongs: Belongs

    def as_mapping(self) -> dict[str, Any]:
        """Return plain values for reports and plots."""
        return {
            "parameter": self.parameter,
            "direction": self.direction,
            "h": self.h.tolist(),
            "remainder": self.remainder.tolist(),
            "used": self.used.tolist(),
            "slope": self.slope,
            "power": self.power,
            "error": self.error,
            "belongs": str(self.belongs),
        }


def taylor_test(
    implementation: Implementation,
    parameters: Arrays,
    x: NDArray[Any],
    targets: NDArray[Any],
    parameter: str,
    gradient: NDArray[Any],
    difference: NDArray[Any],
) -> Taylor:
    """Test the observed `gradient` along its observed difference `manual - reference`.

    Along its own direction an error e of the gradient shows as `R(h) -> -h ||e||`, the largest it
    can be, so `||difference||` is what the test must be able to see. The gradient is the one that
    stands accused, not a new one: a fault of one update does not come back when asked again.
    """
    theta = {k: np.ascontiguousarray(v, dtype=np.float64) for k, v in parameters.items()}
    x64, targets64 = x.astype(np.float64), targets.astype(np.float64)
    biggest = float(np.abs(difference).max())
    direction = difference.astype(np.float64) / biggest  # so that its square does not vanish
    length = float(np.linalg.norm(direction))
    direction, error = direction / length, biggest * length
    along = float(np.vdot(gradient.astype(np.float64), direction))

    def loss_at(h: float) -> float:
        moved = {k: v.copy() for k, v in theta.items()}
        moved[parameter] += h * direction
        return float(implementation(moved, x64.copy(), targets64.copy())[0])

    scale = max(float(np.linalg.norm(theta[parameter])), 1e-3)
    h: Float = np.asarray(STEPS * scale, dtype=np.float64)
    loss = loss_at(0.0)
    remainder = np.array([loss_at(step) for step in h]) - loss - h * along
    noise = NOISE * np.finfo(np.float64).eps * (abs(loss) + h * abs(along))
    return _judge(parameter, h, remainder, noise, error)


def _judge(parameter: str, h: Float, remainder: Float, noise: Float, error: float) -> Taylor:
    """Decide from `R(h)/h = a + b h + ...`: the limit `a` is the error of the gradient."""
    limit, power = _limit(h, remainder, noise)
    size = np.abs(remainder)
    used = np.isfinite(size) & (size > noise)
    # The smallest steps that rounding has not reached decide: large ones cross kinks.
    last = np.flatnonzero(used)[-6:]
    slope = np.nan
    if len(last) >= 3:
        slope = float(np.polyfit(np.log(h[last]), np.log(size[last]), 1)[0])
    belongs = Belongs.UNDECIDED
    if power <= error / 4:
        belongs = Belongs.NO if abs(limit) > error / 2 else Belongs.YES
    return Taylor(parameter, "manual - reference", h, size, used, slope, power, error, belongs)


def _limit(h: Float, remainder: Float, noise: Float) -> tuple[float, float]:
    """Extrapolate `R(h)/h` to h = 0 at the step where that is surest; return it and its doubt.

    Two neighbouring steps remove the curvature; how much the next pair changes the limit, plus
    what rounding does to it, is the doubt, hence the smallest error the test can see.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        quotient = remainder / h
        limits = 2 * quotient[1:] - quotient[:-1]
        doubt = np.abs(np.diff(limits)) + 3 * noise[2:] / h[2:]
    doubt[~np.isfinite(doubt)] = np.inf
    surest = int(np.argmin(doubt))
    return float(limits[surest + 1]), float(doubt[surest])


def kind_of(loss_agrees: bool, gradients_agree: bool, belongs: Belongs, ratio: float | None) -> str:
    """Return the kind of disagreement by the truth table of the three witnesses.

    `ratio` is the one factor between all manual and reference numbers, loss and gradients alike,
    if there is one: then two right functions differ by a convention.
    """
    if loss_agrees:
        return "derivative"
    if gradients_agree:
        return "loss"
    if belongs is Belongs.YES:
        return "convention" if ratio is not None else "function"
    return "loss and derivative"

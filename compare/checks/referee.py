"""The third witness: does the manual gradient belong to the manual side's own loss?

    R(h) = L(theta + h d) - L(theta) - h <g, d>

shrinks as h**2 if g is the gradient of L and as h if it is not; no step size has to be believed,
only a slope. It asks neither torch nor our derivation. In float64, and its power ends near
the rounding of the loss: an error below `power` leaves it undecided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays, Float
from compare.contracts.records import Implementation

STEPS = 2.0 ** -np.arange(2, 34)
"""Step sizes in units of the parameter's own norm, halved each time."""
NOISE = 16.0
"""Remainders below this many roundings of the loss are not used for the slope."""
NEGLIGIBLE = 0.01
"""A smaller part of the gradient is no error of it; in float32 rounding may be as large."""
CLOSE, CLEAR = 1e-6, 1e-3
"""Of a gradient's norm: what it may be off as its loss's own, and what has to be seen for that."""
NEAR = 0.5
"""A measured slope within this of 1 or 2 is called so; any other decides nothing."""


class Belongs(StrEnum):
    """What the slope says of the manual gradient and the manual loss."""

    YES = "slope 2: the gradient is the derivative of the loss"
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
    biggest = float(np.abs(difference).max())
    direction = difference.astype(np.float64) / biggest  # so that its square does not vanish
    length = float(np.linalg.norm(direction))
    along = {parameter: direction / length}
    point = parameters, x, targets
    measured = _remainders(implementation, *point, {parameter: gradient}, along)
    return _judge(parameter, "manual - reference", measured, biggest * length)


def joint_test(
    implementation: Implementation,
    parameters: Arrays,
    x: NDArray[Any],
    targets: NDArray[Any],
    gradients: Arrays,
    differences: Arrays,
) -> Taylor:
    """Test all gradients at once in a random direction, turned so that the differences add up.

    What the differences themselves cannot show: a gradient that is wrong at right angles to its
    difference from the reference's, or right in the tensor that was tested and wrong in another.
    """
    generator = np.random.default_rng(0)
    along = {}
    for name, difference in differences.items():
        direction = generator.normal(size=difference.shape)
        along[name] = direction * (1.0 if np.vdot(direction, difference) >= 0 else -1.0)
    length = np.sqrt(sum(float(np.vdot(d, d)) for d in along.values()))
    along = {name: direction / length for name, direction in along.items()}
    error = sum(float(np.vdot(along[name], differences[name])) for name in along)
    measured = _remainders(implementation, parameters, x, targets, gradients, along)
    return _judge("all parameters", "a random direction", measured, error)


def each_belongs(
    implementation: Implementation,
    parameters: Arrays,
    x: NDArray[Any],
    targets: NDArray[Any],
    gradients: Arrays,
) -> bool:
    """Return whether every single gradient is that of the loss, along three random directions.

    Stricter than the slopes above: half of a small penalty left out of one of them is seen.
    """
    generator = np.random.default_rng(0)
    for name, gradient in gradients.items():
        size = float(np.linalg.norm(gradient))
        for _ in range(3):
            direction = generator.normal(size=gradient.shape)
            along = {name: direction / np.linalg.norm(direction)}
            h, remainder, noise, _ = _remainders(
                implementation, parameters, x, targets, {name: gradient}, along
            )
            limit, power = _limit(h, remainder, noise)
            if power > CLEAR * size or abs(limit) > 2 * power + CLOSE * size:
                return False
    return True


class Remainders(NamedTuple):
    """`R(h)` at steps h, what rounding may do to it, and `|<g, d>|`, the gradient's own size."""

    h: Float
    remainder: Float
    noise: Float
    own: float


def _remainders(
    implementation: Implementation,
    parameters: Arrays,
    x: NDArray[Any],
    targets: NDArray[Any],
    gradients: Arrays,
    along: Mapping[str, Float],
) -> Remainders:
    """Evaluate the loss at the steps."""
    theta = {k: np.ascontiguousarray(v, dtype=np.float64) for k, v in parameters.items()}
    x64, targets64 = x.astype(np.float64), targets.astype(np.float64)
    slope = sum(float(np.vdot(gradients[k].astype(np.float64), d)) for k, d in along.items())

    def loss_at(h: float) -> float:
        moved = {k: v + h * along[k] if k in along else v.copy() for k, v in theta.items()}
        return float(implementation(moved, x64.copy(), targets64.copy())[0])

    size = np.sqrt(sum(float(np.vdot(theta[k], theta[k])) for k in along))
    h: Float = np.asarray(STEPS * max(float(size), 1e-3), dtype=np.float64)
    loss = loss_at(0.0)
    remainder = np.array([loss_at(step) for step in h]) - loss - h * slope
    noise = NOISE * np.finfo(np.float64).eps * (abs(loss) + h * abs(slope))
    return Remainders(h, remainder, noise, abs(slope))


def _judge(parameter: str, direction: str, measured: Remainders, error: float) -> Taylor:
    """Decide from `R(h)/h = a + b h + ...`: the limit `a` is the error of the gradient.

    It is not `error`, the difference from the reference, whose loss may be another one. What it is
    held against is the gradient's own size along the direction: beside the gradient of a loss ten
    times as large everything about a small one looks small.
    """
    h, remainder, noise, own = measured
    limit, power = _limit(h, remainder, noise)
    size = np.abs(remainder)
    used = np.isfinite(size) & (size > noise)
    # The smallest steps that rounding has not reached decide: large ones cross kinks.
    last = np.flatnonzero(used)[-6:]
    slope = np.nan
    if len(last) >= 3:
        slope = float(np.polyfit(np.log(h[last]), np.log(size[last]), 1)[0])
    scale = min(error, own)
    belongs = Belongs.UNDECIDED
    if abs(limit) > max(2 * power, NEGLIGIBLE * scale) and abs(slope - 1) < NEAR:
        belongs = Belongs.NO
    elif abs(limit) + power <= scale / 4 and abs(slope - 2) < NEAR:
        belongs = Belongs.YES
    return Taylor(parameter, direction, h, size, used, slope, power, error, belongs)


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

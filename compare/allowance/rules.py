"""One rule per activation: what rounding does to `h = f(z)` and to its slope.

The rules read the reference's values only, because the judge must not consult what it judges.
`unit` already carries LAMBDA. A new activation needs one entry here and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.allowance.arithmetic import Arithmetic
from compare.contracts.arrays import Float

_erfc = np.frompyfunc(math.erfc, 1, 1)
SELU = (1.6732632423543772, 1.0507009873554805)
"""alpha and scale."""


@dataclass(frozen=True, slots=True)
class ActivationRule:
    """What rounding does to an activation `h = f(z)` and to its slope `f'`.

    `slope(h)`: f' written in the value, as both sides compute it; `of_z`: written in z instead.
    `steepest(h)`: the largest |f'| of each unit, (H,) or a scalar bound.
    `value`: rounding of f itself, in units of |h|, or of `size(z)`; 0 where f is exact.
    `bend(h)`: |df'/dh|, or |df'/dz|; `slope_rounding`: rounding of f' itself in units of 1; with
        `lean`,
            A(f')**2 = bend**2 (A(h)**2 + lean h**2) + (slope_rounding unit)**2
            A(f')**2 = bend**2 A(z)**2 + ((slope_rounding unit)**2 + lean) slope_size(z)**2
    the latter where it is written in z.
    `kinks`: where f has no derivative, with its slopes just below and just above.
    `f`: the function itself. `entrywise`: no bound of low rank has been derived for it.
    """

    slope: Callable[[NDArray[np.floating]], NDArray[np.floating]]
    steepest: Callable[[NDArray[np.floating]], Float | float]
    value: float
    bend: Callable[[NDArray[np.floating]], NDArray[np.floating]] | None
    steepest_bend: float
    slope_rounding: float
    kinks: Mapping[float, tuple[float, float]]
    f: Callable[[NDArray[Any]], NDArray[Any]] = np.positive
    of_z: bool = False
    size: Callable[[NDArray[np.floating]], NDArray[np.floating]] | None = None
    entrywise: bool = False
    slope_size: Callable[[NDArray[np.floating]], NDArray[np.floating]] | None = None

    @property
    def straight(self) -> bool:
        """Whether f is h = z, whose slope is 1 everywhere."""
        return self.bend is None and not self.kinks

    @property
    def through(self) -> str:
        """Which value the slope is written in: `h` or `z`."""
        return "z" if self.of_z else "h"

    def size_of_slope(self, z: NDArray[Any]) -> NDArray[Any] | float:
        """Return what the rounding of a slope written in z is relative to."""
        return 1.0 if self.slope_size is None else self.slope_size(z)

    def rounded(self, z: NDArray[Any], h: NDArray[Any]) -> NDArray[Any]:
        """Return what `value` is relative to."""
        return h if self.size is None else self.size(z)


def lean(samples: int, arithmetic: Arithmetic) -> float:
    """Return the squared relative error of f that a slope is allowed beside A(h)**2.

    Two libraries' tanh differ in one direction wherever one of them leans: such errors of N samples
    add up in a gradient like N, not like sqrt(N), so each sample is allowed sqrt(N) of them.
    """
    return samples * arithmetic.unit**2


def logistic(z: NDArray[Any]) -> NDArray[Any]:
    """1 / (1 + exp(-z))."""
    p: NDArray[Any] = np.exp(-np.logaddexp(0.0, -z))
    return p


def normal(z: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The normal distribution function and its density."""
    cdf = np.asarray(_erfc(-np.asarray(z, dtype=np.float64) / math.sqrt(2)), dtype=np.float64) / 2
    return cdf, np.exp(-np.square(z) / 2) / math.sqrt(2 * math.pi)


def cubic(z: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """What GELU with tanh has in place of the two, its steepness included: s, s', s''."""
    c = math.sqrt(8 / math.pi)
    u, du, ddu = c * (z + 0.044715 * z**3), c * (1 + 0.134145 * z * z), c * 0.26829 * z
    s, rest = logistic(u), logistic(-u)
    return s, s * rest * du, s * rest * (ddu + (rest - s) * du * du)


def leaky_relu(slope: float) -> ActivationRule:
    """The slope below 0 multiplies, and rounds."""
    return ActivationRule(
        slope=lambda h: np.where(h > 0, 1.0, slope),
        steepest=lambda h: max(1.0, abs(slope)),
        value=1.0,
        bend=np.zeros_like,
        steepest_bend=0.0,
        slope_rounding=1.0,
        kinks={0.0: (slope, 1.0)},
        f=lambda z: np.where(z > 0, z, slope * z),
        entrywise=True,
    )


def elu(alpha: float, scale: float = 1.0) -> ActivationRule:
    """Below 0 f' = h + scale alpha; whoever writes exp(z) - 1 loses what is small beside 1."""
    low = scale * alpha

    def size(z: NDArray[np.floating]) -> NDArray[np.floating]:
        found: NDArray[np.floating] = np.where(z > 0, scale * z, low)
        return found

    return ActivationRule(
        slope=lambda h: np.where(h > 0, scale, h + low),
        steepest=lambda h: max(scale, low),
        value=4.0,
        bend=lambda h: np.where(h > 0, 0.0, 1.0),
        steepest_bend=1.0,
        slope_rounding=4.0 * low,
        kinks={} if alpha == 1 else {0.0: (low, scale)},
        f=lambda z: scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0.0))),
        size=size,
        entrywise=True,
    )


def held(low: float, high: float) -> ActivationRule:
    """The straight line between two numbers, exact."""
    return ActivationRule(
        slope=lambda h: ((h > low) & (h < high)).astype(np.float64),
        steepest=lambda h: 1.0,
        value=0.0,
        bend=None,
        steepest_bend=0.0,
        slope_rounding=0.0,
        kinks={low: (0.0, 1.0), high: (1.0, 0.0)},
        f=lambda z: np.clip(z, low, high),
        entrywise=True,
    )


def of_z(
    f: Callable[[NDArray[Any]], NDArray[Any]],
    slope: Callable[[NDArray[Any]], NDArray[Any]],
    bend: Callable[[NDArray[Any]], NDArray[Any]],
    slope_size: Callable[[NDArray[Any]], NDArray[Any]] = lambda z: 1 + np.abs(z) / 4,
) -> ActivationRule:
    """Return that of z times a probability: a small one may come from a difference of order 1."""
    return ActivationRule(
        slope=slope, steepest=lambda h: 1.2, value=4.0, bend=bend, steepest_bend=1.0,
        slope_rounding=4.0, kinks={}, f=f, of_z=True, size=np.abs, entrywise=True,
        slope_size=slope_size,
    )  # fmt: skip


class Rules(dict[str, ActivationRule]):
    """One entry per activation; a name may carry a number, as in `leaky_relu:0.2`."""

    def __missing__(self, name: str) -> ActivationRule:
        kind, _, number = name.partition(":")
        if kind not in WITH_NUMBER or not number:
            raise KeyError(name)
        return self.setdefault(name, WITH_NUMBER[kind](float(number)))


WITH_NUMBER: dict[str, Callable[[float], ActivationRule]] = {
    "leaky_relu": leaky_relu,
    "elu": elu,
}
ACTIVATION_RULES: Rules = Rules(
    {
        "identity": ActivationRule(np.ones_like, lambda h: 1.0, 0.0, None, 0.0, 0.0, {}),
        "relu": ActivationRule(
            lambda h: (h > 0).astype(h.dtype),
            lambda h: 1.0,
            0.0,
            None,
            0.0,
            0.0,
            {0.0: (0.0, 1.0)},
            f=lambda z: np.maximum(z, 0.0),
        ),
        "tanh": ActivationRule(
            slope=lambda h: 1 - h * h,
            steepest=lambda h: 1 - np.square(np.abs(h).min(axis=0).astype(np.float64)),
            value=2.0,
            bend=lambda h: 2 * np.abs(h),
            steepest_bend=2.0,
            slope_rounding=1.0,  # h * h rounds at the size of 1
            kinks={},
            f=np.tanh,
            size=np.ones_like,  # 2 / (1 + exp(-2 z)) - 1, or a quotient of differences, does too
        ),
        "sigmoid": ActivationRule(
            slope=lambda h: h * (1 - h),
            steepest=lambda h: 0.25,
            value=4.0,  # NumPy's float32 exp may be off by 2.5 last digits
            bend=lambda h: np.abs(1 - 2 * h),
            steepest_bend=1.0,
            slope_rounding=0.0,  # 1 - h is exact where it is small
            kinks={},
            f=logistic,
        ),
        "leaky_relu": leaky_relu(0.01),
        "elu": elu(1.0),
        "selu": elu(SELU[0], SELU[1]),
        "relu6": held(0.0, 6.0),
        "hardtanh": held(-1.0, 1.0),
        "softplus": ActivationRule(
            slope=lambda h: -np.expm1(-h),
            steepest=lambda h: 1.0,
            value=4.0,
            bend=lambda h: np.exp(-h),
            steepest_bend=1.0,
            slope_rounding=4.0,
            kinks={},
            f=lambda z: np.logaddexp(0.0, z),
            size=lambda z: np.maximum(np.abs(z), 1.0),  # log(1 + exp z) rounds at the size of 1
            entrywise=True,
        ),
        "silu": of_z(
            lambda z: z * logistic(z),
            lambda z: logistic(z) * (1 + z * logistic(-z)),
            lambda z: logistic(z) * logistic(-z) * np.abs(2 + z * (1 - 2 * logistic(z))),
        ),
        "gelu": of_z(
            lambda z: z * normal(z)[0],
            lambda z: normal(z)[0] + z * normal(z)[1],
            lambda z: normal(z)[1] * np.abs(2 - z * z),
        ),
        "gelu_tanh": of_z(
            lambda z: z * cubic(z)[0],
            lambda z: cubic(z)[0] + z * cubic(z)[1],
            lambda z: np.abs(2 * cubic(z)[1] + z * cubic(z)[2]),
            slope_size=lambda z: 1 + 0.4 * np.abs(z) * (1 + 0.134145 * z * z),  # of 1 - tanh**2
        ),
    }
)

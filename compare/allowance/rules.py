"""One rule per activation: what rounding does to `h = f(z)` and to its slope.

The rules read the reference's values only, because the judge must not consult what it judges.
`unit` already carries LAMBDA. A new activation needs one entry here and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compare.allowance.arithmetic import Arithmetic

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ActivationRule:
    """What rounding does to an activation `h = f(z)` and to its slope `f'`.

    `slope(h)`: f' written in the value, as both sides compute it.
    `steepest(h)`: the largest |f'| of each unit, (H,) or a scalar bound.
    `value`: rounding of f itself, in units of |h|; 0 where f is exact.
    `bend(h)`: |df'/dh|; `slope_rounding`: rounding of f' itself in units of 1; with `lean`,
        A(f')**2 = bend**2 (A(h)**2 + lean h**2) + (slope_rounding unit)**2
    `kinks`: where f has no derivative, with its slopes just below and just above.
    """

    slope: Callable[[NDArray[np.floating]], NDArray[np.floating]]
    steepest: Callable[[NDArray[np.floating]], Float | float]
    value: float
    bend: Callable[[NDArray[np.floating]], NDArray[np.floating]] | None
    steepest_bend: float
    slope_rounding: float
    kinks: Mapping[float, tuple[float, float]]


def lean(samples: int, arithmetic: Arithmetic) -> float:
    """Return the squared relative error of f that a slope is allowed beside A(h)**2.

    Two libraries' tanh differ in one direction wherever one of them leans: such errors of N samples
    add up in a gradient like N, not like sqrt(N), so each sample is allowed sqrt(N) of them.
    """
    return samples * arithmetic.unit**2


ACTIVATION_RULES: dict[str, ActivationRule] = {
    "identity": ActivationRule(np.ones_like, lambda h: 1.0, 0.0, None, 0.0, 0.0, {}),
    "relu": ActivationRule(
        lambda h: (h > 0).astype(h.dtype), lambda h: 1.0, 0.0, None, 0.0, 0.0, {0.0: (0.0, 1.0)}
    ),
    "tanh": ActivationRule(
        slope=lambda h: 1 - h * h,
        steepest=lambda h: 1 - np.square(np.abs(h).min(axis=0).astype(np.float64)),
        value=2.0,
        bend=lambda h: 2 * np.abs(h),
        steepest_bend=2.0,
        slope_rounding=1.0,  # h * h rounds at the size of 1
        kinks={},
    ),
    "sigmoid": ActivationRule(
        slope=lambda h: h * (1 - h),
        steepest=lambda h: 0.25,
        value=4.0,  # NumPy's float32 exp may be off by 2.5 last digits
        bend=lambda h: np.abs(1 - 2 * h),
        steepest_bend=1.0,
        slope_rounding=0.0,  # 1 - h is exact where it is small
        kinks={},
    ),
}
"""One entry per activation; the names are those of `manual_mlp.ACTIVATIONS`."""

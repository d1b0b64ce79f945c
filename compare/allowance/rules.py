"""One rule per operation: how much of its result rounding may explain.

First-order running error analysis with square-root constants (Higham and Mary 2019). Squared
allowances add; `unit` already carries LAMBDA. The rules read the reference's values only, because
the judge must not consult what it judges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compare.allowance.arithmetic import Arithmetic

Float = NDArray[np.float64]


def softmax_rows(logits: Float) -> tuple[Float, Float]:
    """Return `p = softmax(logits)` and `logits - max logits`, both (N, K), in float64."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponential = np.exp(shifted)
    return exponential / exponential.sum(axis=1, keepdims=True), shifted


def softmax_allowance(p: Float, shifted: Float, z_allowance: Float, unit: float) -> Float:
    """Return A(p), (N, K), for `p = softmax(z)` with |dz| <= A(z).

        log p_k moves by at most   (1 - p_k) A_k + sum_{j!=k} p_j A_j + max_j A_j**2 / 2
        and by rounding            unit (3 + sqrt(K) + |z_k - max z|)

    The square is Hoeffding's bound on what the first order leaves out, and `expm1`, clipped to 1,
    takes the result from log p to p, so saturated rows and allowances of order 1 are covered.
    """
    carried = (p * z_allowance).sum(axis=1, keepdims=True)
    largest = z_allowance.max(axis=1, keepdims=True)
    slack = (1 - 2 * p) * z_allowance + carried + largest * largest / 2
    slack += unit * (3 + np.sqrt(p.shape[1]) - shifted)
    moved: Float = p * np.expm1(np.minimum(slack, 700.0))
    return np.minimum(moved, 1.0)


def sample_loss_allowance(
    logits: Float, p: Float, targets: NDArray[np.floating], z_allowance: Float, unit: float
) -> Float:
    """Return A(loss_n), (N,): `sum_k (p_k + y_k) A(z)_k + unit (1 + max|z|)`."""
    carried = ((p + targets) * z_allowance).sum(axis=1)
    total: Float = carried + unit * (1 + np.abs(logits).max(axis=1))
    return total


def total_allowance(
    terms: Float, allowances: Float, weights: Float, arithmetic: Arithmetic
) -> Float:
    """Return A(sum_n terms_n), over the first axis: rounding of the sum, then the terms' own."""
    count = len(terms)
    rounding = np.sqrt(count) * arithmetic.unit * np.abs(terms).sum(axis=0)
    carried = np.sqrt(np.tensordot(weights, allowances * allowances, axes=1))
    total: Float = rounding + carried + count * arithmetic.floor()
    return total


def ambiguous_samples(logits: Float, z_allowance: Float) -> int:
    """Return how many samples have their two largest logits within the sum of their allowances."""
    if logits.shape[1] < 2:
        return 0
    rows = np.arange(len(logits))
    top, second = np.argsort(logits, axis=1)[:, :-3:-1].T
    gap = logits[rows, top] - logits[rows, second]
    return int((gap <= z_allowance[rows, top] + z_allowance[rows, second]).sum())


@dataclass(frozen=True, slots=True)
class ActivationRule:
    """What rounding does to an activation `h = f(z)` and to its slope `f'`.

    `slope(h)`: f' written in the value, as both sides compute it.
    `steepest(h)`: the largest |f'| of each unit, (H,) or a scalar bound.
    `value`: rounding of f itself, in units of |h|; 0 where f is exact.
    `bend(h)`: |df'/dh|; `slope_rounding`: rounding of f' itself in units of 1.
    `kinks`: where f has no derivative.
    """

    slope: Callable[[NDArray[np.floating]], NDArray[np.floating]]
    steepest: Callable[[NDArray[np.floating]], Float | float]
    value: float
    bend: Callable[[NDArray[np.floating]], NDArray[np.floating]] | None
    steepest_bend: float
    slope_rounding: float
    kinks: tuple[float, ...]


ACTIVATION_RULES: dict[str, ActivationRule] = {
    "identity": ActivationRule(np.ones_like, lambda h: 1.0, 0.0, None, 0.0, 0.0, ()),
    "relu": ActivationRule(
        lambda h: (h > 0).astype(h.dtype), lambda h: 1.0, 0.0, None, 0.0, 0.0, (0.0,)
    ),
    "tanh": ActivationRule(
        slope=lambda h: 1 - h * h,
        steepest=lambda h: 1 - np.square(np.abs(h).min(axis=0).astype(np.float64)),
        value=2.0,
        bend=lambda h: 2 * np.abs(h),
        steepest_bend=2.0,
        slope_rounding=2.0,
        kinks=(),
    ),
    "sigmoid": ActivationRule(
        slope=lambda h: h * (1 - h),
        steepest=lambda h: 0.25,
        value=3.0,
        bend=lambda h: np.abs(1 - 2 * h),
        steepest_bend=1.0,
        slope_rounding=1.0,
        kinks=(),
    ),
}
"""One entry per activation; the names are those of `manual_mlp.ACTIVATIONS`."""

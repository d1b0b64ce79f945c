"""What torch's own formulas leave out: errors of the reference, which honest code need not share.

`softplus` returns z itself beyond a threshold, where `log(1 + exp(z))` is `z + exp(-z)`; some
kernels keep a number in float32 whatever they are computed in. What is due and what torch returns
differ there by an amount that is known, so it stands in the allowance of that result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from compare.layers.rules import aten

SHORT = 2.0**-24
"""Half the distance from 1 to the next number of float32."""
LAST_DIGIT = 2.0**-54
"""Half the distance from 1 to the number below it, in float64."""
NOTHING = 1e-150
"""A sigmoid below this may be anything down to 0: the square of this is still a number."""
LOWEST_LOG = -100.0
"""Where torch's binary cross-entropy cuts both logarithms."""
LEAST_THRESHOLD = -math.log(SHORT)
"""From here on a cut is below float32's last digit; a nearer one is the user's own function."""


def softplus(out: Tensor, z: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """`log(1 + exp(b z)) / b - z = log(1 + exp(-b z)) / b` where b z is beyond the threshold."""
    left_out = torch.log1p(torch.exp(-beta * z)) / beta
    return torch.where(is_cut(z, beta, threshold), left_out, 0.0)


def softplus_backward(out: Tensor, dy: Tensor, z: Tensor, beta: float, threshold: float) -> Tensor:
    """`dy - dy σ(b z) = dy σ(-b z)` there."""
    return torch.where(is_cut(z, beta, threshold), dy * torch.sigmoid(-beta * z), 0.0)


def is_cut(z: Tensor, beta: float, threshold: float) -> Tensor:
    """Return where torch takes z for its softplus, as an approximation."""
    return (beta * z > threshold) & (threshold >= LEAST_THRESHOLD)


def elu_backward(
    out: Tensor, dy: Tensor, alpha: float, scale: float, s: float, is_result: bool, x: Tensor
) -> Tensor:
    """`celu` keeps the a of `s = 1/a` in float32: `d exp(s x) s` is off by `(1 + s x)` times that.

    `elu` and `selu` have s = 1.
    """
    off = 0.0 if s == 1 or is_result else SHORT
    return torch.where(x <= 0, out * (1 + (s * x).abs()) * off, 0.0)


def hardsigmoid_backward(out: Tensor, dy: Tensor, x: Tensor) -> Tensor:
    """The slope of 1/6 is a number of float32."""
    return torch.where(x.abs() <= 3, dy * (SHORT / 6), 0.0)


def binary_cross_entropy(
    out: Tensor, p: Tensor, t: Tensor, weight: Tensor | None = None, reduction: int = 1
) -> Tensor:
    """`-t log p - (1 - t) log(1 - p)`, whose logarithms torch keeps from falling below -100.

    Of a p that is 0 or 1 nobody knows how far below it is: those are the rounding's.
    """
    below = (LOWEST_LOG - torch.log(p)).clamp_min(0.0), (LOWEST_LOG - torch.log1p(-p)).clamp_min(0)
    zero, one = (torch.where(torch.isinf(cut), 0.0, cut) for cut in below)
    cut = t * zero + (1 - t) * one
    cut = cut if weight is None else cut * weight
    return cut if reduction == 0 else cut.mean() if reduction == 1 else cut.sum()


def binary_cross_entropy_backward(
    out: Tensor, dy: Tensor, p: Tensor, *others: Any, epsilon: float = 1e-12
) -> Tensor:
    """`(p - t) / (p (1 - p))`, whose divisor torch keeps from falling below a 1e-12 of float32.

    Where nothing is left of 1 - p, it may have been a last digit; of p itself, less than any.
    """
    divisor = p * (1 - p)
    due = torch.where(divisor == 0, LAST_DIGIT, divisor)
    due = torch.where(p < NOTHING, NOTHING, due)
    return torch.where(due < 2 * epsilon, out * (epsilon / due - 1).clamp_min(SHORT), 0.0)


CUTS: dict[Any, Callable[..., Tensor]] = {
    aten.softplus: softplus,
    aten.softplus_backward: softplus_backward,
    aten.elu_backward: elu_backward,
    aten.hardsigmoid_backward: hardsigmoid_backward,
    aten.binary_cross_entropy: binary_cross_entropy,
    aten.binary_cross_entropy_backward: binary_cross_entropy_backward,
}
"""By operation: how much of what is due its result may leave out, entry by entry."""


def left_out(packet: Any, args: Sequence[Any], kwargs: Any, out: Any) -> Tensor | None:
    """Return what an operation leaves out of its result; None if torch cuts nothing there."""
    cut = CUTS.get(packet)
    return None if cut is None else cut(out, *args, **kwargs)

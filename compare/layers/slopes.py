"""Derivatives of elementwise operations: how the error of an argument reaches the result.

For `out = f(a, b)` an entry gives `(df/da, df/db)`; None is a slope of 0 and 1.0 stands for ones.
Written with `out` where that is what a computation has at hand: `exp' = out`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from compare.layers.rules import aten

Slope = Tensor | float | None
Rule = Callable[[Sequence[Any], Tensor], tuple[Slope, ...]]


def _of_argument(slope: Callable[[Tensor], Tensor]) -> Rule:
    """A function of one argument, whose slope is known in the argument."""
    return lambda args, out: (slope(args[0]),)


def _of_result(slope: Callable[[Tensor], Tensor]) -> Rule:
    """A function of one argument, whose slope is known in the result."""
    return lambda args, out: (slope(out),)


def _quotient(args: Sequence[Any], out: Tensor) -> tuple[Slope, ...]:
    """`a / b`: 1/b and -out/b."""
    b = args[1]
    return 1 / b, out / b if isinstance(b, Tensor) else None


def _power(args: Sequence[Any], out: Tensor) -> tuple[Slope, ...]:
    """`a ** b`: b a^(b-1) and out log a."""
    a, b = args[0], args[1]
    if not isinstance(a, Tensor):
        return None, out * math.log(a) if a > 0 else None
    if not isinstance(b, Tensor):
        return b * a ** (b - 1), None
    return b * a ** (b - 1), out * torch.log(a.abs().clamp_min(2.0**-1000))


def _chosen(args: Sequence[Any], out: Tensor) -> tuple[Slope, ...]:
    """`maximum`, `minimum`: 1 where the argument was taken."""
    return tuple((a == out).to(torch.float64) for a in args[:2])


def _clamped(args: Sequence[Any], out: Tensor) -> tuple[Slope, ...]:
    """`clamp`: 1 where nothing was cut off; a bound that is a tensor counts where it was taken."""
    bounds = [(a == out).to(torch.float64) if isinstance(a, Tensor) else None for a in args[1:]]
    return (args[0] == out).to(torch.float64), *bounds


SLOPES: dict[Any, Rule] = {
    aten.add: lambda args, out: (1.0, 1.0),
    aten.sub: lambda args, out: (1.0, 1.0),
    aten.rsub: lambda args, out: (1.0, 1.0),
    aten.mul: lambda args, out: (args[1], args[0]),
    aten.div: _quotient,
    aten.true_divide: _quotient,
    aten.neg: lambda args, out: (1.0,),
    aten.abs: lambda args, out: (1.0,),
    aten.exp: _of_result(lambda out: out),
    aten.exp2: _of_result(lambda out: out * math.log(2)),
    aten.expm1: _of_result(lambda out: out + 1),
    aten.log: _of_argument(lambda a: 1 / a),
    aten.log2: _of_argument(lambda a: 1 / (a * math.log(2))),
    aten.log10: _of_argument(lambda a: 1 / (a * math.log(10))),
    aten.log1p: _of_argument(lambda a: 1 / (1 + a)),
    aten.tanh: _of_result(lambda out: 1 - out * out),
    aten.sigmoid: _of_result(lambda out: out * (1 - out)),
    aten.sqrt: _of_result(lambda out: 0.5 / out),
    aten.rsqrt: _of_result(lambda out: 0.5 * out**3),
    aten.reciprocal: _of_result(lambda out: out * out),
    aten.pow: _power,
    aten.erf: _of_argument(lambda a: 2 / math.sqrt(math.pi) * torch.exp(-a * a)),
    aten.erfc: _of_argument(lambda a: 2 / math.sqrt(math.pi) * torch.exp(-a * a)),
    aten.erfinv: _of_result(lambda out: math.sqrt(math.pi) / 2 * torch.exp(out * out)),
    aten.maximum: _chosen,
    aten.minimum: _chosen,
    aten.clamp: _clamped,
    aten.clamp_min: _clamped,
    aten.clamp_max: _clamped,
    aten.sin: _of_argument(torch.cos),
    aten.cos: _of_argument(torch.sin),
    aten.tan: _of_result(lambda out: 1 + out * out),
    aten.sinh: _of_argument(torch.cosh),
    aten.cosh: _of_argument(torch.sinh),
    aten.asin: _of_argument(lambda a: torch.rsqrt(1 - a * a)),
    aten.acos: _of_argument(lambda a: torch.rsqrt(1 - a * a)),
    aten.atan: _of_argument(lambda a: 1 / (1 + a * a)),
    aten.asinh: _of_argument(lambda a: torch.rsqrt(1 + a * a)),
    aten.acosh: _of_argument(lambda a: torch.rsqrt(a * a - 1)),
    aten.atanh: _of_argument(lambda a: 1 / (1 - a * a)),
    aten.atan2: lambda args, out: (
        args[1] / (args[0] ** 2 + args[1] ** 2),
        args[0] / (args[0] ** 2 + args[1] ** 2),
    ),
    aten.logaddexp: lambda args, out: (torch.exp(args[0] - out), torch.exp(args[1] - out)),
    aten.hypot: lambda args, out: (args[0] / out, args[1] / out),
    aten.lgamma: _of_argument(torch.digamma),
    aten.digamma: _of_argument(lambda a: torch.special.polygamma(1, a)),
    **{name: (lambda args, out: (None,) * len(args)) for name in (
        aten.sign, aten.sgn, aten.floor, aten.ceil, aten.trunc, aten.round)},
}  # fmt: skip

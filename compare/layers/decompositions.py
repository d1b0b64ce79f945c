"""Operations taken apart into those that have a rule: by torch's decompositions, and a few of ours.

Ours stand where torch has none, or where its own hides what a hand-written layer does: a mean is a
sum and a division there, a variance a mean of squared deviations.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import torch
import torch._compile
from torch import Tensor
from torch._decomp import decomposition_table

from compare.layers.rules import KEEP, aten

COMPILER = inspect.getfile(torch._compile)
Dims = Sequence[int] | int | None


def _axes(x: Tensor, dim: Dims) -> list[int]:
    """Return the axes that `dim` stands for; none given are all."""
    if dim is None or (not isinstance(dim, int) and not len(dim)):
        return list(range(x.dim()))
    return [dim] if isinstance(dim, int) else list(dim)


def mean(x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """`sum(x) / n`; 1/n is a rounded number of its own unless n is a power of two."""
    axes = _axes(x, dim)
    n = math.prod(x.shape[axis] for axis in axes)
    inverse = 1 / n if n & (n - 1) == 0 else (1 + 2.0**-50) / n
    return torch.sum(x, axes, keepdim) * inverse if axes else x * 1.0


def var_mean(
    x: Tensor,
    dim: Dims | bool = None,
    correction: float | None = None,
    keepdim: bool = False,
    unbiased: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """`m = mean(x)`, `v = sum((x - m)**2) / (n - correction)`."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 0 if unbiased is False else 1
    axes = _axes(x, dim)
    n = math.prod(x.shape[axis] for axis in axes)
    m = mean(x, axes, True)
    d = x - m
    v = torch.sum(d * d, axes, keepdim) / (n - correction)
    return v, m if keepdim else m.squeeze(axes)


def var(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The variance alone."""
    return var_mean(x, *args, **kwargs)[0]


def std(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The root of the variance."""
    return torch.sqrt(var(x, *args, **kwargs))


def log_sigmoid(z: Tensor) -> tuple[Tensor, Tensor]:
    """`min(0, z) - log1p(exp(-|z|))`, and the exponential that the backward pass wants."""
    e = torch.exp(-torch.abs(z))
    return torch.minimum(torch.zeros_like(z), z) - torch.log1p(e), e


def vector_norm(
    x: Tensor, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """`(sum |x|^ord)^(1/ord)`."""
    axes = _axes(x, dim)
    if ord == 2:
        return torch.sqrt(torch.sum(x * x, axes, keepdim))
    if ord == 1:
        return torch.sum(torch.abs(x), axes, keepdim)
    if math.isinf(ord):
        return torch.abs(x).amax(axes, keepdim) if ord > 0 else torch.abs(x).amin(axes, keepdim)
    return torch.sum(torch.abs(x) ** ord, axes, keepdim) ** (1 / ord)


def trilinear(
    a: Tensor, b: Tensor, c: Tensor, expand_a: Sequence[int], expand_b: Sequence[int],
    expand_c: Sequence[int], summed: Sequence[int], unroll: int = 1,
) -> Tensor:  # fmt: skip
    """`sum_s a b c` over the axes `summed`, after each factor got its missing axes."""
    for axis in sorted(expand_a):
        a = a.unsqueeze(axis)
    for axis in sorted(expand_b):
        b = b.unsqueeze(axis)
    for axis in sorted(expand_c):
        c = c.unsqueeze(axis)
    return torch.sum(a * b * c, list(summed)) if summed else a * b * c


def addcmul(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    """`x + value a b`."""
    return x + (a * b if value == 1 else value * (a * b))


def logcumsumexp(x: Tensor, dim: int) -> Tensor:
    """`log sum_(j <= i) exp(x_j)`, each with the maximum of its own entries taken off.

    Where all entries so far are -infinity, so is the result.
    """
    if not x.dim():
        return x * 1.0
    x = x.movedim(dim, -1)
    n = x.shape[-1]
    so_far = torch.ones(n, n, dtype=torch.bool, device=x.device).tril()
    rows = torch.where(so_far, x.unsqueeze(-2), torch.full_like(x, -math.inf).unsqueeze(-2))
    most = torch.amax(rows, [-1], True).detach()
    most = torch.where(torch.isinf(most), torch.zeros_like(most), most)
    found = torch.log(torch.sum(torch.exp(rows - most), [-1])) + most.squeeze(-1)
    return found.movedim(-1, dim)


def prod(x: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The entries multiplied one after the other."""
    if dim is None or not x.dim():
        x, dim = x.reshape(-1), 0
    return cumprod(x, dim).narrow(dim, -1, 1) if keepdim else cumprod(x, dim).select(dim, -1)


def cumprod(x: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Every entry times the product before it."""
    return torch.stack(list(accumulate(x.unbind(dim), torch.mul)), dim) if x.dim() else x * 1


def multi_margin_loss_backward(
    dy: Tensor, x: Tensor, target: Tensor, p: float, margin: float, weight: Tensor | None = None,
    reduction: int = 1,
) -> Tensor:  # fmt: skip
    """Every class whose margin is too small pulls at itself, all of them at the row's own class."""
    rows, own = x.reshape(-1, x.shape[-1] if x.dim() else 1), target.reshape(-1, 1)
    z = margin - torch.gather(rows, 1, own) + rows  # (N, K)
    counts = (z > 0) & (torch.arange(rows.shape[1]) != own)
    pull = torch.where(counts, torch.ones_like(z) if p == 1 else 2 * z, torch.zeros_like(z))
    pull = pull if weight is None else pull * weight[own]
    share = dy / (rows.numel() if reduction == 1 else rows.shape[1])
    d = pull * (share.unsqueeze(-1) if share.dim() else share)
    return torch.scatter(d, 1, own, -torch.sum(d, [1], True)).view_as(x)


def shrink_backward(dy: Tensor, x: Tensor, bound: float) -> Tensor:
    """Soft and hard shrinking are flat between -bound and bound."""
    return torch.where(torch.abs(x) <= bound, torch.zeros_like(dy), dy)


def hardsigmoid_backward(dy: Tensor, x: Tensor) -> Tensor:
    """`dy / 6` between -3 and 3, with the sixth that torch's kernel has: one of float32."""
    return torch.where((x > -3) & (x < 3), dy * narrow(1 / 6), torch.zeros_like(dy))


def binary_cross_entropy_backward(
    dy: Tensor, p: Tensor, target: Tensor, weight: Tensor | None = None, reduction: int = 1
) -> Tensor:
    """`dy (p - t) / max(p (1 - p), 1e-12)`, with the bound that torch's kernel has."""
    d = dy * (p - target) / torch.clamp(p * (1 - p), min=narrow(1e-12))
    d = d if weight is None else d * weight
    return d / p.numel() if reduction == 1 else d


def narrow(number: float) -> float:
    """Return a number as float32 has it."""
    return float(torch.tensor(number, dtype=torch.float32))


NARROW: dict[Any, Callable[..., Any]] = {
    aten.hardsigmoid_backward: hardsigmoid_backward,
    aten.binary_cross_entropy_backward: binary_cross_entropy_backward,
}
"""Kernels that hold a number in float32 whatever they are computed in."""

OURS: dict[Any, Callable[..., Any]] = NARROW | {
    aten.mean: mean,
    aten.var_mean: var_mean,
    aten.var: var,
    aten.std: std,
    aten.log_sigmoid_forward: log_sigmoid,
    aten.linalg_vector_norm: vector_norm,
    aten._trilinear: trilinear,
    aten.addcmul: addcmul,
    aten.prod: prod,
    aten.cumprod: cumprod,
    aten.logcumsumexp: logcumsumexp,
    aten.multi_margin_loss_backward: multi_margin_loss_backward,
    aten.softshrink_backward: shrink_backward,
    aten.hardshrink_backward: shrink_backward,
}


def decomposition(func: Any) -> Callable[..., Any] | None:
    """Return how `func` is taken apart; None if it has a rule of its own, or nothing has."""
    packet = func.overloadpacket
    if packet in OURS:
        return OURS[packet]
    if packet in KEEP:
        return None
    found = plain(decomposition_table[func]) if func in decomposition_table else None
    if found is None and torch._C._dispatch_has_kernel_for_dispatch_key(
        func.name(), "CompositeImplicitAutograd"
    ):
        found = func.decompose
    return found


@cache
def plain(decomposed: Callable[..., Any]) -> Callable[..., Any]:
    """Return a decomposition without its wrappers if one of them would load torch's compiler.

    They convert formats, which are all the same here, and loading the compiler takes seconds.
    """
    layer: Any = decomposed
    while layer is not None:
        code = getattr(layer, "__code__", None)
        if code is not None and code.co_filename == COMPILER:
            unwrapped: Callable[..., Any] = inspect.unwrap(decomposed)
            return unwrapped
        layer = getattr(layer, "__wrapped__", None)
    return decomposed

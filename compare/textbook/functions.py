"""What stands between two matrix products: softmax, logarithms, activations, casts, on Pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from compare.allowance.rules import ACTIVATION_RULES
from compare.allowance.softmax import softmax_allowance, softmax_rows
from compare.textbook.pair import Float, Pair


def softmax(z: Pair) -> Pair:
    """Return p = softmax(z) of every row, (N, K); what underflows in the dtype is 0."""
    p, _ = softmax_rows(z.value)
    allowance = softmax_allowance(p, z.value, z.allowance, z.arithmetic.unit)
    return z.made(p.astype(z.dtype), allowance + z.arithmetic.tiny)


def log_softmax(z: Pair) -> Pair:
    """Return log softmax(z) = z - max z - log sum exp(z - max z) of every row, (N, K)."""
    p, shifted = softmax_rows(z.value)
    value = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    carried = (p * z.allowance).sum(axis=1, keepdims=True) + (1 - 2 * p) * z.allowance
    return z.made(value, carried + z.arithmetic.unit * (1 + np.abs(z.value) + np.abs(value)))


def exp(z: Pair) -> Pair:
    """Return e = exp(z) as the dtype can hold it: infinity above, 0 below."""
    with np.errstate(over="ignore", under="ignore"):
        e = np.exp(z.value).astype(z.dtype).astype(np.float64)
    relative = np.expm1(np.minimum(z.allowance, 700.0)) + z.arithmetic.unit
    return z.made(e, e * relative + z.arithmetic.tiny)


def log(p: Pair) -> Pair:
    """Return log p; A(log p) = -log(1 - A(p) / p), which is infinite where p may be 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(p.value)
        carried = -np.log1p(-np.minimum(p.allowance / np.abs(p.value), 1.0))
    return p.made(value, carried + p.arithmetic.unit * np.abs(value))


def activate(z: Pair, activation: str) -> Pair:
    """Return h = f(z); |f'| A(z) and the rounding of f itself."""
    rule = ACTIVATION_RULES[activation]
    value = rule.f(z.value)
    size = np.abs(rule.rounded(z.value, value))
    rounding = rule.value * z.arithmetic.unit * size
    if rule.kinks:
        stepped = z.stepped(rule.f)
        return stepped.made(stepped.value, stepped.allowance + rounding) if rule.value else stepped
    through = z.value if rule.of_z else value
    carried = np.abs(rule.slope(through)) * z.allowance + z.arithmetic.floor()
    return z.made(value, carried + rounding)


def slope(h: Pair, activation: str) -> Pair:
    """Return f'(z), written in the value h (or in z, given as `h`) as both sides compute it.

    A(f') = |df'/dh| A(h) + slope_rounding unit; at a kink the slope may be either of the two.
    """
    rule = ACTIVATION_RULES[activation]
    bend = 0.0 if rule.bend is None else rule.bend(h.value)
    rounding = bend * h.allowance + rule.slope_rounding * h.arithmetic.unit
    if rule.kinks:
        jumped = h.jumped(rule.slope)
        return jumped if rule.bend is None else h.made(jumped.value, jumped.allowance + rounding)
    return h.made(rule.slope(h.value), rounding)


def mask(z: Pair, threshold: float = 0.0) -> Pair:
    """Return 1 where z > threshold, else 0."""
    return z.jumped(lambda entries: (entries > threshold).astype(np.float64))


def cast(a: Pair, dtype: DTypeLike) -> Pair:
    """Return `a` rounded to `dtype` and back; near the middle of two numbers it may be either."""
    with np.errstate(over="ignore", under="ignore"):
        return a.jumped(lambda entries: entries.astype(dtype).astype(np.float64))


def clip(a: Pair, low: float, high: float) -> Pair:
    """Return `a` held between `low` and `high`."""
    return a.stepped(lambda entries: np.clip(entries, low, high))


def trunc(a: Pair) -> Pair:
    """Return `a` without its fraction."""
    return a.jumped(np.trunc)


def sqrt(a: Pair) -> Pair:
    """Return the square root; f' = 1 / (2 sqrt a)."""
    return a.smooth(np.sqrt, lambda entries: 0.5 / np.sqrt(entries))


def repeated(row: Pair, rows: int) -> Pair:
    """Return `row`, (K,), once for every sample, (N, K)."""
    return row.arranged(lambda entries: np.broadcast_to(entries, (rows, *entries.shape)))


def maximum_of_rows(z: Pair) -> Float:
    """Return the largest entry of each row, (N, 1): a shift cancels, so it counts as exact."""
    largest: Float = z.value.max(axis=1, keepdims=True)
    return largest

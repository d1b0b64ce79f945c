"""What stands between two matrix products: softmax, logarithms, activations, casts, on Pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.allowance.softmax import softmax_allowance, softmax_rows
from compare.contracts.arrays import Float
from compare.textbook.pair import RULES, Operand, Pair


def softmax(z: Pair) -> Pair:
    """Return p = softmax(z) of every row, (N, K); what underflows in the dtype is 0."""
    p, _ = softmax_rows(z.value)

    def allowed() -> Float:
        found = softmax_allowance(p, z.value, z.allowance, z.arithmetic.unit)
        found += z.arithmetic.tiny
        return found

    return z.made(p.astype(z.dtype), allowed)


def log_softmax(z: Pair) -> Pair:
    """Return log softmax(z) = z - max z - log sum exp(z - max z) of every row, (N, K)."""
    p, shifted = softmax_rows(z.value)
    value = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def allowed() -> Float:
        carried: Float = (p * z.allowance).sum(axis=1, keepdims=True) + (1 - 2 * p) * z.allowance
        carried += z.arithmetic.unit * (1 + np.abs(z.value) + np.abs(value))
        return carried

    return z.made(value, allowed)


def exp(z: Pair) -> Pair:
    """Return e = exp(z) as the dtype can hold it: infinity above, 0 below."""
    with np.errstate(over="ignore", under="ignore"):
        e = np.exp(z.value).astype(z.dtype).astype(np.float64)

    def allowed() -> Float:
        relative = np.expm1(np.minimum(z.allowance, 700.0)) + z.arithmetic.unit
        found: Float = e * relative + z.arithmetic.tiny
        return found

    return z.made(e, allowed)


def log(p: Pair) -> Pair:
    """Return log p; A(log p) = -log(1 - A(p) / p), which is infinite where p may be 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(p.value)

    def allowed() -> Float:
        carried: Float = -np.log1p(-np.minimum(p.allowance / np.abs(p.value), 1.0))
        return carried + p.arithmetic.unit * np.abs(value)

    return p.made(value, allowed)


def activate(z: Pair, activation: str) -> Pair:
    """Return h = f(z); |f'| A(z) and the rounding of f itself."""
    rule = ACTIVATION_RULES[activation]
    value = rule.f(z.value)

    def rounding() -> Float:
        size: Float = np.abs(rule.rounded(z.value, value))
        return rule.value * z.arithmetic.unit * size

    if rule.kinks:
        stepped = z.stepped(rule.f)
        return stepped.with_more(rounding) if rule.value else stepped

    def allowed() -> Float:
        through = z.value if rule.of_z else value
        carried: Float = np.abs(rule.slope(through)) * z.allowance + z.arithmetic.floor()
        carried += rounding()
        return carried

    return z.made(value, allowed)


def slope(z: Pair, h: Pair, activation: str) -> Pair:
    """Return f'(z), written in the value h or in z, as both sides compute it.

    A(f') = |df'/dh| A(h) + slope_rounding unit; at a kink the slope may be either of the two.
    """
    rule = ACTIVATION_RULES[activation]
    h = z if rule.of_z else h

    def rounding() -> Float:
        bend = 0.0 if rule.bend is None else rule.bend(h.value)
        own = rule.slope_rounding * rule.size_of_slope(z.value)
        found: Float = bend * h.allowance + own * h.arithmetic.unit
        return found

    if rule.kinks:
        jumped = h.jumped(rule.slope)
        return jumped if rule.bend is None else jumped.with_more(rounding)
    return h.made(rule.slope(h.value), rounding)


def held(a: Pair, low: Any, high: Any) -> Pair:
    """Return `a` held between two numbers, which are rounded to the dtype as well."""
    found = a.stepped(lambda entries: np.clip(entries, low, high))
    return found.with_more(lambda: a.arithmetic.unit * np.abs(found.value))


def trunc(a: Pair) -> Pair:
    """Return `a` without its fraction."""
    return a.jumped(np.trunc)


def sqrt(a: Pair) -> Pair:
    """Return the square root: how far it can get, A / (sqrt(a) + sqrt(a + A)), or down to 0.

    The slope alone, 1 / (2 sqrt a), would leave the root of 0 unbounded.
    """
    value = np.sqrt(a.value)

    def allowed() -> Float:
        above = a.allowance / (value + np.sqrt(a.value + a.allowance))
        least = np.maximum(a.value - a.allowance, 0.0)
        below = np.fmin(a.allowance / (value + np.sqrt(least)), value)
        reach: Float = np.fmax(np.nan_to_num(above, nan=0.0, posinf=np.inf), below)
        return reach + a.arithmetic.unit * np.abs(value) + a.arithmetic.floor()

    return a.made(value, allowed)


def tanh(a: Pair) -> Pair:
    """Return tanh a; f' = 1 - tanh(a)**2."""
    return activate(a, "tanh")


def larger(a: Operand, b: Operand) -> Pair:
    """Return the larger of an entry and a number."""
    pair, bound = (a, b) if isinstance(a, Pair) else (b, a)
    return held(pair, bound, np.inf)  # type: ignore[arg-type]  # one of the two is a pair


def smaller(a: Operand, b: Operand) -> Pair:
    """Return the smaller of an entry and a number."""
    pair, bound = (a, b) if isinstance(a, Pair) else (b, a)
    return held(pair, -np.inf, bound)  # type: ignore[arg-type]  # one of the two is a pair


def constant_like(a: Pair, value: Operand) -> Pair:
    """Return an array of the shape of `a` that holds one value."""
    given = a.like(value)
    return given.arranged(lambda entries: np.broadcast_to(entries, a.shape))


def chosen(mask: Operand, one: Operand, other: Operand) -> Pair:
    """Return `one` where the mask is 1, else `other`."""
    pair = next(a for a in (mask, one, other) if isinstance(a, Pair))
    where = pair.like(np.asarray(mask, dtype=np.float64) if not isinstance(mask, Pair) else mask)
    return where * one + (1.0 - where) * other


def norm(a: Pair, axis: int | None = None, keepdims: bool = False) -> Pair:
    """Return the Euclidean norm along `axis`, or of all entries."""
    return sqrt((a * a).sum(axis, keepdims=keepdims))


RULES |= {
    np.add: lambda a, b: b + a,
    np.subtract: lambda a, b: -(b - a),
    np.multiply: lambda a, b: b * a,
    np.divide: lambda a, b: b.like(a) / b,
    np.matmul: lambda a, b: b.like(a) @ b,
    np.exp: exp,
    np.log: log,
    np.sqrt: sqrt,
    np.tanh: tanh,
    np.trunc: trunc,
    np.abs: lambda a: a.smooth(np.abs, np.sign),
    np.sign: lambda a: a.jumped(np.sign),
    np.maximum: larger,
    np.minimum: smaller,
    np.clip: held,
    np.where: chosen,
    np.linalg.norm: norm,
    np.trace: lambda a: a.arranged(np.diagonal).sum(),
    np.roll: lambda a, shift, axis: a.arranged(lambda e: np.roll(e, shift, axis=axis)),
    np.zeros_like: lambda a: constant_like(a, 0.0),
    np.ones_like: lambda a: constant_like(a, 1.0),
    np.full_like: constant_like,
}
"""The first operand of the binary ones is an array: a pair on the left has its own operators."""

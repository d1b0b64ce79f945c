"""A number and what rounding may explain of it, carried through arithmetic together.

A `Pair` behaves like an array in an equation, so the textbook and every mistake are written as on
paper: `(p - y) / N`, `h.T @ dz`. Each operation applies its rule of the running error analysis to
the allowances; the value is float64 and stands for any computation in the compared dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from compare.allowance.alike import coarse, multiplicities, row_keys
from compare.allowance.arithmetic import LAMBDA, Arithmetic
from compare.allowance.sums import over_batch, own_square
from compare.allowance.totals import total_allowance

Float = NDArray[np.float64]
SQUARABLE = 1e150
"""Up to this size the square of an allowance is a finite float64."""
Function = Callable[[Float], NDArray[Any]]


@lru_cache
def arithmetic_of(dtype: np.dtype[Any]) -> Arithmetic:
    """Return the constants of `dtype`; asked for at every operation, so remembered."""
    return Arithmetic.of(dtype)


@lru_cache
def largest_of(dtype: np.dtype[Any]) -> float:
    """Return the largest finite number of `dtype`."""
    return float(np.finfo(dtype).max)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """`value` and `allowance`, float64 arrays of one shape; `dtype` is the compared format.

    Operators take another Pair, an exact array or an exact number. Squared allowances add
    (independent errors), except along an axis on which equal items repeat: those err alike, and
    each weighs as often as it occurs. Where the value is not finite the allowance is 0: infinities
    and NaN are compared as patterns.
    """

    value: Float
    allowance: Float
    dtype: np.dtype[Any]
    __array_ufunc__: ClassVar[None] = None  # `array @ pair` is the pair's business

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the value."""
        return self.value.shape

    @property
    def T(self) -> Pair:
        """Return the transpose."""
        return self.arranged(np.transpose)

    @property
    def arithmetic(self) -> Arithmetic:
        """Return unit and floor of the compared dtype."""
        return arithmetic_of(self.dtype)

    def made(self, value: NDArray[Any], allowance: NDArray[Any]) -> Pair:
        """Return the result of an operation: beyond the largest number of the dtype is infinity."""
        value = np.asarray(value, dtype=np.float64)
        allowance = np.asarray(allowance, dtype=np.float64)
        if np.isnan(allowance.max(initial=0.0)):  # 0 times an unbounded error
            allowance = np.where(np.isnan(allowance), np.inf, allowance)
        largest = largest_of(self.dtype)
        if not np.abs(value).max(initial=0.0) <= largest:  # not >: the maximum may be NaN
            value = np.where(np.abs(value) > largest, np.copysign(np.inf, value), value)
            allowance = np.where(np.isfinite(value), allowance, 0.0)
        return Pair(value, allowance, self.dtype)

    def like(self, other: Operand) -> Pair:
        """Return `other` as a Pair; an array or a number is exact."""
        return other if isinstance(other, Pair) else exact(other, self.dtype)

    def arranged(self, move: Callable[[Float], Float]) -> Pair:
        """Return the entries in another arrangement (transposed, rolled, picked, repeated)."""
        return Pair(move(self.value), move(self.allowance), self.dtype)

    def __getitem__(self, index: Any) -> Pair:
        return self.arranged(lambda entries: np.asarray(entries[index]))

    def __neg__(self) -> Pair:
        return Pair(-self.value, self.allowance, self.dtype)

    def __add__(self, other: Operand) -> Pair:
        """A(a + b)**2 = A(a)**2 + A(b)**2, and one rounding."""
        other = self.like(other)
        value = self.value + other.value
        return self.made(value, np.hypot(self.allowance, other.allowance) + self._rounding(value))

    def __sub__(self, other: Operand) -> Pair:
        return self + (-self.like(other))

    def __mul__(self, other: Operand) -> Pair:
        """A(a b)**2 = A(a)**2 b**2 + a**2 A(b)**2, and one rounding."""
        other = self.like(other)
        value = self.value * other.value
        carried = np.hypot(self.allowance * other.value, self.value * other.allowance)
        return self.made(value, carried + self._rounding(value))

    def __truediv__(self, other: Operand) -> Pair:
        """A(a / b)**2 = (A(a) / b)**2 + (a A(b) / b**2)**2, one rounding; unbounded at b = 0."""
        other = self.like(other)
        value = self.value / other.value
        carried = np.hypot(self.allowance / other.value, value * other.allowance / other.value)
        if other.allowance.any():
            carried = np.where(np.abs(other.value) <= other.allowance, np.inf, carried)
        return self.made(value, carried + self._rounding(value))

    def __radd__(self, other: Operand) -> Pair:
        return self + other

    def __rsub__(self, other: Operand) -> Pair:
        return self.like(other) - self

    def __rmul__(self, other: Operand) -> Pair:
        return self * other

    def __rtruediv__(self, other: Operand) -> Pair:
        return self.like(other) / self

    def __rmatmul__(self, other: Operand) -> Pair:
        return self.like(other) @ self

    def __matmul__(self, other: Operand) -> Pair:
        """A(a @ b)**2 = own**2 + A(a)**2 @ b**2 + a**2 @ A(b)**2, with T = ||a_i|| ||b_j||."""
        other = self.like(other)
        a, b = np.square(self.value), np.square(other.value)
        terms, value = len(b), self.value @ other.value
        sizes = np.multiply.outer(a.sum(axis=1), b.sum(axis=0))
        own = own_square(over_batch(terms), sizes, np.square(value))
        square = own * self.arithmetic.unit**2
        if self.allowance.any():
            square += (np.square(self.allowance) * occurrences(self.value.T)) @ b
        if other.allowance.any():
            square += a @ (np.square(other.allowance) * occurrences(other.value)[:, None])
        slack = terms * self.arithmetic.floor()
        return self.made(value, np.sqrt(square) + slack)

    def sum(self, axis: int | None = None) -> Pair:
        """Return the sum along `axis`, or of all entries; equal items err alike."""
        if axis is None:
            return self.sum(0) if len(self.shape) == 1 else self.sum(-1).sum()
        terms, own = np.moveaxis(self.value, axis, 0), np.moveaxis(self.allowance, axis, 0)
        weights = occurrences(terms) if own.any() else np.ones(len(terms))
        scale = np.maximum(1.0, own.max(axis=0, initial=0.0) / SQUARABLE)
        scaled = total_allowance(terms / scale, own / scale, weights, self.arithmetic)
        return self.made(terms.sum(axis=0), scale * scaled)

    def mean(self, axis: int | None = None) -> Pair:
        """Return the mean along `axis`, or of all entries."""
        return self.sum(axis) / (self.value.size if axis is None else self.shape[axis])

    def smooth(self, f: Function, slope: Function, rounding: float = 1.0) -> Pair:
        """A(f(a)) = |f'(a)| A(a), and `rounding` units of |f(a)|."""
        value = f(self.value)
        return self.made(
            value, np.abs(slope(self.value)) * self.allowance + rounding * self._rounding(value)
        )

    def stepped(self, f: Function) -> Pair:
        """Return f(a) for a monotone, continuous f with corners: A is how far f can get."""
        value = np.asarray(f(self.value), dtype=np.float64)
        return self.made(value, self._reach(f, value))

    def jumped(self, f: Function) -> Pair:
        """Return f(a) for a monotone f with jumps (mask, cast).

        Within A(a) of a jump the result is one of two numbers J apart: a standard deviation of at
        most J / 2, and the allowance is LAMBDA of them. A zero away from jumps is exactly zero.
        """
        value = np.asarray(f(self.value), dtype=np.float64)
        reach = self._reach(f, value)
        rounding = np.where((value == 0) & (reach == 0), 0.0, self._rounding(value))
        return self.made(value, LAMBDA / 2 * reach + rounding)

    def _reach(self, f: Function, value: Float) -> Float:
        above, below = f(self.value + self.allowance), f(self.value - self.allowance)
        reach: Float = np.maximum(np.abs(above - value), np.abs(below - value))
        return reach

    def _rounding(self, value: Float) -> Float:
        return self.arithmetic.unit * np.abs(value) + self.arithmetic.floor()


Operand = Pair | NDArray[Any] | float


def exact(array: NDArray[Any] | float, dtype: DTypeLike) -> Pair:
    """Return what both sides were handed: no allowance at all."""
    value = np.asarray(array, dtype=np.float64)
    return Pair(value, np.broadcast_to(0.0, value.shape), np.dtype(dtype))


def occurrences(items: Float) -> Float:
    """Return how often each item along the first axis occurs, (n,)."""
    keys = items if items.ndim == 1 else row_keys(items.reshape(len(items), -1))
    times = multiplicities(coarse(keys))
    return np.ones(len(items)) if times is None else times

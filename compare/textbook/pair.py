"""A number and what rounding may explain of it, carried through arithmetic together.

A `Pair` behaves like an array in NumPy code, so a line of a program runs on pairs as it stands:
`(p - y) / N`, `h.T @ dz`, `np.exp(z)`. Each operation applies its rule of the running error
analysis to the allowances; the value is float64 and stands for any computation in the compared
dtype. NumPy's own functions reach the rules of `functions` through its protocols (NEP 13, NEP 18).

Values never depend on allowances, so an allowance is computed when somebody asks for it: most
mistakes that are tried are far off by their values alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from compare.allowance.alike import coarse, multiplicities, row_keys
from compare.allowance.arithmetic import LAMBDA, Arithmetic
from compare.allowance.sums import over_batch, own_square
from compare.allowance.totals import total_allowance
from compare.contracts.arrays import Float

RULES: dict[Any, Callable[..., Any]] = {}
"""What a NumPy function does with pairs; `functions` fills it."""
SQUARABLE = 1e150
"""Up to this size the square of an allowance is a finite float64."""
Function = Callable[[Float], NDArray[Any]]
Later = Callable[[], NDArray[Any]]
"""An allowance that is computed when it is asked for."""


@lru_cache
def arithmetic_of(dtype: np.dtype[Any]) -> Arithmetic:
    """Return the constants of `dtype`; asked for at every operation, so remembered."""
    return Arithmetic.of(dtype)


@lru_cache
def largest_of(dtype: np.dtype[Any]) -> float:
    """Return the largest finite number of `dtype`."""
    return float(np.finfo(dtype).max)


class Pair:
    """`value` and `allowance`, float64 arrays of one shape; `dtype` is the compared format.

    Operators take another Pair, an exact array or an exact number. Squared allowances add
    (independent errors), except along an axis on which equal items repeat: those err alike, and
    each weighs as often as it occurs. Where the value is not finite the allowance is 0: infinities
    and NaN are compared as patterns.
    """

    __slots__ = ("_allowance", "dtype", "value")

    def __init__(self, value: Float, allowance: Float | Later, dtype: np.dtype[Any]) -> None:
        self.value = value
        self.dtype = dtype
        self._allowance = allowance

    @property
    def allowance(self) -> Float:
        """Return the allowance, computed the first time."""
        found = self._allowance
        if callable(found):
            with np.errstate(all="ignore"):
                found = self._allowance = found()
        return found

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Apply the rule of a NumPy function: `np.exp(pair)`, `array @ pair`."""
        rule = RULES.get(ufunc)
        return NotImplemented if rule is None or method != "__call__" else rule(*inputs, **options)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        """Apply the rule of a NumPy function that is no ufunc: `np.roll(pair, 1, axis=0)`."""
        rule = RULES.get(function)
        return NotImplemented if rule is None else rule(*inputs, **options)

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

    def made(self, value: NDArray[Any], allowance: Later) -> Pair:
        """Return the result of an operation: beyond the largest number of the dtype is infinity."""
        value = np.asarray(value, dtype=np.float64)
        largest = largest_of(self.dtype)
        if np.abs(value).max(initial=0.0) <= largest:
            return Pair(value, lambda: bounded(allowance()), self.dtype)
        value = np.where(np.abs(value) > largest, np.copysign(np.inf, value), value)
        return Pair(
            value, lambda: np.where(np.isfinite(value), bounded(allowance()), 0.0), self.dtype
        )

    def with_more(self, further: Later) -> Pair:
        """Return the same value, `further` of which is allowed besides."""
        return self.made(self.value, lambda: self.allowance + further())

    def like(self, other: Operand) -> Pair:
        """Return `other` as a Pair; an array or a number is exact."""
        return other if isinstance(other, Pair) else exact(other, self.dtype)

    def arranged(self, move: Callable[[Float], Float]) -> Pair:
        """Return the entries in another arrangement (transposed, rolled, picked, repeated)."""
        return Pair(move(self.value), lambda: move(self.allowance), self.dtype)

    def __getitem__(self, index: Any) -> Pair:
        return self.arranged(lambda entries: np.asarray(entries[index]))

    def __neg__(self) -> Pair:
        return Pair(-self.value, lambda: self.allowance, self.dtype)

    def __add__(self, other: Operand) -> Pair:
        """A(a + b)**2 = A(a)**2 + A(b)**2, and one rounding."""
        other = self.like(other)
        value = self.value + other.value
        return self.made(
            value, lambda: np.hypot(self.allowance, other.allowance) + self._rounding(value)
        )

    def __sub__(self, other: Operand) -> Pair:
        return self + (-self.like(other))

    def __mul__(self, other: Operand) -> Pair:
        """A(a b)**2 = A(a)**2 b**2 + a**2 A(b)**2, and one rounding."""
        other = self.like(other)
        value = self.value * other.value

        def allowed() -> Float:
            carried = np.abs(self.allowance * other.value)
            if other.allowance is not nothing(other.shape):
                carried = np.hypot(carried, self.value * other.allowance)
            return carried + self._rounding(value)

        return self.made(value, allowed)

    def __truediv__(self, other: Operand) -> Pair:
        """A(a / b)**2 = (A(a) / b)**2 + (a A(b) / b**2)**2, one rounding; unbounded at b = 0."""
        other = self.like(other)
        value = self.value / other.value

        def allowed() -> Float:
            carried = np.hypot(self.allowance / other.value, value * other.allowance / other.value)
            if other.allowance.any():
                carried = np.where(np.abs(other.value) <= other.allowance, np.inf, carried)
            return carried + self._rounding(value)

        return self.made(value, allowed)

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
        """A(a @ b)**2 = own**2 + A(a)**2 @ b**2 + a**2 @ A(b)**2, with T = ||a_i|| ||b_j||.

        `own` is the rule of `allowance.sums`, which `Dense` and `LowRank` use too. Those look like
        this line again, but carry squares only, with exact weights and sizes measured beforehand.
        """
        other = self.like(other)
        return self.made(self.value @ other.value, lambda: self._of_product(other))

    def _of_product(self, other: Pair) -> Float:
        """Return the allowance of `self @ other`."""
        a, b = np.square(self.value), np.square(other.value)
        terms, value = len(b), self.value @ other.value
        sizes = np.multiply.outer(a.sum(axis=1), b.sum(axis=0))
        own = own_square(over_batch(terms), sizes, np.square(value))
        square = own * self.arithmetic.unit**2
        if self.allowance.any():
            square += (np.square(self.allowance) * occurrences(self.value.T)) @ b
        if other.allowance.any():
            square += a @ (np.square(other.allowance) * occurrences(other.value)[:, None])
        allowed: Float = np.sqrt(square) + terms * self.arithmetic.floor()
        return allowed

    def __pow__(self, power: int) -> Pair:
        """Return the square as code forms it, a product; other powers have no rule."""
        return self * self if power == 2 else NotImplemented

    def __gt__(self, bound: float) -> Pair:
        """Return 1 where an entry is above `bound`, else 0: a mask to multiply with."""
        return self.jumped(lambda entries: (entries > bound).astype(np.float64))

    def __ge__(self, bound: float) -> Pair:
        """Return 1 where an entry is at least `bound`, else 0."""
        return self.jumped(lambda entries: (entries >= bound).astype(np.float64))

    def __le__(self, bound: float) -> Pair:
        """Return 1 where an entry is at most `bound`, else 0."""
        return 1.0 - (self > bound)

    def __lt__(self, bound: float) -> Pair:
        """Return 1 where an entry is below `bound`, else 0."""
        return 1.0 - (self >= bound)

    def sum(self, axis: int | None = None, keepdims: bool = False) -> Pair:
        """Return the sum along `axis`, or of all entries; equal items err alike."""
        if keepdims:
            return self.sum(axis).arranged(lambda entries: np.expand_dims(entries, axis or 0))
        if axis is None:
            return self.sum(0) if len(self.shape) == 1 else self.sum(-1).sum()
        return self.made(self.value.sum(axis=axis), lambda: self._of_sum(axis))

    def _of_sum(self, axis: int) -> Float:
        """Return the allowance of the sum along `axis`."""
        terms, own = self.value, self.allowance
        if axis:
            terms, own = np.moveaxis(terms, axis, 0), np.moveaxis(own, axis, 0)
        weights = occurrences(terms) if own.any() else np.ones(len(terms))
        if not own.max(initial=0.0) > SQUARABLE:
            return total_allowance(terms, own, weights, self.arithmetic)
        scale = np.maximum(1.0, own.max(axis=0, initial=0.0) / SQUARABLE)
        scaled: Float = total_allowance(terms / scale, own / scale, weights, self.arithmetic)
        whole: Float = scale * scaled
        return whole

    def mean(self, axis: int | None = None) -> Pair:
        """Return the mean along `axis`, or of all entries."""
        return self.sum(axis) / (self.value.size if axis is None else self.shape[axis])

    def max(self, axis: int | None = None, keepdims: bool = False) -> Pair:
        """Return the largest entry.

        Of a row, or of all, it is what a softmax takes off before exp: there it cancels, so it
        counts as exact. That of a column does not cancel.
        """
        if axis != 0:
            return exact(self.value.max(axis=axis, keepdims=keepdims), self.dtype)
        return self.stepped(lambda entries: entries.max(axis=0, keepdims=keepdims))

    def argmax(self, axis: int) -> NDArray[np.intp]:
        """Return where the largest entries are; a tie within the allowance is not seen."""
        places: NDArray[np.intp] = self.value.argmax(axis=axis)
        return places

    def reshape(self, *shape: int) -> Pair:
        """Return the entries in another shape."""
        return self.arranged(lambda entries: entries.reshape(*shape))

    def astype(self, dtype: DTypeLike) -> Pair:
        """Return the entries rounded to `dtype`; near the middle of two numbers it may be either.

        To the compared dtype nothing is left to round.
        """
        if np.dtype(dtype) == self.dtype:
            return self

        def cast(entries: Float) -> Float:
            with np.errstate(over="ignore", under="ignore"):
                return entries.astype(dtype).astype(np.float64)

        return self.jumped(cast)

    def smooth(self, f: Function, slope: Function, rounding: float = 1.0) -> Pair:
        """A(f(a)) = |f'(a)| A(a), and `rounding` units of |f(a)|."""
        value = f(self.value)
        return self.made(
            value,
            lambda: np.abs(slope(self.value)) * self.allowance + rounding * self._rounding(value),
        )

    def stepped(self, f: Function) -> Pair:
        """Return f(a) for a monotone, continuous f with corners: A is how far f can get."""
        value = np.asarray(f(self.value), dtype=np.float64)
        return self.made(value, lambda: self._reach(f, value))

    def jumped(self, f: Function) -> Pair:
        """Return f(a) for a monotone f with jumps (mask, cast).

        Within A(a) of a jump the result is one of two numbers J apart: a standard deviation of at
        most J / 2, and the allowance is LAMBDA of them. A zero away from jumps is exactly zero.
        """
        value = np.asarray(f(self.value), dtype=np.float64)

        def allowed() -> Float:
            reach = self._reach(f, value)
            rounding = np.where((value == 0) & (reach == 0), 0.0, self._rounding(value))
            return LAMBDA / 2 * reach + rounding

        return self.made(value, allowed)

    def _reach(self, f: Function, value: Float) -> Float:
        above, below = f(self.value + self.allowance), f(self.value - self.allowance)
        reach: Float = np.maximum(np.abs(above - value), np.abs(below - value))
        return reach

    def _rounding(self, value: Float) -> Float:
        return self.arithmetic.unit * np.abs(value) + self.arithmetic.floor()


Operand = Pair | NDArray[Any] | float


def bounded(allowance: NDArray[Any]) -> Float:
    """Return an allowance in float64; 0 times an unbounded error is not known to be small."""
    found = np.asarray(allowance, dtype=np.float64)
    if np.isnan(found.max(initial=0.0)):
        found = np.where(np.isnan(found), np.inf, found)
    return found


def exact(array: NDArray[Any] | float, dtype: DTypeLike) -> Pair:
    """Return what both sides were handed: no allowance at all."""
    value = np.asarray(array, dtype=np.float64)
    return Pair(value, lambda: nothing(value.shape), np.dtype(dtype))


@lru_cache(maxsize=1024)
def nothing(shape: tuple[int, ...]) -> Float:
    """Return zeros that take no memory, and that nobody can write to."""
    return np.broadcast_to(0.0, shape)


def occurrences(items: Float) -> Float:
    """Return how often each item along the first axis occurs, (n,)."""
    keys = items if items.ndim == 1 else row_keys(items.reshape(len(items), -1))
    times = multiplicities(coarse(keys))
    return np.ones(len(items)) if times is None else times

"""Free constants of a mistake: found in the numbers seen, then recognised as what people type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.records import PARAMETER
from compare.mistakes.mistake import Fit, Seen, Trial
from compare.textbook import Pass, Point

STEPS = 100
LARGEST = 1e9
"""No data set has more rows than this."""
NEARBY = 3.0
"""How far a fit may be off where the numbers seen are not linear in the constant."""
NOISE = 0.01
"""A constant that changes nothing by this share of its allowance was fitted to rounding."""
WHOLE = 1e-6
"""Relative distance within which a fitted divisor is a whole number."""
NARROW = 1e-15
"""Decades: a bracket this narrow is a number."""


def rounded(constant: float) -> Iterator[float]:
    """Yield what people type near `constant`, then `constant`.

    The power of ten, if it is one within a factor of two, and one, two and three digits. Nothing
    near NaN or infinity: nobody types those.
    """
    if not np.isfinite(constant):
        return
    power = f"{np.sign(constant):.0f}e{round(np.log10(abs(constant)))}" if constant else "0"
    near = [power] if constant and 0.5 < float(power) / constant < 2.0 else []
    digits = [f"{constant:.{n}e}" for n in range(3)]
    yield from dict.fromkeys(float(text) for text in (*near, *digits, repr(float(constant))))


def linear(trial: Trial, seen: Seen, one: float = 1.0) -> Iterator[float]:
    """Yield c from the first tensor with seen = value(0) + c / one (value(one) - value(0))."""
    without, with_one = trial(0.0), trial(one)
    names = without.point.names
    for name in (*names[1:], names[0]):
        before, after = without.named(name), with_one.named(name)
        if name not in seen or seen[name].shape != before.shape:
            continue
        effect = after.value - before.value
        scale = float((effect * effect).sum())
        if not np.isfinite(scale) or (np.abs(effect) <= after.allowance + before.allowance).all():
            continue
        constant = one * float(((seen[name] - before.value) * effect).sum() / scale)
        shown = np.abs(constant / one * effect) > NOISE * before.allowance
        if np.isfinite(constant) and shown.any():
            yield from rounded(constant)
        return


def in_the_loss(low: float, high: float, *, beyond_loss: bool = False) -> Fit:
    """Return a fit of a loss that is monotone in the constant, by its decimal logarithm.

    `beyond_loss` as in `Among`.
    """

    def fit(trial: Trial, seen: Seen) -> Iterator[float]:
        if "loss" not in seen or (beyond_loss and set(seen) <= {"loss"}):
            return
        observed = float(seen["loss"])

        def excess(exponent: float) -> float:
            return float(trial(10.0**exponent).named("loss").value) - observed

        left, right = np.log10(low), np.log10(high)
        ends = (left, excess(left)), (right, excess(right))
        if np.isfinite(observed) and ends[0][1] * ends[1][1] < 0:
            yield from rounded(10.0 ** zero_between(excess, *ends))

    return fit


def or_usual(fit: Fit, values: Iterable[float]) -> Fit:
    """Return the fit that tries usual values as well, where a loss is seen.

    It may be flat, as with a joint that no error of a batch reaches, or turn, as with a clip that
    many probabilities do.
    """
    usual = tuple(values)

    def found(trial: Trial, seen: Seen) -> Iterator[float]:
        yield from fit(trial, seen)
        yield from usual if "loss" in seen else ()

    return found


def in_loss_or_gradient(low: float, high: float, small: float) -> Fit:
    """Return the same fit, and beside it one in the gradient, which is linear in constants up to
    `small`: in float32 the loss may round more than a small constant changes it."""
    in_loss = in_the_loss(low, high)

    def fit(trial: Trial, seen: Seen) -> Iterator[float]:
        yield from in_loss(trial, seen)
        yield from linear(trial, seen, small)

    return fit


def zero_between(
    f: Callable[[float], float], one: tuple[float, float], other: tuple[float, float]
) -> float:
    """Return a zero of a monotone f between two points (x, f(x)) of different sign.

    The Illinois form of regula falsi: quick where f is smooth, safe where it has corners.
    """
    (x, fx), (y, fy) = one, other
    for _ in range(STEPS):
        if fy == 0.0 or abs(y - x) < NARROW:
            break
        middle = y - fy * (y - x) / (fy - fx)
        at_middle = f(middle)
        x, fx = (y, fy) if at_middle * fy < 0 else (x, fx / 2)
        y, fy = middle, at_middle
    return y


@dataclass(frozen=True)
class Among:
    """The fit that looks at no numbers but tries each of a few values: a row, a class, a layer.

    `varies`: the value belongs to the batch (a row), so another batch may have another one.
    `beyond_loss`: the mistake is told from one in the loss by other numbers only.
    """

    values: Callable[[Point], Iterable[float]]
    varies: bool = False
    beyond_loss: bool = False

    def __call__(self, trial: Trial, seen: Seen) -> Iterable[float]:
        """Return the values for the point of the trial."""
        silent = self.beyond_loss and set(seen) <= {"loss"}
        return () if silent else self.values(trial(0.0).point)


def whole(trial: Trial, seen: Seen) -> Iterator[float]:
    """Yield the whole number c for which loss or last bias gradient is seen as value(1) / c.

    Not 1, and none of the sizes of the network and its batch: those are mistakes of their own.
    """
    one: Pass = trial(1.0)
    point = one.point
    for name in (point.names[1], "loss"):
        value = one.named(name).value
        changed = (np.abs(value - trial(2.0).named(name).value) > 0).any()
        if not changed or name not in seen or seen[name].shape != value.shape:
            continue
        share = float((seen[name] * value).sum() / (value * value).sum())
        if np.isfinite(share) and share > 0 and 1.5 < 1 / share < LARGEST:
            c = float(round(1 / share))
            sizes = {size for array in point.parameters.values() for size in array.shape}
            yield from () if c in {one.rows, *sizes} else (c,)
        return


def typed(fit: Fit) -> Fit:
    """Return the fit that keeps only constants of two digits or fewer, which people type."""

    def found(trial: Trial, seen: Seen) -> Iterator[float]:
        yield from (c for c in fit(trial, seen) if c == float(f"{c:.1e}"))

    return found


def number(trial: Trial, seen: Seen) -> Iterator[float]:
    """Yield a factor that people write: a whole number, one of two digits or fewer, or one over
    such a number; not 1. Any other constant would be invented."""
    for c in list(linear(trial, seen))[-1:]:
        for times in (c, 1 / c):
            written = [
                float(f"{times:.1e}"),
                float(round(times)) if abs(times) < 0.1 / WHOLE else 0.0,
            ]
            for near in written:
                if near not in (0.0, 1.0) and abs(near / times - 1) < WHOLE:
                    yield near if times is c else 1 / near
                    return


@dataclass(frozen=True)
class Near:
    """The fit that yields those of a few usual values which are near the one `fit` finds."""

    values: tuple[float, ...]
    fit: Fit = linear

    def __call__(self, trial: Trial, seen: Seen) -> Iterable[float]:
        """Return the usual values within a factor of the last, most exact one found."""
        found = [c for c in self.fit(trial, seen) if c > 0]
        near = [c for c in self.values for last in found[-1:] if 1 / NEARBY < c / last < NEARBY]
        return sorted(near, key=lambda c: abs(np.log(c / found[-1])))


def gradients(seen: Seen) -> list[NDArray[Any]]:
    """Return the finite gradients among the numbers seen."""
    found = [array for name, array in seen.items() if re.fullmatch(f"d{PARAMETER}", name)]
    return [array for array in found if array.size and np.isfinite(array).all()]


def largest_entry(trial: Trial, seen: Seen) -> Iterator[float]:
    """Yield the size of the largest entry of all gradients: where values are clipped."""
    sizes = [float(np.abs(array).max()) for array in gradients(seen)]
    yield from positive(max(sizes, default=0.0))


def whole_norm(trial: Trial, seen: Seen) -> Iterator[float]:
    """Yield the Euclidean norm of all gradients together."""
    yield from positive(float(np.sqrt(sum(float((g * g).sum()) for g in gradients(seen)))))


def each_norm(trial: Trial, seen: Seen) -> Iterator[float]:
    """Yield the largest norm of a gradient, if several share it: each is clipped."""
    norms = [float(np.linalg.norm(array)) for array in gradients(seen)]
    yield from positive(max(norms, default=0.0))


def positive(bound: float) -> Iterator[float]:
    """Yield what people type near a bound; gradients that are all 0 are not clipped at it."""
    yield from rounded(bound) if bound > 0 else ()

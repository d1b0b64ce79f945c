"""Free constants of a mistake: found in the numbers seen, then recognised as what people type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from compare.mistakes.mistake import Fit, Seen, Trial
from compare.textbook import Pass, Point

HALVINGS = 60
"""Of the decimal logarithm of a constant: from 30 decades to the rounding of float64."""


def rounded(constant: float) -> Iterator[float]:
    """Yield `constant` with one, two and three digits (what people type), then as it is."""
    seen = set()
    for text in (f"{constant:.0e}", f"{constant:.1e}", f"{constant:.2e}", repr(float(constant))):
        if (value := float(text)) not in seen:
            seen.add(value)
            yield value


def linear(trial: Trial, seen: Seen) -> Iterator[float]:
    """Yield c from the first tensor with seen = value(0) + c (value(1) - value(0))."""
    without, with_one = trial(0.0), trial(1.0)
    names = without.point.names
    for name in (*names[1:], names[0]):
        before, after = without.named(name), with_one.named(name)
        if name not in seen or seen[name].shape != before.shape:
            continue
        effect = after.value - before.value
        scale = float((effect * effect).sum())
        if not np.isfinite(scale) or (np.abs(effect) <= after.allowance + before.allowance).all():
            continue
        constant = float(((seen[name] - before.value) * effect).sum() / scale)
        if np.isfinite(constant) and constant != 0.0:
            yield from rounded(constant)
        return


def in_the_loss(low: float, high: float) -> Fit:
    """Return a fit of a loss that is monotone in the constant, by halving its logarithm."""

    def fit(trial: Trial, seen: Seen) -> Iterator[float]:
        if "loss" not in seen:
            return
        observed = float(seen["loss"])

        def excess(exponent: float) -> float:
            return float(trial(10.0**exponent).named("loss").value) - observed

        left, right = np.log10(low), np.log10(high)
        rising = excess(right) > excess(left)
        if not np.isfinite(observed) or excess(left) * excess(right) > 0:
            return
        for _ in range(HALVINGS):
            middle = (left + right) / 2
            left, right = (left, middle) if (excess(middle) > 0) == rising else (middle, right)
        yield from rounded(10.0**left)

    return fit


@dataclass(frozen=True)
class Among:
    """The fit that looks at no numbers but tries each of a few values: a row, a class, a layer.

    `varies`: the value belongs to the batch (a row), so another batch may have another one.
    """

    values: Callable[[Point], Iterable[float]]
    varies: bool = False

    def __call__(self, trial: Trial, seen: Seen) -> Iterable[float]:
        """Return the values for the point of the trial."""
        return self.values(trial(0.0).point)


def whole(trial: Trial, seen: Seen) -> Iterator[float]:
    """Yield the whole number c > N for which the last bias gradient is seen as value(1) / c."""
    one: Pass = trial(1.0)
    name = one.point.names[1]
    value = one.named(name).value
    if name not in seen or seen[name].shape != value.shape:
        return
    share = float((seen[name] * value).sum() / (value * value).sum())
    if np.isfinite(share) and share > 0 and 1 / share > one.rows + 0.5:
        yield float(round(1 / share))

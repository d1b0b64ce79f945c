"""From a `Result` to arrays a plot can draw: one curve of both sides, and log axes with a zero.

Equal numbers have a difference of 0, which a log axis cannot show. They are drawn at a floor one
decade below everything else, and the tick there reads 0. Long runs are thinned by the largest
value of each group of epochs, so the worst point is always on the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from compare.contracts.arrays import Float
from compare.contracts.measured import EpochRow
from compare.contracts.result import Result
from compare.report.plots import style

HUGE = 1e200
"""Beyond this the margins and the next tick of a logarithmic axis overflow."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity of both sides over the epochs, with the allowance of its difference (or nan)."""

    epochs: Float
    manual: Float
    reference: Float
    band: Float

    @property
    def drawn(self) -> bool:
        """Whether there is anything to draw: a run without validation data has only nan there."""
        return not bool(np.isnan(self.manual).all() and np.isnan(self.reference).all())

    @property
    def difference(self) -> Float:
        """Return `|manual - reference|`, nan or inf where a side is not finite."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.abs(self.manual - self.reference)


def curve(result: Result, name: str, scale: float = 1.0) -> Curve:
    """Return the curve called `name` (`train_loss`, `validation_accuracy`, ...) times `scale`."""
    return Curve(
        column(result.epochs, lambda row: row.epoch),
        scale * column(result.epochs, lambda row: getattr(row.manual, name)),
        scale * column(result.epochs, lambda row: getattr(row.reference, name)),
        scale * column(result.epochs, lambda row: getattr(row.band, name, np.nan)),
    )


def column(rows: Sequence[EpochRow], value: Callable[[EpochRow], Any]) -> Float:
    """Return one number per epoch as an array."""
    return np.array([value(row) for row in rows], dtype=np.float64)


def worst_ratio(result: Result, parameter: str) -> Float:
    """Return the parameter's worst gradient error over the epochs, as × allowance."""
    return column(
        result.epochs,
        lambda row: row.worst[parameter].ratio if parameter in row.worst else np.nan,
    )


def keep_largest(epochs: Float, values: Float, points: int = style.POINTS) -> tuple[Float, Float]:
    """Thin to at most `points` groups of neighbours, each shown by its largest value.

    A value that is not finite counts as the largest of all.
    """
    if len(values) <= points:
        return epochs, values
    rank = np.where(np.isfinite(values), values, np.inf)
    starts = np.linspace(0, len(values), points, endpoint=False).astype(int)
    ends = np.append(starts[1:], len(values))
    kept = [
        start + int(np.argmax(rank[start:end])) for start, end in zip(starts, ends, strict=True)
    ]
    return epochs[kept], values[kept]


def floor_below(*arrays: Float, otherwise: float = 1e-17) -> float:
    """Return the power of ten that stands for 0: one decade below every positive finite value."""
    values = np.concatenate([np.ravel(array) for array in arrays])
    positive = values[np.isfinite(values) & (values > 1e-300)]
    if not positive.size:
        return otherwise
    return float(10.0 ** (np.floor(np.log10(positive.min())) - 1))


def log_axis(
    axes: Axes, floor: float, top: float, zero: bool = True, which: Literal["x", "y"] = "y"
) -> None:
    """Make one axis logarithmic from `floor` to above `top`; with `zero` the first tick reads 0."""
    low = round(np.log10(floor))
    high = max(low + 3, int(np.ceil(np.log10(top) + 0.15)) if top > 0 else low)
    step = -(-(high - low) // 6)
    decades = [power for power in range(low + zero, high + 1) if power % step == 0]
    ticks = [10.0**power for power in ([low] * zero + decades)]
    limits = (10.0 ** (low - 0.35) if zero else 10.0**low, 10.0**high)
    axes.set(**{f"{which}scale": "log", f"{which}lim": limits})
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: "0" if zero and value < 3 * floor else _power(value))
    )


def _power(value: float) -> str:
    exponent = round(np.log10(value))
    return f"{value:g}" if -2 <= exponent <= 2 else f"$10^{{{exponent}}}$"


def largest_finite(*arrays: Float) -> float:
    """Return the largest finite value that an axis can hold, 0 if there is none."""
    values = np.concatenate([np.ravel(array) for array in arrays])
    return min(float(values[np.isfinite(values)].max(initial=0.0)), HUGE)

"""The referee's picture: the Taylor remainder of the manual side's own loss against the step.

`R(h) = L(theta + h d) - L(theta) - h <g, d>` falls as h² if g is the gradient of L and as h if it
is not, so on log axes the slope is the answer; two guide lines show what to compare it with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compare.contracts.arrays import Float
from compare.contracts.result import Result
from compare.report.plots import style


def referee(result: Result) -> Figure | None:
    """Return the log-log plot of the referee's remainders, None if none were measured.

    Reads `parameter`, `direction`, `slope`, `belongs` and, equally long, `h`, `remainder` and
    `used` (where rounding has not reached the remainder) from `Result.referee`.
    """
    said = result.referee
    if said is None or not any(said.get("used", ())):
        return None
    steps = np.asarray(said["h"], dtype=np.float64)
    remainder = np.asarray(said["remainder"], dtype=np.float64)
    used = np.asarray(said["used"], dtype=bool)
    figure = style.blank(7.0, 4.2, f"Referee: {said['belongs']}", style.caption(result))
    axes = figure.add_subplot()
    axes.set(xscale="log", yscale="log")
    _guides(axes, steps[used], remainder[used])
    dark, label = style.TRAINING[0], f"measured, slope {said['slope']:.2f}"
    axes.plot(steps[used], remainder[used], "o-", color=dark, label=label)
    left = ~used & (remainder > 0) & np.isfinite(remainder)
    hollow: dict[str, Any] = {"color": style.QUIET, "markerfacecolor": "white"}
    if left.any():
        axes.plot(steps[left], remainder[left], "o", label="rounding, not used", **hollow)
    axes.set_xlabel(f"step h in {said['parameter']} along {said['direction']}")
    axes.set_ylabel("|L(θ + h d) − L(θ) − h ⟨g, d⟩| (nats)")
    axes.legend(loc="upper left")
    return figure


def _guides(axes: Axes, steps: Float, remainder: Float) -> None:
    """Draw the slopes 1 and 2 through the point of the smallest step that counts."""
    first = int(steps.argmin())
    ends = np.array([steps[first], steps.max()])
    for slope, meaning, pale, dashes in (
        (2, "slope 2: g is the gradient of L", style.TRAINING[1], "-"),
        (1, "slope 1: it is not", style.VALIDATION[1], (0, (1.2, 0.4))),
    ):
        line = remainder[first] * (ends / steps[first]) ** slope
        axes.plot(ends, line, color=pale, linestyle=dashes, linewidth=5, label=meaning)

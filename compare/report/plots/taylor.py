"""The referee's picture: the Taylor remainder of the manual side's own loss against the step.

`R(h) = L(theta + h d) - L(theta) - h <g, d>` falls as h² if g is the gradient of L and as h if it
is not, so on log axes the slope is the answer; two guide lines show what to compare it with.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compare.report.plots import style
from compare.report.plots.series import Floats
from compare.result import Result


def referee(result: Result) -> Figure | None:
    """Return the log-log plot of the referee's remainders, None if none were measured.

    Reads `h` and `remainder` (equally long), `slope`, `direction`, `parameter` and `power` (the
    smallest relative error it could have seen) from `Result.referee`.
    """
    said = result.referee
    if said is None or "h" not in said:
        return None
    steps = np.asarray(said["h"], dtype=np.float64)
    remainder = np.abs(np.asarray(said["remainder"], dtype=np.float64))
    seen = np.isfinite(remainder) & (remainder > 0)
    if not seen.any():
        return None
    title = f"Referee: slope {said['slope']:.2f} along {said['direction']}"
    figure = style.blank(5.2, 4.0, title, style.caption(result))
    axes = figure.add_subplot()
    axes.set(xscale="log", yscale="log")
    _guides(axes, steps[seen], remainder[seen])
    dark = style.TRAINING[0]
    axes.plot(
        steps[seen], remainder[seen], "o-", color=dark, label=f"measured on {said['parameter']}"
    )
    axes.set_xlabel("step h along the direction")
    axes.set_ylabel("|L(θ + h d) − L(θ) − h ⟨g, d⟩| (nats)")
    axes.set_title(f"sees relative errors down to {said['power']:.1g}", fontweight="normal")
    axes.legend(loc="lower right")
    return figure


def _guides(axes: Axes, steps: Floats, remainder: Floats) -> None:
    """Draw the slopes 1 and 2 through the point of the largest step."""
    last = int(steps.argmax())
    ends = np.array([steps.min(), steps[last]])
    for slope, meaning, pale in (
        (2, "slope 2: g is the gradient", style.TRAINING[1]),
        (1, "slope 1: it is not", style.VALIDATION[1]),
    ):
        line = remainder[last] * (ends / steps[last]) ** slope
        axes.plot(ends, line, color=pale, linewidth=5, label=meaning)

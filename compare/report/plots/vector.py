"""The first wrong tensor when it is a vector, a bias say: both sides' values and the difference."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from compare.contracts.arrays import Real
from compare.contracts.result import Result
from compare.report.plots import style


def vector(result: Result, name: str, manual: Real, reference: Real) -> Figure:
    """Return the figure of one vector; entries that are not finite are crosses at 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = manual.astype(np.float64) - reference
    title = f"First wrong tensor: {name}, {len(difference)} entries"
    figure = style.blank(7.0, 3.8, title, style.caption(result))
    values, below = figure.subplots(2, 1, sharex=True)
    units = np.arange(len(difference))
    size = 6 if len(units) <= 64 else 3
    pale, dark = style.TRAINING[1], style.TRAINING[0]
    hollow = {"markerfacecolor": "none", "markeredgewidth": 0.9, "linestyle": "none"}
    values.plot(units, reference, "o", color=pale, markersize=1.6 * size, label="reference")
    values.plot(units, manual, "o", color=dark, markersize=0.7 * size, label="manual", **hollow)
    values.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    values.set_ylabel("value")
    finite = np.isfinite(difference)
    below.vlines(units[finite], 0.0, difference[finite], color=dark, linewidth=max(0.6, size / 3))
    below.plot(units[finite], difference[finite], "o", color=dark, markersize=0.5 * size)
    below.plot(units[~finite], np.zeros(int((~finite).sum())), "x", color=style.ALARM)
    below.axhline(0.0, color=style.QUIET, linewidth=0.7)
    below.set_ylabel("manual − reference")
    below.set_xlabel("entry (unit)")
    for axes in (values, below):
        axes.margins(y=0.12)  # room for the whole of the outermost marks
    return figure

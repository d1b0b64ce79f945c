"""One panel: a difference that should be rounding, on a log axis, over the band it may fill.

Single points rather than a line, because honest float64 differences are a few multiples of the
last bit with zeros in between; a zero is an open triangle at the tick that reads 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from compare.contracts.arrays import Float
from compare.report.plots import series, style
from compare.report.plots.series import Curve

CROSSES = 40


@dataclass(frozen=True, slots=True)
class Look:
    """How a difference is drawn, what its band is called, and where 0 is drawn if all are 0.

    A band that is more than rounding is hatched: it explains a difference without excusing it.
    """

    colour: str
    marker: str
    band: str
    zero: float
    hatched: bool = False


def panel(axes: Axes, curve: Curve, look: Look) -> None:
    """Draw `|manual - reference|` of one curve, and the band of its allowance if it has one."""
    difference, band = curve.difference, np.where(np.isfinite(curve.band), curve.band, np.nan)
    floor = series.floor_below(difference, band, otherwise=look.zero)
    series.log_axis(axes, floor, series.largest_finite(difference, band))
    if np.isfinite(band).any():
        _band(axes, curve.epochs, band, look)
    _points(axes, curve.epochs, difference, floor, look)
    _legend(axes)


def mark_one_sample(axes: Axes, share: float) -> None:
    """Draw the smallest step an accuracy can make, which is all the scale it has."""
    axes.axhline(share, color=style.QUIET, linewidth=0.8, linestyle="--", label="one sample")
    _legend(axes)


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)


def _band(axes: Axes, epochs: Float, band: Float, look: Look) -> None:
    bottom = axes.get_ylim()[0]
    marker = "_" if len(epochs) == 1 else None
    band = np.maximum(band, bottom)
    fill: dict[str, Any] = {"facecolor": style.BAND, "linewidth": 0}
    if look.hatched:
        fill = {"facecolor": "white", "edgecolor": style.BAND, "hatch": "////", "linewidth": 0}
    axes.fill_between(epochs, bottom, band, label=look.band, **fill)
    axes.plot(epochs, band, color=style.QUIET, linewidth=0.8, marker=marker, markersize=20)


def _points(axes: Axes, epochs: Float, difference: Float, floor: float, look: Look) -> None:
    epochs, difference = series.keep_largest(epochs, difference)
    size = 3.5 if len(difference) <= 60 else 2.0
    common: dict[str, Any] = {"linestyle": "none", "color": look.colour, "clip_on": False}
    equal, finite = difference == 0, np.isfinite(difference)
    seen = finite & ~equal
    if seen.any():
        values = np.clip(difference[seen], floor, axes.get_ylim()[1])
        axes.plot(epochs[seen], values, marker=look.marker, markersize=size, **common)
    if equal.any():
        label = "equal at every epoch" if equal.all() else "equal to the last bit"
        hollow: dict[str, Any] = {
            "markerfacecolor": "white",
            "markeredgewidth": 0.6,
            "markersize": size + 1,
        }
        zeros = np.full(int(equal.sum()), floor)
        axes.plot(epochs[equal], zeros, marker="v", label=label, **hollow, **common)
    if not finite.all():
        lost = epochs[~finite][:: 1 + int((~finite).sum()) // CROSSES]
        axes.plot(lost, np.full(len(lost), axes.get_ylim()[1]), marker="x", **common)

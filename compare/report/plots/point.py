"""At a single point there are no epochs: the worst error of every compared tensor is one dot."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compare.contracts.arrays import Float
from compare.contracts.result import Result
from compare.report.plots import gradients, style

TENSORS = 40
"""More than this cannot be read on one picture; the worst are kept."""
LONGEST = 36
"""Letters of a name beside its dot."""
LINES = "line: 1, the allowance; dotted: 0.5, two correct sides stay below"


def point(result: Result) -> Figure | None:
    """Return one dot per tensor, in multiples of its allowance; None for a run over epochs."""
    if len(result.epochs) > 1 or not result.worst:
        return None
    ratios = {name: worst.ratio for name, worst in result.worst.items()}
    kept = _worst(ratios)
    height = 1.5 + 0.19 * len(kept)
    figure = style.blank(7.0, height, "Worst error per tensor", style.caption(result))
    axes = figure.add_subplot()
    _dots(axes, np.array(list(kept.values())))
    labels = [_shortened(style.drawable(name)) for name in kept]
    axes.set_yticks(range(len(kept)), labels, parse_math=False)
    axes.set_ylim(len(kept) - 0.5, -0.5)
    axes.set_xlabel("|manual − reference| (× allowance)")
    said = "" if len(kept) == len(ratios) else f"the {TENSORS} worst of {len(ratios)} tensors\n"
    axes.set_title(f"{said}{LINES}", fontweight="normal")
    return figure


def _shortened(name: str) -> str:
    """Return a name that leaves room for the dots."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _worst(ratios: dict[str, float]) -> dict[str, float]:
    """Return the worst tensors in their first order; not finite is worse than any number."""
    rank = {name: ratio if np.isfinite(ratio) else np.inf for name, ratio in ratios.items()}
    kept = set(sorted(rank, key=lambda name: -rank[name])[:TENSORS])
    return {name: ratio for name, ratio in ratios.items() if name in kept}


def _dots(axes: Axes, ratios: Float) -> None:
    floor = gradients.ratio_axis(axes, ratios, "x")
    rows, finite, wrong = np.arange(len(ratios)), np.isfinite(ratios), ~(ratios <= 1)
    beyond = finite & (ratios > gradients.EDGE)
    end = axes.get_xlim()[1]
    shown = np.where(finite, np.clip(ratios, floor, end), end)
    ink, alarm = style.TRAINING[0], style.ALARM
    axes.plot(shown[~wrong], rows[~wrong], "o", color=ink)
    axes.plot(shown[wrong & finite & ~beyond], rows[wrong & finite & ~beyond], "D", color=alarm)
    axes.plot(shown[~finite], rows[~finite], "x", color=alarm, clip_on=False)
    axes.plot(shown[beyond], rows[beyond], ">", color=alarm, clip_on=False)
    for row in rows[beyond | ~finite]:
        _label(axes, f"{ratios[row]:.2g}", row)


def _label(axes: Axes, ratio: str, row: int) -> None:
    """Write a ratio beside its mark at the end of the axis."""
    place: dict[str, Any] = {"textcoords": "offset points", "xytext": (-7, 0)}
    end = (axes.get_xlim()[1], row)
    axes.annotate(ratio, end, ha="right", va="center", color=style.ALARM, fontsize=7.5, **place)

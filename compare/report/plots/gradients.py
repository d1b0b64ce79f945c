"""Per parameter: the worst error of its gradient at every epoch, in multiples of the allowance.

Above 1 the sides disagree; honest sides stay below 0.5. Colour tells the layer, line or dash tells
weights from biases, and ticks on the axis tell where a kink was met. Over some hundreds of epochs
the errors are noise that fills the picture, so the line is the largest error so far and the noise
lies pale behind it. What would need an axis of a hundred decades is a triangle at the edge.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from compare.contracts.arrays import Float
from compare.contracts.measured import Kink
from compare.contracts.result import Result
from compare.report.plots import series, style

WEIGHTS: Final = "-"
BIASES: Final = (0, (3, 1))
SCALES: Final = (0, (6, 1.5, 1, 1.5))
SHIFTS: Final = (0, (1, 1))
KINDS: Final[dict[str, Any]] = {"w": WEIGHTS, "b": BIASES, "gamma": SCALES, "beta": SHIFTS}
"""How the line of each kind of parameter is drawn; the last two are of a normalisation."""
NAMED: Final = {"w": "weights w", "b": "biases b", "gamma": "scales gamma", "beta": "shifts beta"}
DOTTED: Final = (0, (1, 1.5))
MANY: Final = 12
FEW_POINTS: Final = 100
"""More than `MANY` lines are drawn by `FEW_POINTS` points each, or they hide each other."""
NOISE: Final = 300
"""Over more epochs than this a line is the largest error so far."""
LAYERS: Final = 10
"""More layers than this are shown by their colours, but not all listed beside the plot."""
EDGE: Final = 1e20
"""No ratio axis goes further. Beyond are entries whose right number is 0, and overflow; an axis
with room for them shows no difference between 0.1 and 10 allowances."""
ARROWS: Final = 40
"""So many triangles at the edge are enough for one line."""
STAY_BELOW: Final = "0.5: two correct\nsides stay below"
Colour = tuple[float, float, float, float]


def gradients(result: Result) -> Figure | None:
    """Return the error of every parameter's gradient over the epochs, None at a single point."""
    names = _parameters(result)
    if len(result.epochs) < 2 or not names:
        return None
    figure = style.blank(7.0, 4.2, "Worst gradient error per parameter", style.caption(result))
    axes = figure.add_subplot()
    epochs = series.column(result.epochs, lambda row: row.epoch)
    ratios = {name: series.worst_ratio(result, name) for name in names}
    worst, row = _largest(ratios)
    _lines(axes, epochs, ratios, worst)
    _kinks(axes, result)
    sums = series.column(result.epochs, lambda row: sum(w.ratio for w in row.worst.values()))
    style.mark_the_end(axes, result, [sums])
    largest = f"{ratios[worst][row]:.2g} × allowance, {worst} at epoch {epochs[row]:.0f}"
    meaning = "; line: largest so far, faint: every epoch" if len(epochs) > NOISE else ""
    axes.set_title(f"largest: {largest}{meaning}", fontweight="normal")
    axes.set_ylabel("|manual − reference| (× allowance)")
    key = _key(_colours(list(ratios)), result, beyond=bool(ratios[worst][row] > EDGE))
    axes.legend(handles=key, loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure


def ratio_axis(axes: Axes, ratios: Float, which: Literal["x", "y"]) -> float:
    """Make one axis that of ratios, mark 1 and 0.5 on it, and return where a 0 is drawn.

    Ratios beyond `EDGE` are left to the caller, to be drawn where the axis ends.
    """
    zero = bool((ratios == 0).any())
    smallest = series.floor_below(ratios, otherwise=0.01)
    floor = min(0.01, smallest if zero else 10 * smallest)
    top = min(series.largest_finite(ratios), EDGE)
    series.log_axis(axes, floor, max(top, 1.0), zero, which)
    if top < 2:
        axes.set(**{f"{which}lim": (None, 3)})
    draw = axes.axhline if which == "y" else axes.axvline
    draw(1.0, color=style.ALARM, linewidth=1.2)
    draw(0.5, color=style.QUIET, linewidth=0.9, linestyle=DOTTED)
    return floor


def _parameters(result: Result) -> list[str]:
    names = dict.fromkeys(name for row in result.epochs for name in row.worst)
    return [name for name in names if _layer(name)]  # the loss belongs to no layer


def _kinds(result: Result) -> list[str]:
    """Return the kinds of parameters there are, weights and biases first, and always."""
    found = {_kind(name) for name in _parameters(result)}
    return [kind for kind in KINDS if kind in found | {"w", "b"}]


def _layer(parameter: str) -> int:
    digits = re.search(r"\d+$", parameter)
    return int(digits.group()) if digits else 0


def _kind(parameter: str) -> str:
    """Return what a parameter is, by the end of its name: `v_gamma1` is a scale."""
    kind = parameter.rstrip("0123456789").rsplit("_", 1)[-1].removeprefix("d")
    return kind if kind in KINDS else "w"


def _colours(names: list[str]) -> dict[int, Colour]:
    layers = sorted({_layer(name) for name in names})
    shades = colormaps["cividis"](np.linspace(0.0, 0.75, len(layers))).tolist()
    return {layer: (r, g, b, a) for layer, (r, g, b, a) in zip(layers, shades, strict=True)}


def _lines(axes: Axes, epochs: Float, ratios: dict[str, Float], worst: str) -> None:
    """Draw every parameter's line; where there are many, all but the worst one faintly."""
    many = len(ratios) > MANY
    points = FEW_POINTS if many else style.POINTS
    colours = _colours(list(ratios))
    floor = ratio_axis(axes, np.concatenate(list(ratios.values())), "y")
    end = axes.get_ylim()[1]
    style.label_epochs(axes, epochs, points)
    for name, ratio in ratios.items():
        kept, thin = series.keep_largest(epochs, ratio, points)
        colour = colours[_layer(name)]
        shown = np.where(np.isfinite(thin), np.clip(thin, floor, end), np.nan)
        if len(epochs) > NOISE:
            axes.plot(kept, shown, color=colour, linewidth=0.4, alpha=0.2)
            shown = np.fmax.accumulate(shown)
        axes.plot(
            kept,
            shown,
            color=colour,
            linestyle=KINDS[_kind(name)],
            linewidth=0.5 if many and name != worst else 1.0,
            marker=("s" if _kind(name) == "b" else "o") if len(kept) <= 20 else None,
            markerfacecolor="white",
        )
        _arrows(axes, kept[np.isfinite(thin) & (thin > EDGE)], colour)


def _arrows(axes: Axes, epochs: Float, colour: Colour) -> None:
    """Mark the epochs, or some of them, at which a line is further up than the axis goes."""
    some = epochs[:: 1 + len(epochs) // ARROWS]
    if some.size:  # an empty line that is not clipped takes room
        ends = np.full(len(some), axes.get_ylim()[1])
        axes.plot(some, ends, "^", color=colour, clip_on=False)


def _kinks(axes: Axes, result: Result) -> None:
    met = sorted({kink.epoch for kink in result.kinks if isinstance(kink, Kink)})
    if not met:
        return
    axes.plot(
        met,
        np.full(len(met), 0.03),
        transform=axes.get_xaxis_transform(),
        color=style.INK,
        linestyle="none",
        marker="|",
        markersize=9,
    )


def _largest(ratios: dict[str, Float]) -> tuple[str, int]:
    """Return the parameter with the largest finite ratio, and its row."""
    finite = {name: np.where(np.isfinite(r), r, -1.0) for name, r in ratios.items()}
    name = max(finite, key=lambda key: float(finite[key].max()))
    return name, int(finite[name].argmax())


def _key(colours: dict[int, Colour], result: Result, beyond: bool) -> list[Artist]:
    ink = style.INK
    rows = np.linspace(0, len(colours) - 1, min(len(colours), LAYERS)).round().astype(int)
    some = [list(colours)[row] for row in rows]
    layers = [Line2D([], [], color=colours[n], linewidth=4, label=f"layer {n}") for n in some]
    ticks: dict[str, Any] = {"color": ink, "marker": "|", "markersize": 9, "linestyle": "none"}
    kinks = Line2D([], [], label=f"kinks met: {len(result.kinks)}", **ticks)
    arrow = Line2D([], [], color=ink, marker="^", linestyle="none", label="beyond the axis")
    return [
        *layers,
        *(
            Line2D([], [], color=ink, linestyle=KINDS[kind], label=NAMED[kind])
            for kind in _kinds(result)
        ),
        Line2D([], [], color=style.ALARM, label="1: the allowance"),
        Line2D([], [], color=style.QUIET, linestyle=DOTTED, label=STAY_BELOW),
        *([arrow] if beyond else []),
        *([kinks] if result.kinks else []),
    ]

"""Loss and accuracy of both sides over the epochs, and under them how far apart they are.

The curves of two correct sides coincide. So the reference is a wide pale line and the manual side a
thin dark one with a few open markers lying on it: one sees two things, in grey as well. Whether
they really coincide is read off the differences below, against the band that rounding may fill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from compare.contracts.arrays import Float
from compare.contracts.result import Result, Verdict
from compare.report.plots import differences, series, style
from compare.report.plots.series import Curve

WIDE = 5.0
BAND = "allowance + response to the drift"
BAND_OF_DIGITS = "what the logged digits leave open"
BAND_OF_A_FAULT = "response to a drift that is no rounding"
MARKERS = 12


@dataclass(frozen=True, slots=True)
class SplitStyle:
    """How one of the two data sets is drawn; `colours` are those of manual and reference."""

    name: str
    colours: tuple[str, str]
    dashes: str | tuple[float, tuple[float, ...]]
    marker: str

    @property
    def look(self) -> tuple[str, str]:
        """Colour and marker of the manual side, and so of its difference."""
        return self.colours[0], self.marker


SPLITS = {
    "train": SplitStyle("training", style.TRAINING, "-", "o"),
    "validation": SplitStyle("validation", style.VALIDATION, (0, (5, 1.5)), "s"),
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is drawn: its axis, its unit, and where a difference of 0 is drawn if all are 0."""

    name: str
    label: str
    unit: str
    scale: float
    zero: float


LOSSES = {
    "cross_entropy": ("cross-entropy (nats)", "nats"),
    "bce": ("binary cross-entropy (nats)", "nats"),
    "mse": ("squared error", "of the loss"),
    "l1": ("absolute error", "of the loss"),
    "huber": ("Huber loss", "of the loss"),
    "hinge": ("hinge loss", "of the loss"),
}
"""What the axis of a loss says, and that of its differences."""
ACCURACY = Quantity("accuracy", "correct (%)", "% points", 100.0, 1e-3)


def loss(result: Result) -> Figure | None:
    """Return the loss figure, None at a single point; a log axis beyond three decades."""
    label, unit = LOSSES[result.settings.get("loss", "cross_entropy")]
    figure = _figure(result, Quantity("loss", label, unit, 1.0, 1e-17))
    if figure is not None and _spans_decades(result):
        figure.axes[0].set_yscale("log")
    return figure


def accuracy(result: Result) -> Figure | None:
    """Return the accuracy figure, None at a single point and where targets are numbers.

    One sample more or less is marked.
    """
    if result.settings.get("targets") == "numbers":
        return None
    figure = _figure(result, ACCURACY)
    for axes, split in zip(figure.axes[1:] if figure else [], SPLITS.values(), strict=False):
        samples = result.settings.get(f"{split.name}_samples")
        if samples:
            differences.mark_one_sample(axes, ACCURACY.scale / samples)
    return figure


def _figure(result: Result, quantity: Quantity) -> Figure | None:
    names = {key: f"{key}_{quantity.name}" for key in SPLITS}
    curves = {key: series.curve(result, name, quantity.scale) for key, name in names.items()}
    curves = {key: curve for key, curve in curves.items() if curve.drawn}
    if len(result.epochs) < 2 or not curves:
        return None
    title = f"{quantity.name.capitalize()} of both sides"
    figure = style.blank(7.0, 3.4 + 1.25 * len(curves), title, style.caption(result))
    ratios = [3.0] + [1.25] * len(curves)
    panels = figure.subplots(1 + len(curves), 1, sharex=True, height_ratios=ratios)
    top, *below = panels
    _overlay(top, curves)
    top.set_ylabel(quantity.label)
    for axes, (key, curve) in zip(below, curves.items(), strict=True):
        split = SPLITS[key]
        logged = result.settings.get("mode") == "curves"
        wrong = result.verdict is Verdict.DISAGREES and not logged
        band = BAND_OF_DIGITS if logged else BAND_OF_A_FAULT if wrong else BAND
        look = differences.Look(*split.look, band, quantity.zero, hatched=wrong)
        differences.panel(axes, curve, look)
        axes.set_title(f"|manual − reference|, {split.name}", pad=4)
        axes.set_ylabel(quantity.unit)
    sides = [values for curve in curves.values() for values in (curve.manual, curve.reference)]
    style.mark_the_end(top, result, sides)
    for axes in panels:
        style.label_epochs(axes, curve.epochs)
        axes.label_outer()
    return figure


def _overlay(axes: Axes, curves: dict[str, Curve]) -> None:
    """Draw first the wide reference lines, then the thin manual ones, markers out of step."""
    few = len(next(iter(curves.values())).epochs) <= 3
    for key, curve in curves.items():
        axes.plot(
            curve.epochs,
            _finite(curve.reference),
            color=SPLITS[key].colours[1],
            linewidth=WIDE,
            marker=SPLITS[key].marker if few else None,
            markersize=2 * WIDE,
            label=f"{SPLITS[key].name}, reference",
        )
    for place, (key, curve) in enumerate(curves.items()):
        step = max(1, len(curve.epochs) // MARKERS)
        axes.plot(
            curve.epochs,
            _finite(curve.manual),
            color=SPLITS[key].colours[0],
            linestyle=SPLITS[key].dashes,
            marker=SPLITS[key].marker,
            markevery=(place * (step // 2), step),
            markerfacecolor="white",
            label=f"{SPLITS[key].name}, manual",
        )
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4)


def _finite(values: Float) -> Float:
    return np.where(np.abs(values) < series.HUGE, values, np.nan)


def _spans_decades(result: Result) -> bool:
    curves = [series.curve(result, f"{key}_loss") for key in SPLITS]
    values = np.concatenate([values for c in curves for values in (c.manual, c.reference)])
    values = values[np.abs(values) < series.HUGE]
    return bool(values.size and values.min() > 0 and values.max() > 1e3 * values.min())

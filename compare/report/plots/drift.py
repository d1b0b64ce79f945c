"""Drift: how far the two parameter vectors have come apart in the free run, and why that may be."""

from __future__ import annotations

import math
import textwrap

from matplotlib.figure import Figure

from compare.contracts.result import Result, Verdict
from compare.report import words
from compare.report.plots import differences, series, style
from compare.report.plots.series import Curve

EXPLAINED = (
    "Both sides start from equal weights, every gradient agrees where both are evaluated at the "
    "same point, and every update of both replays: by induction this drift is accumulated "
    "rounding and nothing else."
)
UNEXPLAINED = (
    "Rounding alone does not explain this drift: {checks}. The two sides are on their way to "
    "different places, and every later difference follows from the first."
)
UNDECIDED = "Whether this drift is accumulated rounding cannot be told: {checks}."
NEEDED = ("same_point", "step")


def drift(result: Result) -> Figure | None:
    """Return the distance of the two parameter vectors over the epochs, None at a single point."""
    if len(result.epochs) < 2 or all(math.isnan(row.drift) for row in result.epochs):
        return None
    title = "Drift: distance between manual and reference parameters"
    figure = style.blank(7.0, 3.6, title, style.caption(result))
    axes = figure.add_subplot()
    distance = drift_curve(result)
    look = differences.Look(style.TRAINING[0], "o", "rounding fed in by the updates", 1e-17)
    differences.panel(axes, distance, look)
    axes.set_ylabel("‖manual − reference‖")
    style.label_epochs(axes, distance.epochs)
    style.mark_the_end(axes, result, [distance.manual])
    said = textwrap.fill(sentence(result), 108)
    axes.set_title(said, fontweight="normal", fontsize=8, pad=22)
    return figure


def drift_curve(result: Result) -> Curve:
    """Return the drift as a curve held against a reference of 0."""
    epochs = series.column(result.epochs, lambda row: row.epoch)
    distance = series.column(result.epochs, lambda row: row.drift)
    band = series.column(result.epochs, lambda row: row.band.drift)
    return Curve(epochs, distance, 0.0 * epochs, band)


def sentence(result: Result) -> str:
    """Return what the drift means, by how the checks that explain it went."""
    went = {check.check: check.verdict for check in result.checks if check.made}
    if result.verdict is Verdict.DISAGREES:
        said = [f"the {words.name_of(check)} check {went[check]}" for check in went]
        return UNEXPLAINED.format(checks=", ".join(said) or "the sides disagree")
    if all(went.get(check) is Verdict.AGREES for check in NEEDED):
        return EXPLAINED
    said = [f"the {words.name_of(check)} check {_state(went.get(check))}" for check in NEEDED]
    return UNDECIDED.format(checks=" and ".join(said))


def _state(verdict: Verdict | None) -> str:
    if verdict is None:
        return "was not made"
    return "agrees" if verdict is Verdict.AGREES else "is undecidable"

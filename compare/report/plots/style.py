"""The look all figures share: one style file, one palette, one way to open a blank figure.

Colours are Okabe and Ito's, safe for the colour-blind; each role also has its own lightness, width
or dash, so that grey print tells the same story. Figures are made without pyplot, and the style is
applied in a context, so nothing global changes for a caller who plots too.
"""

from __future__ import annotations

import textwrap
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from compare.contracts.result import Result
from compare.report import words

STYLE: Final = Path(__file__).parent.parent / "compare.mplstyle"

INK: Final = "#222222"
QUIET: Final = "#666666"
BAND: Final = "#d9d9d9"
ALARM: Final = "#a63603"
TRAINING: Final = ("#08306b", "#9ecae1")  # (manual, reference)
VALIDATION: Final = ("#8c2d04", "#fdc68a")


POINTS: Final = 1000
"""More points than this on one axis only blacken it."""


def style() -> AbstractContextManager[None]:
    """Return the context in which figures are drawn and saved."""
    return matplotlib.rc_context(fname=STYLE)


def blank(width: float, height: float, title: str, subtitle: str = "") -> Figure:
    """Return an empty figure, sizes in inches, with its title at the left above everything."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(drawable(title), x=0.012, ha="left", parse_math=False)
    if subtitle:
        text = textwrap.fill(drawable(subtitle), int(width * 20))
        figure.supxlabel(text, x=0.012, ha="left", fontsize=7, color=QUIET, parse_math=False)
    return figure


def drawable(text: str) -> str:
    """Return `text` with `?` for what the font has no glyph for: a file may be called anything."""
    known = "…–−×·"
    return "".join(c if c in known or (c.isprintable() and c < "\u0530") else "?" for c in text)


def label_epochs(axes: Axes, epochs: NDArray[np.float64], points: int = POINTS) -> None:
    """Give the horizontal axis whole epochs, and room on either side of the outermost points.

    `points` is what the run was thinned to, which the label says.
    """
    margin = max(0.02 * (epochs[-1] - epochs[0]), 0.05)
    axes.set_xlim(epochs[0] - margin, epochs[-1] + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 2.5, 5, 10]))
    each = -(-len(epochs) // points)
    axes.set_xlabel(
        "epoch" + (f" (of every {each} the worst difference is shown)" if each > 1 else "")
    )


def caption(result: Result) -> str:
    """Return one line of settings, so that a picture on its own still says what was run."""
    settings = result.settings
    said = {"learning_rate": "learning rate", "momentum": "momentum", "momentum_form": "form"}
    if settings.get("optimiser", "sgd") != "sgd":
        said = {"optimiser": "optimiser", "learning_rate": "learning rate"}
    parts = [f"{name} {settings[key]}" for key, name in said.items() if key in settings]
    return " · ".join([words.settings_line(settings), *parts])


def mark_the_end(axes: Axes, result: Result, series: list[NDArray[np.float64]]) -> None:
    """Say where a run stopped being a full one: not finite from an epoch on, or interrupted."""
    finite = np.all([np.isfinite(values) | np.isnan(values).all() for values in series], axis=0)
    if not finite.all():
        epoch = result.epochs[int(np.argmin(finite))].epoch
        axes.axvline(epoch, color=ALARM, linewidth=1, linestyle=":")
        _note(axes, f"not finite from epoch {epoch} on", 0)
    if result.interrupted:
        _note(axes, f"interrupted after epoch {result.epochs[-1].epoch}", int(not finite.all()))


def _note(axes: Axes, text: str, line: int) -> None:
    axes.annotate(
        text,
        (1, 1),
        (-4, -4 - 12 * line),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="top",
        color=ALARM,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
    )

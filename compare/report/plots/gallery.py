"""All figures of a result by name, and writing them to files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from matplotlib.figure import Figure

from compare.contracts.result import Result
from compare.report.plots import curves, drift, gradients, heatmap, point, style, taylor

FIGURES: dict[str, Callable[[Result], Figure | None]] = {
    "loss": curves.loss,
    "accuracy": curves.accuracy,
    "gradients": gradients.gradients,
    "point": point.point,
    "drift": drift.drift,
    "heatmap": heatmap.heatmap,
    "referee": taylor.referee,
}

UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Without dates the same result writes the same bytes."""


def figures(result: Result) -> dict[str, Figure]:
    """Return the figures there is something to draw for, in reading order."""
    with style.style():
        drawn = {name: draw(result) for name, draw in FIGURES.items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def write(result: Result, folder: Path, formats: Iterable[str] = ("png",)) -> list[Path]:
    """Write every figure into `folder`, once per format, and return the paths."""
    paths = []
    with style.style():
        for name, figure in figures(result).items():
            for form in formats:
                path = folder / f"{name}.{form}"
                figure.savefig(path, metadata=UNDATED.get(form))
                paths.append(path)
    return paths

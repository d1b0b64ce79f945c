"""On a disagreement: where in the first wrong tensor manual and reference differ, and which way.

The pattern is the finding: whole columns, only dead units, everything by one factor. 0 is white,
so what is right is blank in a difference; below is blue, and darker than the orange above. Large
matrices are shrunk by blocks, each shown by its largest entry, never by its mean. A ring marks the
same entry in every panel: the one that the findings quote.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from compare.contracts.arrays import Real
from compare.contracts.measured import Index
from compare.contracts.records import PARAMETER
from compare.contracts.result import Result
from compare.report.plots import style, vector
from compare.report.plots.series import HUGE

SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#08306b", "#4292c6", "#ffffff", "#fdae61", "#d94801"]
)
CELLS = 160
"""More rows or columns than this are finer than the print."""


def heatmap(result: Result) -> Figure | None:
    """Return the picture of the first wrong tensor, None if none is wrong or it has one number."""
    if result.heatmap is None or max(result.heatmap[1].shape, default=0) < 2:
        return None
    name, manual, reference = gradient_of(result.heatmap[0]), *map(as_matrix, result.heatmap[1:])
    with np.errstate(invalid="ignore", over="ignore"):
        difference = manual.astype(np.float64) - reference
    if max(difference.shape) == difference.size:
        return vector.vector(result, name, manual.ravel(), reference.ravel())
    panels: dict[str, Real] = {
        "reference": reference.astype(np.float64),
        "manual − reference": difference,
    }
    if result.prediction is not None and result.prediction[1].shape == result.heatmap[1].shape:
        # Named by what it is: beside it stands what was seen, and the two should look alike.
        mistake, predicted = result.prediction[0], as_matrix(result.prediction[1])
        panels[f"{mistake} − reference"] = predicted - reference
    return _matrices(result, name, panels)


def quoted(result: Result, parameter: str) -> Index | None:
    """Return the entry of a gradient that its first finding quotes, None if that quotes none.

    It is the one furthest beyond its own allowance, which need not have the largest difference.
    A tensor that is wrong only as a whole, by its projection, has none.
    """
    at = (
        finding.index
        for finding in result.findings
        if (finding.check, f"d{finding.parameter}") == ("same_point", parameter)
    )
    found = next(at, None) or None
    if found is None or result.heatmap is None or len(found) < 3:
        return found
    row = np.ravel_multi_index(found[:-1], result.heatmap[1].shape[:-1])
    return int(row), found[-1]


def as_matrix(tensor: Real) -> Real:
    """Return a tensor of more than two axes as rows of its last axis."""
    return tensor.reshape(-1, tensor.shape[-1]) if tensor.ndim > 2 else tensor


def gradient_of(name: str) -> str:
    """Return `dw1` for `w1`: what is compared of a parameter is its gradient."""
    return f"d{name}" if re.fullmatch(PARAMETER, name) else name


def shrink(matrix: Real, cells: int = CELLS) -> Real:
    """Return at most `cells` x `cells` entries, each the one of largest size in its block.

    A number that is not finite counts as larger than all.
    """
    for axis in (0, 1):
        groups = np.array_split(np.arange(matrix.shape[axis]), min(cells, matrix.shape[axis]))
        parts = [_largest(np.take(matrix, group, axis), axis) for group in groups]
        matrix = np.stack(parts, axis)
    return matrix


def _largest(block: Real, axis: int) -> Real:
    size = np.where(np.isfinite(block), np.abs(block), np.inf)
    at = np.expand_dims(size.argmax(axis), axis)
    return np.take_along_axis(block, at, axis).squeeze(axis)


def _matrices(result: Result, name: str, panels: dict[str, Real]) -> Figure:
    title = f"First wrong tensor: {name}, {' × '.join(map(str, panels['reference'].shape))}"
    at, meaning = _ringed(quoted(result, name), panels["manual − reference"])
    caption = f"{style.caption(result)} · ring: {meaning}"
    figure = style.blank(3.5 * len(panels), 4.0, title, caption)
    for axes, (label, matrix) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        _panel(figure, axes, label, matrix, at)
        if result.settings.get("mode") == "layer":
            axes.set_xlabel("last axis")
            axes.set_ylabel("the axes before it")
            continue
        axes.set_xlabel("column (to unit)" if _is_weight(name) else "column (unit)")
        axes.set_ylabel("row (from unit)" if _is_weight(name) else "row (sample)")
    return figure


def _ringed(at: Index | None, difference: Real) -> tuple[Index, str]:
    """Return the entry to mark, and what it is."""
    if at is not None:
        return at, "the entry furthest beyond its allowance"
    size = np.where(np.isfinite(difference), np.abs(difference), 0.0)
    row, column = np.unravel_index(int(size.argmax()), difference.shape)
    return (int(row), int(column)), "the largest difference"


def _panel(figure: Figure, axes: Axes, label: str, matrix: Real, at: Index) -> None:
    shown = shrink(matrix)
    shown = np.where(np.isfinite(shown), shown, np.nan)
    limit = min(float(np.nanmax(np.abs(shown), initial=0.0)) or 1.0, HUGE)
    rows, columns = matrix.shape
    image = axes.imshow(
        shown,
        cmap=SIGNED,
        vmin=-limit,
        vmax=limit,
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
    )
    axes.grid(False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.patch.set(hatch="////", facecolor=style.BAND, edgecolor=style.ALARM)
    bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.9, aspect=30)
    bar.formatter.set_powerlimits((-2, 2))  # type: ignore[attr-defined]
    lost = int((~np.isfinite(matrix)).sum())
    hatched = f"\nhatched: {lost} not finite" if lost else ""
    axes.set_title(f"{label}\n{_ring(axes, matrix, at)}{hatched}", fontsize=8, fontweight="normal")


def _ring(axes: Axes, matrix: Real, at: Index) -> str:
    """Mark one entry, a cell of a large matrix being easily missed; return its text."""
    row, column = at
    ring: dict[str, Any] = {"marker": "o", "markerfacecolor": "none", "markersize": 9}
    axes.plot(column, row, markeredgecolor="white", markeredgewidth=2.6, **ring)
    axes.plot(column, row, markeredgecolor="black", markeredgewidth=1.1, **ring)
    return f"ring: {matrix[at]:.3g} at [{row}, {column}]"


def _is_weight(name: str) -> bool:
    return re.fullmatch(r"(d|v_)?w\d+", name) is not None

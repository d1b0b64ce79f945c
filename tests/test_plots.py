"""The figures draw what the result holds, whatever the run was like, and leave nothing behind.

How a figure looks was judged by eye; here are the facts that an eye found necessary.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text

from compare.contracts.arrays import Float
from compare.contracts.measured import Curves, EpochRow
from compare.contracts.result import Result
from compare.report.page import CAPTIONS
from compare.report.plots import alt_texts, figures, gradients, heatmap, series, write
from compare.report.plots.drift import EXPLAINED, sentence
from tests import results

CURVES = ["loss", "accuracy", "gradients", "drift"]
TAYLOR = {
    "parameter": "w1",
    "direction": "manual - reference",
    "h": [1e-1, 1e-2, 1e-3, 1e-4],
    "remainder": [1e-2, 1e-4, 1e-6, 1e-16],
    "used": [True, True, True, False],
    "slope": 2.0,
    "power": 1e-6,
    "error": 0.1,
    "belongs": "slope 2: the gradient is the derivative of the loss",
}
ENDINGS: dict[str, Callable[[], Result]] = {
    "agreeing": results.agreeing,
    "one epoch": lambda: results.agreeing(epochs=1),
    "twenty layers": lambda: results.agreeing(epochs=30, hidden=results.DEEP),
    "disagreeing": results.disagreeing,
    "disagreeing bias": lambda: results.disagreeing(parameter="b1"),
    "not finite": results.non_finite,
    "undecidable": results.undecidable,
    "interrupted": results.interrupted,
    "single point": lambda: replace(results.agreeing(), epochs=()),
    "referee": lambda: replace(results.agreeing(), referee=TAYLOR),
    "beyond the axis": lambda: beyond(results.agreeing()),
    "single point beyond": lambda: replace(beyond(results.agreeing()), epochs=()),
}

LOOKED_AT = [
    *(("agreeing", name) for name in CURVES),
    ("one epoch", "loss"),
    ("twenty layers", "loss"),
    ("twenty layers", "gradients"),
    ("disagreeing", "drift"),
    ("disagreeing", "heatmap"),
    ("disagreeing bias", "heatmap"),
    ("not finite", "loss"),
    ("undecidable", "drift"),
    ("interrupted", "gradients"),
    ("single point", "point"),
    ("referee", "referee"),
    ("beyond the axis", "gradients"),
    ("single point beyond", "point"),
]
"""To lay out a figure takes most of the time, so each kind is laid out where it is fullest."""


@cache
def drawing(ending: str) -> dict[str, Figure]:
    return figures(ENDINGS[ending]())


def luminance(line: Line2D) -> float:
    return float(np.dot(to_rgb(line.get_color()), (0.2126, 0.7152, 0.0722)))


def labelled(axes: Axes, label: str) -> Line2D:
    (found,) = [line for line in axes.get_lines() if line.get_label() == label]
    return found


def said(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in visible_texts(figure))


def visible_texts(figure: Figure) -> Iterator[Text]:
    """Yield every text but the tick labels, of which some lie outside and are never drawn."""
    ticks = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for label in axis.get_ticklabels()
    }
    for artist in figure.findobj(Text):
        if artist not in ticks and artist.get_visible() and artist.get_text().strip():
            yield artist


@pytest.mark.parametrize(("ending", "name"), LOOKED_AT)
def test_all_words_of_a_figure_are_on_the_picture(ending: str, name: str) -> None:
    figure = drawing(ending)[name]
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for text in visible_texts(figure):
        box = text.get_window_extent()
        inside = -1 <= box.x0 and box.x1 <= width + 1 and -1 <= box.y0 and box.y1 <= height + 1
        assert inside, f"{text.get_text()!r} leaves the picture"


def test_a_run_has_curves_errors_and_drift() -> None:
    assert list(figures(results.agreeing())) == CURVES


def test_a_disagreement_adds_the_heat_map_and_a_referee_its_slope() -> None:
    assert list(figures(results.disagreeing())) == [*CURVES, "heatmap"]
    assert list(figures(replace(results.agreeing(), referee=TAYLOR))) == [*CURVES, "referee"]


def test_a_single_point_is_drawn_as_one_dot_per_tensor() -> None:
    result = replace(results.agreeing(), epochs=())
    drawn = figures(result)
    assert list(drawn) == ["point"]
    labels = [label.get_text() for label in drawn["point"].axes[0].get_yticklabels()]
    assert labels == list(result.worst)


def beyond(result: Result) -> Result:
    """Return `result` with one ratio that is what a wrong entry has where the right number is 0."""
    far = replace(result.worst["dw1"], ratio=2.1e149)
    first = replace(result.epochs[0], worst={**result.epochs[0].worst, "w1": far})
    return replace(result, worst={**result.worst, "dw1": far}, epochs=(first, *result.epochs[1:]))


def test_a_ratio_beyond_all_others_does_not_squeeze_the_axis_of_a_single_point() -> None:
    result = beyond(results.agreeing())
    figure = figures(replace(result, epochs=()))["point"]
    (axes,) = figure.axes
    (mark,) = [line for line in axes.get_lines() if line.get_marker() == ">"]
    assert axes.get_xlim()[1] <= 10 * gradients.EDGE
    assert np.array_equal(mark.get_xydata(), [[axes.get_xlim()[1], [*result.worst].index("dw1")]])
    assert "2.1e+149" in said(figure)


def test_a_ratio_beyond_all_others_does_not_squeeze_the_axis_of_a_run() -> None:
    figure = figures(beyond(results.agreeing(epochs=9)))["gradients"]
    (axes,) = figure.axes
    (mark,) = [line for line in axes.get_lines() if line.get_marker() == "^"]
    assert axes.get_ylim()[1] <= 10 * gradients.EDGE
    assert np.array_equal(mark.get_xydata(), [[0, axes.get_ylim()[1]]])
    assert "largest: 2.1e+149 × allowance, w1 at epoch 0" in said(figure)
    assert "beyond the axis" in said(figure)


@pytest.mark.parametrize("ratio", [np.inf, np.nan])
def test_a_ratio_that_is_not_finite_is_written_beside_its_mark(ratio: float) -> None:
    result = replace(results.agreeing(), epochs=())
    bad = replace(result.worst["dw1"], ratio=ratio)
    figure = figures(replace(result, worst={**result.worst, "dw1": bad}))["point"]
    (axes,) = figure.axes
    (mark,) = [line for line in axes.get_lines() if line.get_marker() == "x"]
    assert not mark.get_clip_on()
    row = [*result.worst].index("dw1")
    assert [(text.get_text(), text.xy[1]) for text in axes.findobj(Annotation)] == [
        (str(ratio), row)
    ]


def test_over_many_epochs_a_gradient_is_the_largest_error_so_far() -> None:
    result = results.agreeing(epochs=gradients.NOISE + 100)
    (axes,) = figures(result)["gradients"].axes
    lines = [line for line in axes.get_lines() if len(np.asarray(line.get_xdata())) > 2]
    pale = [np.asarray(line.get_ydata()) for line in lines if line.get_alpha()]
    strong = [np.asarray(line.get_ydata()) for line in lines if not line.get_alpha()]
    assert len(pale) == len(strong) == 4
    for errors, so_far in zip(pale, strong, strict=True):
        assert (np.diff(errors) < 0).any()
        assert np.array_equal(so_far, np.maximum.accumulate(errors))


def test_over_few_epochs_a_gradient_is_its_error_at_each() -> None:
    (axes,) = figures(results.agreeing(epochs=gradients.NOISE - 1))["gradients"].axes
    assert not any(line.get_alpha() for line in axes.get_lines())
    assert any((np.diff(np.asarray(line.get_ydata())) < 0).any() for line in axes.get_lines())


def test_the_zero_of_a_heat_map_is_white_and_the_signs_differ_in_colour_and_lightness() -> None:
    below, zero, above = (heatmap.SIGNED(share)[:3] for share in (0.0, 0.5, 1.0))
    assert np.allclose(zero, 1, atol=0.01)
    weights = (0.2126, 0.7152, 0.0722)
    assert np.dot(above, weights) - np.dot(below, weights) > 0.15
    (panel, *_) = figures(results.disagreeing())["heatmap"].axes
    (image,) = panel.get_images()
    assert image.get_cmap() == heatmap.SIGNED
    low, high = image.get_clim()
    assert low == -high


@pytest.mark.parametrize("name", ["point", "gradients"])
def test_the_dotted_line_says_what_it_means(name: str) -> None:
    result = results.agreeing()
    drawn = figures(replace(result, epochs=()) if name == "point" else result)[name]
    assert "two correct sides stay below" in said(drawn).replace("\n", " ")
    assert "honest limit" not in said(drawn)
    assert "two correct sides stay below 0.5, the dotted line" in CAPTIONS[name]


def test_result_plot_returns_the_same_figures_by_name() -> None:
    assert list(results.agreeing().plot()) == CURVES


@pytest.mark.parametrize("split", ["training", "validation"])
def test_coinciding_sides_differ_in_width_and_in_lightness(split: str) -> None:
    axes = figures(results.agreeing())["loss"].axes[0]
    manual, reference = labelled(axes, f"{split}, manual"), labelled(axes, f"{split}, reference")
    assert np.allclose(manual.get_ydata(), reference.get_ydata(), atol=1e-14)
    assert reference.get_linewidth() > 3 * manual.get_linewidth()
    assert luminance(reference) - luminance(manual) > 0.4
    assert reference.get_zorder() <= manual.get_zorder()


def test_training_and_validation_differ_without_colour() -> None:
    axes = figures(results.agreeing())["loss"].axes[0]
    training, validation = labelled(axes, "training, manual"), labelled(axes, "validation, manual")
    assert training.get_linestyle() != validation.get_linestyle()
    assert training.get_marker() != validation.get_marker()


def test_a_difference_of_zero_is_drawn_where_the_axis_says_zero() -> None:
    axes = figures(results.agreeing(epochs=3))["loss"].axes[1]
    zeros = [line for line in axes.get_lines() if str(line.get_label()).startswith("equal")]
    (level,) = {float(y) for y in np.asarray(zeros[0].get_ydata())}
    ticks = axes.get_yticks()
    words = axes.yaxis.get_major_formatter().format_ticks(list(ticks))
    assert [w for w, tick in zip(words, ticks, strict=True) if w == "0"] == ["0"]
    assert np.isclose(ticks[words.index("0")], level, rtol=1e-9, atol=0)


def test_the_band_is_the_allowance_of_the_free_run() -> None:
    lines = figures(results.agreeing(epochs=9))["loss"].axes[1].get_lines()
    assert any(np.array_equal(np.asarray(line.get_ydata()), [4e-15] * 10) for line in lines)


def test_the_band_of_a_disagreement_is_not_called_an_allowance() -> None:
    axes = figures(results.disagreeing())["loss"].axes[1]
    (band,) = [band for band in axes.collections if band.get_hatch()]
    assert band.get_label() == "response to a drift that is no rounding"


def test_ten_thousand_epochs_are_thinned_and_keep_the_worst_one() -> None:
    result = results.agreeing(epochs=10_000)
    spike = replace(result.epochs[7_777], drift=1.0)
    rows = (*result.epochs[:7_777], spike, *result.epochs[7_778:])
    axes = figures(replace(result, epochs=rows))["drift"].axes[0]
    points = [line for line in axes.get_lines() if line.get_marker() == "o"]
    (drift,) = points
    assert len(np.asarray(drift.get_xdata())) <= 1000
    assert 1.0 in np.asarray(drift.get_ydata())


def test_the_first_epoch_that_is_not_finite_is_named() -> None:
    drawn = figures(results.non_finite(epoch=12))
    assert all("not finite from epoch 12 on" in said(drawn[name]) for name in ("loss", "gradients"))


def test_an_interrupted_run_says_how_far_it_came() -> None:
    assert "interrupted after epoch 36" in said(figures(results.interrupted(after=37))["loss"])


def test_scales_and_shifts_of_a_normalisation_have_lines_of_their_own() -> None:
    plain = results.agreeing()
    rows = [
        replace(row, worst={**row.worst, "gamma1": row.worst["w1"], "beta1": row.worst["b1"]})
        for row in plain.epochs
    ]
    axes = figures(replace(plain, epochs=tuple(rows)))["gradients"].axes[0]
    legend, alone = axes.get_legend(), figures(plain)["gradients"].axes[0].get_legend()
    assert legend is not None and alone is not None
    kinds = ["weights w", "biases b", "scales gamma", "shifts beta"]
    written = [text.get_text() for text in legend.get_texts()]
    assert [word for word in written if word in kinds] == kinds
    assert not {"scales gamma", "shifts beta"} & {t.get_text() for t in alone.get_texts()}
    drawn = [line for line in legend.get_lines() if line.get_label() in kinds]
    assert len({str(line.get_linestyle()) + str(line._dash_pattern) for line in drawn}) == 4  # type: ignore[attr-defined]


def test_kinks_are_counted_and_marked_at_their_epochs() -> None:
    figure = figures(results.with_kinks(3))["gradients"]
    ticks = [line for line in figure.axes[0].get_lines() if line.get_marker() == "|"]
    assert [list(np.asarray(line.get_xdata())) for line in ticks] == [[0, 40, 80]]
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert "kinks met: 3" in [text.get_text() for text in legend.get_texts()]


def test_the_drift_is_called_rounding_only_where_the_checks_prove_it() -> None:
    honest = results.agreeing()
    assert sentence(honest) == EXPLAINED
    without_step = replace(honest, checks=honest.checks[:1])
    assert "cannot be told: the same point check agrees and the step check was not made" in (
        sentence(without_step)
    )
    assert "Rounding alone does not explain" in sentence(results.disagreeing())


matrices = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda shape: st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).normal(size=shape)
    )
)


@given(matrices, st.integers(1, 12))
def test_shrinking_a_matrix_never_loses_its_largest_entry(matrix: Float, cells: int) -> None:
    small = heatmap.shrink(matrix, cells)
    assert small.shape == tuple(min(cells, size) for size in matrix.shape)
    assert np.abs(small).max() == np.abs(matrix).max()
    assert np.isin(small, matrix).all()


def test_shrinking_keeps_what_is_not_finite() -> None:
    matrix = np.zeros((500, 300))
    matrix[411, 7] = np.nan
    assert np.isnan(heatmap.shrink(matrix, 20)).sum() == 1


def test_rows_and_columns_of_a_small_heat_map_are_numbered_by_whole_numbers() -> None:
    result = results.disagreeing()
    assert result.heatmap is not None
    _, manual, reference = result.heatmap
    small = ("dw1", manual[:4, :5], reference[:4, :5])
    drawn = figures(replace(result, epochs=(), findings=(), heatmap=small))["heatmap"]
    ticks = np.concatenate([[*axes.get_xticks(), *axes.get_yticks()] for axes in drawn.axes[:2]])
    assert np.array_equal(ticks, np.round(ticks))


@pytest.mark.parametrize("name", ["w1", "dw1"])
def test_the_heat_map_of_a_parameter_is_called_by_its_gradient(name: str) -> None:
    result = results.disagreeing()
    assert result.heatmap is not None
    result = replace(result, epochs=(), worst={}, heatmap=(name, *result.heatmap[1:]))
    assert "First wrong tensor: dw1, 64 × 48" in said(figures(result)["heatmap"])
    assert "first wrong tensor, dw1 (64 × 48)" in alt_texts(result)["heatmap"]


def rings(figure: Figure) -> set[tuple[float, float]]:
    """Return the marked places, (column, row), of all panels."""
    lines = [line for axes in figure.axes for line in axes.get_lines()]
    drawn = [line.get_xydata() for line in lines if line.get_markerfacecolor() == "none"]
    return {(float(x), float(y)) for ((x, y),) in map(np.asarray, drawn)}


def test_the_ring_of_a_heat_map_is_at_the_entry_that_the_verdict_quotes() -> None:
    result = results.disagreeing()
    (finding,) = result.findings
    elsewhere = (replace(finding, index=(11, 7)),)  # not where the difference is largest
    drawn = figures(replace(result, epochs=(), findings=elsewhere))["heatmap"]
    assert rings(drawn) == {(7.0, 11.0)}
    assert "ring: the entry furthest beyond its allowance" in said(drawn).replace("\n", " ")


@pytest.mark.parametrize("index", [(), None])
def test_the_ring_of_a_tensor_without_a_quoted_entry_is_at_its_largest_difference(
    index: tuple[int, ...] | None,
) -> None:
    result = results.disagreeing()
    (finding,) = result.findings
    assert finding.index is not None
    row, column = finding.index
    whole = (replace(finding, index=index),)
    drawn = figures(replace(result, epochs=(), findings=whole))["heatmap"]
    assert rings(drawn) == {(column, row)}
    assert "ring: the largest difference" in said(drawn).replace("\n", " ")


def test_a_bias_is_drawn_entry_by_entry_with_both_sides() -> None:
    result = results.disagreeing(parameter="b1")
    assert result.heatmap is not None
    top, below = figures(result)["heatmap"].axes
    assert np.array_equal(labelled(top, "manual").get_ydata(), result.heatmap[1])
    assert below.get_ylabel() == "manual − reference"
    values = np.concatenate([result.heatmap[1], result.heatmap[2]])
    low, high = top.get_ylim()  # no mark is cut off at the edge
    room = 0.1 * (values.max() - values.min())
    assert low < values.min() - room and high > values.max() + room


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_thinning_keeps_the_worst_value(values: list[float], points: int) -> None:
    array = np.array(values)
    kept_epochs, kept = series.keep_largest(np.arange(float(len(array))), array, points)
    assert len(kept) == min(points, len(array))
    assert np.array_equal(array[kept_epochs.astype(int)], kept, equal_nan=True)
    if np.isfinite(array).all():
        assert kept.max() == array.max()
    else:
        assert not np.isfinite(kept).all()


def test_files_are_written_in_every_format_and_twice_the_same(tmp_path: Path) -> None:
    result = replace(results.agreeing(), epochs=())
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    paths = write(result, tmp_path, tuple(starts))
    assert [path.name for path in paths] == ["point.png", "point.svg", "point.pdf"]
    once = {path: path.read_bytes() for path in paths}
    assert all(data.startswith(starts[path.suffix[1:]]) for path, data in once.items())
    ElementTree.fromstring(once[tmp_path / "point.svg"])
    write(result, tmp_path, tuple(starts))
    assert all(path.read_bytes() == data for path, data in once.items())


def test_numbers_at_the_ends_of_the_range_are_drawn_without_a_warning(tmp_path: Path) -> None:
    def at(row: EpochRow, size: float) -> EpochRow:
        return replace(row, manual=Curves(size, 0.5, size, 0.5), drift=size)

    result = results.disagreeing(epochs=3)
    sizes = (5e-324, 1.7e308, 1e200, 0.0)
    rows = tuple(at(row, size) for row, size in zip(result.epochs, sizes, strict=True))
    heat = ("w1", np.full((5, 4), 1.7e308), np.full((5, 4), -1.7e308))
    extreme = replace(result, epochs=rows, heatmap=heat, findings=())
    assert len(write(extreme, tmp_path)) == 5


def test_a_file_may_be_called_anything(tmp_path: Path) -> None:
    point = replace(results.agreeing(), epochs=())
    data = "/données/$x_{/данные/数据\x1b.npz"
    (path,) = write(replace(point, settings={**point.settings, "data": data}), tmp_path)
    assert path.stat().st_size > 10_000


def test_figures_leave_matplotlib_as_they_found_it() -> None:
    names = set(matplotlib.rcParams) - {"backend"}  # to read the backend is to choose one
    before = {name: matplotlib.rcParams[name] for name in names}
    figures(results.agreeing(epochs=2))
    assert {name: matplotlib.rcParams[name] for name in names} == before


def test_figures_need_no_pyplot() -> None:
    code = "import sys, compare.report.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_figure_has_a_text_for_those_who_cannot_see_it(ending: str) -> None:
    texts = alt_texts(ENDINGS[ending]())
    assert all(len(texts[name]) > 30 for name in drawing(ending))


def test_epochs_without_gradients_have_no_gradient_figure() -> None:
    rows = tuple(replace(row, worst={}) for row in results.agreeing(epochs=3).epochs)
    assert list(figures(replace(results.agreeing(epochs=3), epochs=rows))) == [
        "loss",
        "accuracy",
        "drift",
    ]

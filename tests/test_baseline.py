"""A run held against an earlier one: what moved, from when, how far, and what cannot be told."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.contracts.errors import BadInput
from compare.contracts.measured import Band, Curves, EpochRow, PointRow
from compare.contracts.result import ExitCode, Result, Verdict
from compare.report import baseline
from compare.report.baseline.numbers import load, to_document
from tests import results

BAND = 4e-15


def run(epochs: int = 9, **changes: Any) -> Result:
    """Return an honest run with the norms of its weights and the sizes of its sets."""
    result = results.agreeing(epochs=epochs)
    sizes = {"training_samples": 1000, "validation_samples": 200}
    rows = tuple(replace(row, norms={"w1": 7.5, "b1": 0.25}) for row in result.epochs)
    return replace(result, epochs=rows, settings={**result.settings, **sizes, **changes})


def from_epoch(result: Result, epoch: int, change: Callable[[EpochRow], EpochRow]) -> Result:
    """Return the result with every row from `epoch` on changed."""
    rows = tuple(row if row.epoch < epoch else change(row) for row in result.epochs)
    return replace(result, epochs=rows)


def both(**by: float) -> Callable[[EpochRow], EpochRow]:
    """Return a change of both sides' curves by the same amounts."""

    def moved(curves: Curves) -> Curves:
        return replace(curves, **{name: getattr(curves, name) + step for name, step in by.items()})

    return lambda row: replace(row, manual=moved(row.manual), reference=moved(row.reference))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return the path of a baseline of `run()`."""
    return baseline.save(run(), tmp_path / "baseline.json")


def test_a_run_is_equal_to_itself_to_the_last_bit(saved: Path) -> None:
    report = baseline.compare(run(), saved)
    assert (report.verdict, report.exit_code) == (Verdict.AGREES, ExitCode.AGREES)
    assert report.equal
    assert report.text() == f"baseline {saved}: equal to the last bit at 10 epochs"


def test_numbers_are_stored_to_the_last_bit(saved: Path) -> None:
    stored = load(saved).series["manual train loss"].values
    assert list(stored) == [row.manual.train_loss for row in run().epochs]


def test_both_sides_changing_together_is_seen_although_they_agree(saved: Path) -> None:
    now = from_epoch(run(), 4, both(train_loss=1e-6))
    assert now.verdict is Verdict.AGREES
    report = baseline.compare(now, saved)
    assert report.exit_code is ExitCode.DISAGREES
    assert [movement.what for movement in report.moved] == [
        "manual train loss",
        "reference train loss",
    ]
    first = report.moved[0].first
    assert first.epoch == 4
    assert math.isclose(first.ratio, 1e-6 / BAND, rel_tol=1e-6)
    assert report.sentence() == (
        "2 numbers moved beyond allowance, from epoch 4 on (manual train loss)"
    )


def test_values_then_and_now_are_told_with_all_their_digits(saved: Path) -> None:
    report = baseline.compare(from_epoch(run(), 4, both(train_loss=1e-6)), saved)
    (then, now) = (run().epochs[4].manual.train_loss, report.moved[0].first.now)
    assert f"  epoch 4: was {then!r}, is {now!r}" in report.text()


def test_rounding_is_no_movement(saved: Path) -> None:
    report = baseline.compare(from_epoch(run(), 4, both(train_loss=0.4 * BAND)), saved)
    assert report.exit_code is ExitCode.AGREES
    assert not report.equal
    assert "largest movement 0.4" in report.sentence()


def test_a_changed_setting_is_named_before_any_number(saved: Path) -> None:
    now = from_epoch(run(learning_rate=0.2), 1, both(train_loss=0.1))
    lines = list(baseline.compare(now, saved).lines())
    assert lines[0] == "setting changed: learning_rate was 0.1, is 0.2"
    assert lines[1].startswith("manual train loss moved from epoch 1 on")


def test_a_changed_setting_alone_is_no_movement(saved: Path) -> None:
    report = baseline.compare(run(threads=2), saved)
    assert report.exit_code is ExitCode.AGREES
    assert "setting changed: threads was none, is 2" in report.text()


def test_another_machine_is_named(saved: Path) -> None:
    environment = {**results.ENVIRONMENT, "versions": {"numpy": "9.9"}}
    report = baseline.compare(replace(run(), environment=environment), saved)
    assert 'machine changed: versions numpy was "2.1.0", is "9.9"' in report.text()


@pytest.mark.parametrize(("samples", "code"), [(1, ExitCode.AGREES), (2, ExitCode.DISAGREES)])
def test_an_accuracy_may_move_by_one_sample(saved: Path, samples: int, code: ExitCode) -> None:
    now = from_epoch(run(), 0, both(validation_accuracy=samples / 200))
    assert baseline.compare(now, saved).exit_code is code


def test_the_parameter_that_moved_is_named(saved: Path) -> None:
    def heavier(row: EpochRow) -> EpochRow:
        return replace(row, norms={**row.norms, "w1": row.norms["w1"] + 1e-9})

    report = baseline.compare(from_epoch(run(), 6, heavier), saved)
    assert [(m.what, m.first.epoch) for m in report.moved] == [("norm of w1", 6)]


def test_the_run_under_test_cannot_choose_its_own_tolerance(saved: Path) -> None:
    def generous(row: EpochRow) -> EpochRow:
        return replace(both(train_loss=0.1)(row), band=Band(1.0, 1.0, 1.0))

    assert baseline.compare(from_epoch(run(), 0, generous), saved).exit_code == 1


def test_an_allowance_never_shrinks_along_the_run(tmp_path: Path) -> None:
    def narrow(row: EpochRow) -> EpochRow:
        return replace(row, band=Band(1e-30, 1e-30, 1e-30))

    path = baseline.save(from_epoch(run(), 5, narrow), tmp_path / "baseline.json")
    now = from_epoch(from_epoch(run(), 5, narrow), 7, both(train_loss=0.4 * BAND))
    assert baseline.compare(now, path).exit_code is ExitCode.AGREES


def test_a_band_wider_than_the_value_is_weak_not_green(tmp_path: Path) -> None:
    def wide(row: EpochRow) -> EpochRow:
        return replace(row, band=replace(row.band, train_loss=10.0))

    path = baseline.save(from_epoch(run(), 5, wide), tmp_path / "baseline.json")
    report = baseline.compare(run(), path)
    assert report.verdict is Verdict.AGREES
    assert "manual train loss cannot be judged at 5 of 10 epochs" in report.text()


def test_where_nothing_can_be_told_the_answer_is_undecidable(tmp_path: Path) -> None:
    def wide(row: EpochRow) -> EpochRow:
        return replace(row, band=Band(10.0, 10.0, 10.0))

    blind = from_epoch(run(), 0, wide)
    settings = {**blind.settings, "training_samples": 1, "validation_samples": 1}
    path = baseline.save(replace(blind, settings=settings), tmp_path / "baseline.json")
    report = baseline.compare(run(), path)
    assert report.exit_code is ExitCode.UNDECIDABLE
    assert "nothing could be decided at 10 epochs" in report.text()


def test_a_number_that_stopped_being_finite_has_moved_infinitely(saved: Path) -> None:
    report = baseline.compare(from_epoch(run(), 3, both(validation_loss=math.nan)), saved)
    assert {m.what for m in report.moved} == {
        "manual validation loss",
        "reference validation loss",
    }
    assert {(m.first.epoch, m.first.ratio) for m in report.moved} == {(3, math.inf)}


def test_not_finite_then_and_now_proves_nothing(tmp_path: Path) -> None:
    lost = from_epoch(run(), 3, both(validation_loss=math.nan))
    path = baseline.save(lost, tmp_path / "baseline.json")
    report = baseline.compare(lost, path)
    assert report.verdict is Verdict.AGREES
    assert "manual validation loss cannot be judged at 7 of 10 epochs" in report.text()


def test_a_shorter_run_is_compared_as_far_as_it_goes(saved: Path) -> None:
    report = baseline.compare(run(epochs=4), saved)
    assert report.compared == 5
    assert "setting changed: epochs was 9, is 4" in report.text()
    assert "weak: 5 epochs of the baseline were not run" in report.text()
    assert report.exit_code is ExitCode.UNDECIDABLE


def test_a_longer_run_than_the_baseline_is_not_green(tmp_path: Path) -> None:
    path = baseline.save(run(epochs=4), tmp_path / "baseline.json")
    report = baseline.compare(run(), path)
    assert report.exit_code is ExitCode.UNDECIDABLE
    assert report.sentence().endswith("compared: 5 epochs of this run are not in the baseline")


def test_a_run_whose_bands_are_not_finite_is_no_baseline(tmp_path: Path) -> None:
    endless = from_epoch(run(), 3, lambda row: replace(row, band=Band(math.inf, 1.0, 1.0)))
    with pytest.raises(BadInput, match="an allowance is negative or not finite"):
        baseline.save(endless, tmp_path / "baseline.json")


def test_another_network_has_numbers_the_baseline_does_not_have(saved: Path) -> None:
    now = from_epoch(run(), 0, lambda row: replace(row, norms={**row.norms, "w3": 1.0}))
    assert "weak: norm of w3 is in only one of the two" in baseline.compare(now, saved).text()


def test_nothing_in_common_is_an_error(saved: Path) -> None:
    for now in (replace(run(), epochs=()), replace(run(epochs=40), epochs=run(40).epochs[30:])):
        with pytest.raises(BadInput, match="have no epoch in common"):
            baseline.compare(now, saved)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (results.disagreeing(), "this run disagrees"),
        (results.undecidable(), "this run is undecidable"),
        (results.interrupted(), "this run was interrupted"),
        (results.control_failed(), "a judge that failed its control"),
        (replace(results.agreeing(), epochs=()), "a single point has no curves"),
    ],
)
def test_only_a_run_that_agrees_becomes_a_baseline(
    tmp_path: Path, result: Result, words: str
) -> None:
    path = tmp_path / "baseline.json"
    with pytest.raises(BadInput, match=words):
        baseline.save(result, path)
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        baseline.save(run(), tmp_path / "file" / "baseline.json")


def damaged(**changes: Any) -> str:
    """Return a baseline with some of its top-level entries replaced."""
    return json.dumps(to_document(run(epochs=2)) | changes)


def row(**changes: Any) -> dict[str, Any]:
    """Return one epoch of a baseline with some of its entries replaced."""
    first: dict[str, Any] = to_document(run(epochs=2))["epochs"][0]
    return first | changes


def points(scale: float = 1.0, **changes: Any) -> Result:
    """Return a check at two points whose second gradient of w1 is `scale` times as long."""
    rows = tuple(
        PointRow(n, f"point {n}", 2.5, 2.5, 1e-15, {"w1": 3.0 * by}, {"w1": 1e-14})
        for n, by in enumerate((1.0, scale))
    )
    return replace(results.agreeing(), epochs=(), points=rows, **changes)


def test_a_check_at_points_is_equal_to_itself(tmp_path: Path) -> None:
    path = baseline.save(points(), tmp_path / "points.json")
    report = baseline.compare(points(), path)
    assert report.text() == f"baseline {path}: equal to the last bit at 2 points"


@pytest.mark.parametrize(("by", "code"), [(0.9e-14, ExitCode.AGREES), (1.2e-14, 1)])
def test_the_norm_of_a_gradient_may_move_by_its_band(tmp_path: Path, by: float, code: int) -> None:
    path = baseline.save(points(), tmp_path / "points.json")
    report = baseline.compare(points(1 + by / 3), path)
    assert report.exit_code == code
    if code:
        assert report.sentence() == (
            "1 number moved beyond allowance, first at point 1 (norm of dw1)"
        )


def test_points_that_were_drawn_otherwise_are_named(tmp_path: Path) -> None:
    path = baseline.save(points(), tmp_path / "points.json")
    rows = tuple(replace(row, digest=f"another {row.point}") for row in points().points)
    text = baseline.compare(replace(points(), points=rows), path).text()
    assert 'machine changed: points was "point 0 point 1", is "another 0 another 1"' in text


def test_a_run_is_not_held_against_points_nor_points_against_a_run(
    saved: Path, tmp_path: Path
) -> None:
    path = baseline.save(points(), tmp_path / "points.json")
    with pytest.raises(BadInput, match="have no point in common"):
        baseline.compare(run(), path)
    with pytest.raises(BadInput, match="have no epoch in common"):
        baseline.compare(points(), saved)


def test_thread_pools_are_a_set_whatever_was_loaded_first(tmp_path: Path) -> None:
    one, other = {"library": "openblas", "threads": 2}, {"library": "openmp", "threads": 2}
    two = {**results.ENVIRONMENT, "thread_pools": [one, other]}
    path = baseline.save(replace(run(), environment=two), tmp_path / "b.json")
    turned = {**two, "thread_pools": [other, one, other]}
    report = baseline.compare(replace(run(), environment=turned), path)
    assert report.environment == ()
    fewer = {**two, "thread_pools": [one]}
    assert "thread_pools" in baseline.compare(replace(run(), environment=fewer), path).text()


BANDS = ("train_loss", "validation_loss", "drift")
BAD_FILES = {
    "empty": ("", "is not JSON"),
    "nested without end": ("[" * 100_000, "is not JSON"),
    "no norms": (damaged(epochs=[row(norms={})]), "is not as it was saved"),
    "cut": (damaged(epochs=[row()]), "is not as it was saved"),
    "no checksum": (damaged(checksum=None), "is not as it was saved"),
    "wide": (damaged(epochs=[row(band=dict.fromkeys(BANDS, 1e9))]), "is not as it was saved"),
    "endless": (damaged(epochs=[row(band=dict.fromkeys(BANDS, "inf"))]), "negative or not fin"),
    "negative": (damaged(epochs=[row(band=dict.fromkeys(BANDS, -1))]), "negative or not finite"),
    "other settings": (damaged(settings={}), "is not as it was saved"),
    "a list": ("[]", "is not a baseline"),
    "another document": ("{}", "is not a baseline"),
    "a later format": (damaged(format=2), "has baseline format 2, this program reads 1"),
    "no epochs": (damaged(epochs=[]), "the epochs are not rising"),
    "an epoch twice": (damaged(epochs=[row(), row()]), "the epochs are not rising"),
    "an epoch that is no number": (damaged(epochs=[row(epoch="0")]), "the epochs are not rising"),
    "no band": (damaged(epochs=[row(band=None)]), "is damaged"),
    "a word for a number": (damaged(epochs=[row(drift="far")]), "is damaged"),
    "a truth for a number": (damaged(epochs=[row(drift=True)]), "drift is not a number"),
    "no samples": (damaged(settings={"training_samples": 0}), "is damaged"),
    "no settings": (damaged(settings=None), "is damaged"),
}


@pytest.mark.parametrize("bad", BAD_FILES)
def test_a_file_that_is_no_baseline_is_bad_input_in_one_sentence(tmp_path: Path, bad: str) -> None:
    text, words = BAD_FILES[bad]
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        baseline.compare(run(), path)
    sentence = str(caught.value)
    assert words in sentence
    assert str(path) in sentence
    assert "\n" not in sentence
    assert sentence.endswith("save it again with --save-baseline.")


def test_a_missing_and_a_binary_file_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        baseline.compare(run(), tmp_path / "nowhere.json")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x93NUMPY")
    with pytest.raises(BadInput, match="is not JSON"):
        baseline.compare(run(), tmp_path / "binary")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.data())
def test_any_damage_to_a_baseline_is_told_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document: Any = json.loads(damaged())
    spot: Any = document
    key: Any = data.draw(st.sampled_from(sorted(document)))
    while isinstance(spot[key], dict | list) and spot[key] and data.draw(st.booleans()):
        spot = spot[key]
        keys = sorted(spot) if isinstance(spot, dict) else list(range(len(spot)))
        key = data.draw(st.sampled_from(keys))
    spot[key] = data.draw(json_values)
    path = tmp_path_factory.mktemp("fuzz") / "baseline.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        report = baseline.compare(run(epochs=2), path)
    except BadInput:
        return
    assert report.sentence() in report.text()

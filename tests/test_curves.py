"""Logged curves against the declared training: right ones agree, every planted fault is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray

from compare import BadInput, Experiment, Result, Verdict
from compare.command.main import main
from compare.contracts.measured import Band
from compare.data.logged import meaning, read_logged
from compare.examine.curves.check import check_curves
from compare.examine.curves.held import held_against
from compare.examine.curves.watcher import CurveWatcher
from compare.examine.sides import manual_records, our_manual
from compare.examine.training import run_training
from compare.points.inputs import draw_inputs
from compare.report.plots import series
from compare.report.report_json import SCHEMA

Table = NDArray[np.float64]
TITLES = "epoch,train_loss,train_acc,val_loss,val_acc,test_loss,test_acc"
DECLARED = Experiment(hidden=(6,), epochs=5, learning_rate=0.5, batch_size=400)
ACCURACIES = [2, 4, 6]


def measured() -> tuple[Table, Table]:
    """Rows of the curves of DECLARED, and of its training batches: epoch, rows, loss, accuracy."""
    inputs, manual = draw_inputs(DECLARED), our_manual(DECLARED)
    rows, parts = [], []
    for record in manual_records(DECLARED, inputs, manual):
        at = record.parameters
        sets = (inputs.training, inputs.validation, inputs.test)
        if record.evaluation is not None:
            rows.append([record.epoch, *np.ravel([manual.evaluate(at, *pair) for pair in sets])])
        if record.epoch < DECLARED.epochs:
            batch = [array[record.batch] for array in inputs.training]
            parts.append([record.epoch, len(record.batch), *manual.evaluate(at, *batch)])
    return np.array(rows), np.array(parts)


@pytest.fixture(scope="module")
def right() -> Table:
    return measured()[0]


def logged(table: Table, path: Path, written: str = "%.5f", titles: str = TITLES) -> Path:
    lines = [",".join([str(int(row[0])), *(written % one for one in row[1:])]) for row in table]
    path.write_text("\n".join([titles, *lines]) + "\n")
    return path


def found(table: Table, folder: Path, **options: str) -> Result:
    return check_curves(logged(table, folder / "log.csv", **options), DECLARED)


def column(table: Table, columns: list[int], values: Table | float) -> Table:
    changed = table.copy()
    changed[:, columns] = values
    return changed


def late(table: Table, columns: list[int]) -> Table:
    """Rows from epoch 1 whose columns show the epoch before."""
    return column(table[1:], columns, table[:-1, columns])


FAULTS: dict[str, tuple[str, Callable[[Table], Table]]] = {
    "one epoch late": ("curves-late", lambda t: late(t, [1, 2, 3, 4, 5, 6])),
    "counted from 0": (
        "curves-after-update",
        lambda t: column(t[1:], [0], t[:-1, [0]]),
    ),
    "training before the update": ("training-before-update", lambda t: late(t, [1, 2])),
    "losses before, accuracies after": ("losses-before-update", lambda t: late(t, [1, 3, 5])),
    "training loss before": ("training-loss-before-update", lambda t: late(t, [1])),
    "accuracies one ahead": (
        "accuracies-after-update",
        lambda t: column(t[:-1], ACCURACIES, t[1:, ACCURACIES]),
    ),
    "training accuracy ahead": (
        "training-accuracy-after-update",
        lambda t: column(t[:-1], [2], t[1:, [2]]),
    ),
    "test is validation": ("test-is-validation", lambda t: column(t, [5, 6], t[:, [3, 4]])),
    "validation is training": (
        "validation-is-training",
        lambda t: column(t, [3, 4], t[:, [1, 2]]),
    ),
    "per cent": ("accuracy-in-per-cent", lambda t: column(t, ACCURACIES, 100 * t[:, ACCURACIES])),
    "error rate": (
        "error-rate-for-accuracy",
        lambda t: column(t, ACCURACIES, 1 - t[:, ACCURACIES]),
    ),
}


@pytest.mark.parametrize("written", ["%.5f", "%.4g", "%.17g"])
def test_right_curves_agree_however_they_are_written(
    right: Table, tmp_path: Path, written: str
) -> None:
    result = found(right, tmp_path, written=written)
    assert result.verdict is Verdict.AGREES, result.sentence
    assert max(entry.ratio for entry in result.worst.values()) <= 0.5
    assert result.epochs[3].manual.train_loss == float(written % right[3, 1])


def test_float32_curves_agree_with_a_run_in_float32(tmp_path: Path) -> None:
    single = replace(DECLARED, dtype="float32")
    inputs, manual = draw_inputs(single), our_manual(single)
    whole = np.arange(len(inputs.training[0]))[::-1]  # rows in another order round otherwise
    rows = []
    for record in manual_records(single, inputs, manual):
        if record.evaluation is not None:
            pairs = ([part[whole] for part in inputs.training], inputs.validation, inputs.test)
            rows.append(
                [record.epoch, *np.ravel([manual.evaluate(record.parameters, *p) for p in pairs])]
            )
    path = logged(np.array(rows), tmp_path / "log.csv", "%.9g")
    assert check_curves(path, single).verdict is Verdict.AGREES


def test_the_test_loss_is_held_against_what_rounding_moves_in_the_test_data(
    right: Table, tmp_path: Path
) -> None:
    """Not in the training data, of which the rounding may be three times as large."""
    single = replace(DECLARED, dtype="float32")
    agreeing = check_curves(logged(right, tmp_path / "log.csv", "%.9g"), single)
    band = agreeing.worst["test_loss"].allowance
    assert agreeing.worst["test_loss"].ratio <= 0.5
    assert 2 * band < agreeing.worst["train_loss"].allowance, "else this test shows nothing"
    wrong = right.copy()
    wrong[1:, 5] += 2 * band
    result = check_curves(logged(wrong, tmp_path / "log.csv", "%.9g"), single)
    assert result.verdict is Verdict.DISAGREES
    assert {one.parameter for one in result.findings} == {"test_loss"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_of_measuring_is_named(right: Table, tmp_path: Path, fault: str) -> None:
    name, plant = FAULTS[fault]
    result = found(plant(right), tmp_path)
    assert result.verdict is Verdict.DISAGREES
    assert name in [one.mistake for one in result.diagnosis], result.sentence
    assert result.diagnosis[0].headline in result.sentence
    assert result.kind == (
        "convention" if "a convention" in result.diagnosis[0].sentence else "reporting"
    )


def test_means_of_batches_while_the_weights_move_are_told_from_means_of_batch_means(
    tmp_path: Path,
) -> None:
    table, parts = measured()
    each = [parts[parts[:, 0] == epoch] for epoch in range(DECLARED.epochs)]
    assert len({int(n) for n in parts[:, 1]}) == 2  # the last batch is shorter
    weighted = np.array([batch[:, 1] @ batch[:, 2:] / batch[:, 1].sum() for batch in each])
    plain = np.array([batch[:, 2:].mean(axis=0) for batch in each])
    for curve, name in (
        (weighted, "running-training-curve"),
        (plain, "running-mean-of-batch-means"),
    ):
        result = found(column(table[1:], [1, 2], curve), tmp_path)
        assert [one.mistake for one in result.diagnosis] == [name]


def test_a_mean_of_batch_means_with_a_short_last_batch_is_named(tmp_path: Path) -> None:
    inputs, manual = draw_inputs(DECLARED), our_manual(DECLARED)
    rows = []
    for record in manual_records(DECLARED, inputs, manual):
        if record.evaluation is not None:
            of_sets = []
            for x, y in (inputs.training, inputs.validation, inputs.test):
                cuts = [slice(at, at + 400) for at in range(0, len(x), 400)]
                of_sets.append(
                    np.mean([manual.evaluate(record.parameters, x[c], y[c]) for c in cuts], axis=0)
                )
            rows.append([record.epoch, *np.ravel(of_sets)])
    result = found(np.array(rows), tmp_path)
    assert result.diagnosis[0].mistake == "mean-of-batch-means"


def test_two_faults_together_are_both_named(right: Table, tmp_path: Path) -> None:
    per_cent = FAULTS["per cent"][1](FAULTS["test is validation"][1](right))
    names = {one.mistake for one in found(per_cent, tmp_path).diagnosis}
    assert names == {"test-is-validation", "accuracy-in-per-cent"}


def test_per_cent_that_says_so_is_no_fault(right: Table, tmp_path: Path) -> None:
    table = column(right, ACCURACIES, 100 * right[:, ACCURACIES])
    titles = "epoch,loss,acc (%),val loss,val acc [%],test_loss,test_acc_percent"
    assert found(table, tmp_path, titles=titles).verdict is Verdict.AGREES


def test_another_training_from_the_same_start_disagrees(right: Table, tmp_path: Path) -> None:
    table = right.copy()
    table[1:, 1] *= 1.1
    result = found(table, tmp_path)
    assert (result.verdict, result.kind) == (Verdict.DISAGREES, "training")
    assert "train loss" in result.sentence and "at epoch 1" in result.sentence


def test_curves_of_another_start_are_not_called_wrong(right: Table, tmp_path: Path) -> None:
    table = right[:, [0, 1, 3]]
    table[:, 1:] *= 0.9
    result = found(table, tmp_path, titles="epoch,loss,val_loss")
    assert result.verdict is Verdict.UNDECIDABLE
    assert "do not start where the declared training does" in result.sentence
    assert any("--record START" in note for note in result.notes)


def test_a_test_column_that_repeats_the_validation_is_seen_from_any_start(
    right: Table, tmp_path: Path
) -> None:
    table = 0.9 * right[:, [0, 1, 3, 3]]
    table[:, 0] = right[:, 0]
    result = found(table, tmp_path, titles="epoch,loss,val_loss,test_loss")
    assert result.diagnosis[0].mistake == "test-is-validation"


def test_an_accuracy_of_no_whole_number_of_rows_is_told(right: Table, tmp_path: Path) -> None:
    result = found(column(right, [4], right[:, [4]] + 0.4 / 180), tmp_path)
    assert result.kind == "reporting"
    assert "of 180 rows" in result.sentence


def test_a_number_that_is_not_finite_disagrees(right: Table, tmp_path: Path) -> None:
    result = found(column(right, [1], np.nan), tmp_path)
    assert result.verdict is Verdict.DISAGREES


def test_digits_too_few_to_tell_the_epochs_apart_decide_nothing(
    right: Table, tmp_path: Path
) -> None:
    result = found(right[:, :2], tmp_path, written="%.0f", titles="epoch,loss")
    assert result.verdict is Verdict.UNDECIDABLE
    assert "cannot tell one epoch from the next" in result.sentence


@pytest.mark.parametrize(("cell", "words"), [("1", "cannot tell"), ("", "has no number")])
def test_a_column_that_could_not_show_anything_does_not_agree(
    right: Table, tmp_path: Path, cell: str, words: str
) -> None:
    path = logged(right[:, :2], tmp_path / "log.csv", titles="epoch,loss")
    first, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{first},val_acc", *(f"{row},{cell}" for row in rows)]))
    result = check_curves(path, DECLARED)
    assert result.verdict is Verdict.UNDECIDABLE
    assert len(result.not_compared) == 1
    assert "val_acc" in result.sentence and words in result.sentence


def test_a_column_of_a_set_that_is_no_known_curve_is_not_passed_over(
    right: Table, tmp_path: Path
) -> None:
    err = found(right[:, [0, 1, 3]], tmp_path, titles="epoch,loss,validation_err")
    assert err.verdict is Verdict.UNDECIDABLE
    assert "validation_err" in err.sentence
    rate = found(right[:, [0, 1, 3]], tmp_path, titles="epoch,loss,lr")
    assert rate.verdict is Verdict.AGREES
    assert "columns that are no curves: lr" in rate.notes


def test_curves_that_go_on_after_the_declared_training_stopped_are_not_compared(
    tmp_path: Path,
) -> None:
    wild = replace(DECLARED, learning_rate=1e-300, patience=1)  # no loss is a new smallest
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss\n" + "".join(f"{epoch},777\n" for epoch in range(1, 6)))
    result = check_curves(path, wild)
    assert result.verdict is Verdict.UNDECIDABLE
    assert "ended at epoch 2, and log.csv goes to epoch 5" in result.sentence


def test_an_early_epoch_is_not_allowed_the_rounding_of_a_late_one(
    right: Table, tmp_path: Path
) -> None:
    path = logged(right, tmp_path / "log.csv", "%.17g")
    run = run_training(DECLARED)
    bands = [1e-12, 1e-12, 1e-12, 1e-12, 1e-12, 1e-3]
    rows = [
        replace(row, band=Band(band, band, row.band.drift))
        for row, band in zip(run.epochs, bands, strict=True)
    ]
    followed = CurveWatcher(DECLARED, our_manual(DECLARED), test=False, hits=False)
    held = held_against(read_logged(path), replace(run, epochs=tuple(rows)), followed)
    moved = {name: curve + 1e-6 for name, curve in held.seen.items()}
    off = replace(held, seen=moved).ratios("train_loss")
    assert off[0] > 1 and off[5] < 1


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("val_loss", "validation_loss"),
        ("Loss/train", "train_loss"),
        ("valLoss", "validation_loss"),
        ("loss", "train_loss"),
        ("Test Accuracy", "test_accuracy"),
        ("dev acc", "validation_accuracy"),
        ("lr", None),
        ("loss_scale", None),
        ("train_test_loss", None),
    ],
)
def test_titles_are_understood_as_people_write_them(title: str, name: str | None) -> None:
    assert meaning(title) == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch,loss\n", "a line for each epoch"),
        ("step,loss\n1,2\n", "one column called `epoch`"),
        ("epoch,lr\n1,2\n", "no column is a curve"),
        ("epoch,loss,train_loss\n1,2,3\n", "both mean the train loss"),
        ("epoch,loss\n1,2\n1,3\n", "epoch 1 stands in rows 2 and 3"),
        ("epoch,loss\n1.5,2\n", "no number of an epoch"),
        ("epoch,loss\n1,two\n", "is no number"),
        ("epoch,loss\n1,sNaN\n", "'sNaN' in column 'loss' is no number"),
        ("epoch,loss\n1,1e400\n", "'1e400' in column 'loss' is larger than"),
        ("epoch,loss\n1,0e400\n", "is larger than"),
        ("epoch,loss (%)\n1,1e999999\n", "is larger than"),
        ("epoch,loss\n1,2,3\n", "row 2 has 3 cells"),
        ("epoch,loss,loss\n1,2,3\n", "two columns have the same title"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=words):
        read_logged(path)


def test_a_spreadsheet_with_semicolons_and_decimal_commas_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("\ufeffepoch;loss;val_acc\n2;0,25;91,5%\n1;0,5;\n")
    read = read_logged(path)
    assert read.epochs == (1, 2)
    assert list(read.curves["train_loss"]) == [0.5, 0.25]
    assert read.curves["validation_accuracy"][1] == 0.915
    assert not read.written["validation_accuracy"][0]


def test_more_epochs_than_declared_are_refused(right: Table, tmp_path: Path) -> None:
    path = logged(right, tmp_path / "log.csv")
    with pytest.raises(BadInput, match="goes to epoch 5, and --epochs declares 3"):
        check_curves(path, replace(DECLARED, epochs=3), trains=True)


def test_the_command_reports_curves_with_pictures_and_exit_code(
    right: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = logged(FAULTS["test is validation"][1](right), tmp_path / "log.csv")
    settings = ["--hidden", "6", "--learning-rate", "0.5", "--batch-size", "400"]
    junit = tmp_path / "junit.xml"
    code = main(
        ["check", str(path), *settings, "--out", str(tmp_path / "out"), "--junit", str(junit)]
    )
    assert code == 1
    assert "log.csv: taken for logged curves (--curves)" in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert report["settings"]["curves"]["test loss"] == "test_loss"
    assert report["files"] == ["loss.png", "accuracy.png", "report.html"]
    assert "log.csv" in report["command"] and "--curves" in report["command"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "what the logged digits leave open" in page
    assert 'classname="compare.curves"' in junit.read_text()


def without_epochs(table: Table, path: Path) -> Path:
    """Log curves without the column that numbers them."""
    lines = logged(table, path).read_text().splitlines()
    path.write_text("\n".join(line.partition(",")[2] for line in lines) + "\n")
    return path


@pytest.mark.parametrize("first", [0, 1])
def test_rows_without_an_epoch_are_counted_and_that_is_said(
    right: Table, tmp_path: Path, first: int
) -> None:
    result = check_curves(without_epochs(right[first:], tmp_path / "log.csv"), DECLARED)
    assert result.verdict is Verdict.AGREES
    assert f"no column `epoch`: its rows are counted from {first} on" in result.notes[0]
    assert not any("no column" in note for note in found(right, tmp_path).notes)


def test_wrong_rows_without_an_epoch_do_not_agree_however_they_are_counted(
    right: Table, tmp_path: Path
) -> None:
    wrong = right.copy()
    wrong[3, 1] *= 2
    result = check_curves(without_epochs(wrong, tmp_path / "log.csv"), DECLARED)
    assert result.verdict is not Verdict.AGREES


def test_a_curve_that_was_not_logged_is_drawn_on_neither_side(right: Table, tmp_path: Path) -> None:
    result = found(right[:, :3], tmp_path, titles="epoch,train_loss,train_acc")
    assert result.verdict is Verdict.AGREES
    assert series.curve(result, "train_loss").drawn
    assert not series.curve(result, "validation_loss").drawn

"""report.json: the contract's keys, every digit, no NaN, a schema that tells good from bad."""

import dataclasses
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from compare.contracts import measured
from compare.contracts import result as results_module
from compare.contracts.result import Result
from compare.report.report_json import SCHEMA, plain, to_json, write_json
from tests import results

SCHEMA_DOCUMENT = json.loads(SCHEMA.read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA_DOCUMENT)
WAYS_TO_END = (
    results.agreeing,
    results.with_kinks,
    results.with_weak_points,
    results.disagreeing,
    results.non_finite,
    results.undecidable,
    results.interrupted,
    results.control_failed,
)
RECORDS = {
    "worst": measured.Worst,
    "curves": measured.Curves,
    "band": measured.Band,
    "epoch": measured.EpochRow,
    "check": results_module.CheckSummary,
    "finding": results_module.Finding,
    "kink": measured.Kink,
    "weak": results_module.Weak,
    "diagnosis": results_module.Diagnosis,
}


def written(result: Result, folder: Path) -> dict[str, Any]:
    """Return `result` after a trip through the file, refusing NaN as strict readers do."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    text = write_json(result, folder / "report.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return document


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA_DOCUMENT)


@pytest.mark.parametrize("make", WAYS_TO_END, ids=lambda make: make.__name__)
def test_every_way_to_end_makes_a_valid_report(make: Callable[[], Result], tmp_path: Path) -> None:
    VALIDATOR.validate(written(make(), tmp_path))


@pytest.mark.parametrize("name", RECORDS)
def test_the_schema_names_every_field_of(name: str) -> None:
    named = (field.name for field in dataclasses.fields(RECORDS[name]))
    fields = {one for one in named if not one.startswith("_")}
    assert set(SCHEMA_DOCUMENT["$defs"][name]["properties"]) == fields


def test_the_schema_names_every_key_of_the_report() -> None:
    keys = set(to_json(results.agreeing(epochs=1)))
    assert set(SCHEMA_DOCUMENT["properties"]) == keys | {"files", "baseline", "command"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("verdict", "perhaps"),
        ("exit_code", 5),
        ("format", 2),
        ("epochs", [{"epoch": 0}]),
        ("findings", [{"check": "hunch"}]),
        ("kind", 3),
    ],
)
def test_the_schema_rejects_a_wrong(key: str, value: Any) -> None:
    assert not VALIDATOR.is_valid(to_json(results.agreeing(epochs=1)) | {key: value})


@pytest.mark.parametrize("key", ["verdict", "exit_code", "epochs", "findings", "settings"])
def test_the_schema_rejects_a_report_without(key: str) -> None:
    document = to_json(results.agreeing(epochs=1))
    del document[key]
    assert not VALIDATOR.is_valid(document)


def test_the_keys_are_those_of_the_contract() -> None:
    document = to_json(results.disagreeing(epochs=2))
    assert (document["format"], document["verdict"], document["exit_code"]) == (1, "disagrees", 1)
    assert document["kind"] == "derivative"
    assert [row["epoch"] for row in document["epochs"]] == [0, 1, 2]
    assert document["epochs"][0]["manual"].keys() == {
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
    }
    assert document["epochs"][0]["worst"].keys() == {"w1", "b1", "w2", "b2"}
    assert document["findings"][0]["parameter"] == "w1"
    assert document["diagnosis"][0]["mistake"] == "missing-batch-mean"


def test_every_float_is_read_back_as_it_was(tmp_path: Path) -> None:
    result = results.agreeing(epochs=5)
    document = written(result, tmp_path)
    for row, entry in zip(result.epochs, document["epochs"], strict=True):
        assert entry["manual"]["train_loss"] == row.manual.train_loss
        assert entry["worst"]["w1"]["error"] == row.worst["w1"].error
        assert tuple(entry["worst"]["w1"]["index"]) == row.worst["w1"].index


def test_numbers_that_are_not_finite_are_strings(tmp_path: Path) -> None:
    finding = written(results.non_finite(), tmp_path)["findings"][0]
    assert (finding["manual"], finding["ratio"]) == ("nan", "inf")
    assert plain([math.nan, math.inf, -math.inf]) == ["nan", "inf", "-inf"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.1), 0.10000000149011612),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.float64("nan"), "nan"),
        (np.array([[1.5, np.inf]]), [[1.5, "inf"]]),
        ((1, (2,)), [1, [2]]),
        ({"a": None}, {"a": None}),
    ],
)
def test_numpy_and_nested_values_become_plain(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_a_value_without_a_place_in_a_report_is_refused() -> None:
    with pytest.raises(TypeError, match="a function has no place in a report"):
        plain(written)


def test_each_epoch_stands_on_its_own_line(tmp_path: Path) -> None:
    path = write_json(results.agreeing(epochs=7), tmp_path / "report.json")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith('{"epoch": ') for line in lines) == 8


def test_a_failed_write_leaves_the_old_report_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_json(results.agreeing(epochs=1), tmp_path / "report.json")
    before = path.read_bytes()

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_json(results.disagreeing(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_further_keys_can_be_written(tmp_path: Path) -> None:
    path = write_json(results.agreeing(epochs=1), tmp_path / "report.json", files=["loss.png"])
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["files"] == ["loss.png"]
    VALIDATOR.validate(document)

"""`python -m compare.run`, in this process: what it prints, writes and returns."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from compare import run
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.result import Result
from compare.examine import training as side_by_side
from compare.examine.training import Progress
from compare.report import folder, report_json
from tests import results

SMALL = ["--epochs", "2", "--no-plots"]
VALIDATOR = Draft202012Validator(json.loads(report_json.SCHEMA.read_text(encoding="utf-8")))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each command in a folder of its own, and as if on nobody's build server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def ends_with(monkeypatch: pytest.MonkeyPatch, result: Result | BaseException) -> None:
    """Let training end at once, with `result`."""

    def run_training(experiment: Experiment, **_: Any) -> Result:
        if isinstance(result, BaseException):
            raise result
        return replace(result, settings=experiment.as_settings())

    monkeypatch.setattr(side_by_side, "run_training", run_training)


def report(path: str = "compare-report") -> Any:
    """Return the valid report.json in the folder `path`."""
    document = json.loads(Path(path, "report.json").read_text(encoding="utf-8"))
    VALIDATOR.validate(document)
    return document


def press() -> None:
    """Send this process what Ctrl-C sends."""
    os.kill(os.getpid(), signal.SIGINT)


def test_an_honest_run_agrees_and_leaves_its_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([*SMALL, "--hidden", "7", "--batch-size", "500"]) == 0
    document = report()
    assert (document["verdict"], document["exit_code"]) == ("agrees", 0)
    assert (document["settings"]["hidden"], document["settings"]["batch_size"]) == ([7], 500)
    assert [row["epoch"] for row in document["epochs"]] == [0, 1, 2]
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "written to compare-report: report.json"
    assert err == ""


def test_no_epoch_checks_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--epochs", "0", "--no-plots", "--quiet"]) == 0
    assert [row["epoch"] for row in report()["epochs"]] == [0]


def test_quiet_prints_the_verdict_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, results.disagreeing())
    assert run.main(["--quiet", "--no-plots"]) == 1
    out, err = capsys.readouterr()
    assert out == results.disagreeing().sentence + "\n"
    assert err == ""


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (results.agreeing, 0),
        (results.with_kinks, 0),
        (results.with_weak_points, 0),
        (results.disagreeing, 1),
        (results.non_finite, 1),
        (results.undecidable, 3),
        (results.control_failed, 4),
        (results.interrupted, 130),
    ],
)
def test_the_exit_code_is_the_verdict(
    make: Callable[[], Result], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_with(monkeypatch, make())
    assert run.main(["--no-plots"]) == code
    assert report()["exit_code"] == code


@pytest.mark.slow
def test_the_report_goes_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    ends_with(monkeypatch, results.agreeing(epochs=1))
    assert run.main(["--out", "a/b", "--plots", "svg"]) == 0
    assert set(report("a/b")["files"]) >= {"loss.svg", "report.html"}
    assert {path.name for path in Path("a/b").iterdir()} == {"report.json", *report("a/b")["files"]}


def test_the_checks_are_written_for_build_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    ends_with(monkeypatch, results.disagreeing())
    assert run.main(["--no-plots", "--junit", "xml/junit.xml"]) == 1
    assert "<failure" in Path("xml/junit.xml").read_text(encoding="utf-8")


def test_a_workflow_gets_one_summary_with_the_final_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(*_: Any, **__: Any) -> list[Path]:
        press()
        raise AssertionError("the drawing went on")

    ends_with(monkeypatch, results.agreeing(epochs=1))
    monkeypatch.setattr(folder, "draw", draw)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    assert run.main([]) == 130
    text = Path("summary.md").read_text(encoding="utf-8")
    assert text.count("## ") == 1
    assert "interrupted" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epochs", "-1"], "--epochs: must be a whole number"),
        (["--data", "no-such-file.npz"], "no-such-file.npz"),
        (["--batch-size", "1438"], "1438"),
        (["--device", "abacus"], "abacus"),
        (["--hidden", "2000000000"], "not enough memory"),
        (["--out", "taken"], "--out: taken is not a folder"),
        (["--junit", "taken/junit.xml"], "--junit: taken is not a folder"),
        (["--junit", "."], "--junit: . is a folder"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_bad_input_gets_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("taken").touch()
    assert run.main([*SMALL, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ") and sentence in err
    assert err.count("\n") == 1
    assert not Path("compare-report").exists()


def test_a_destination_is_looked_at_before_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    ends_with(monkeypatch, AssertionError("the training has begun"))
    Path("taken").touch()
    assert run.main(["--out", "taken"]) == 2


def test_a_report_that_cannot_be_written_leaves_the_verdict_on_the_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "report.json")

    ends_with(monkeypatch, results.agreeing(epochs=1))
    monkeypatch.setattr(folder, "write_report", full)
    assert run.main(["--no-plots"]) == 2
    out, err = capsys.readouterr()
    assert "agrees: " in out
    assert err.startswith("error: the report could not be written: ")
    assert "No space left on device" in err


def test_what_training_says_about_its_input_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, BadInput("x.npz has no labels: add them"))
    assert run.main([]) == 2
    assert capsys.readouterr().err == "error: x.npz has no labels: add them\n"


def test_ctrl_c_between_updates_leaves_the_report_of_the_updates_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The signal comes in the middle of an update and is met at its end."""
    honest = side_by_side.run_training

    def stopped(experiment: Experiment, **how: Callable[[Progress], None]) -> Result:
        def on_update(now: Progress) -> None:
            if now.update == 7:
                press()
            how["on_update"](now)

        return honest(experiment, on_update=on_update)

    monkeypatch.setattr(side_by_side, "run_training", stopped)
    assert run.main(["--epochs", "20", "--no-plots"]) == 130
    document = report()
    assert (document["verdict"], document["interrupted"]) == ("agrees", True)
    assert len(document["epochs"]) == 8


def test_ctrl_c_before_the_first_update_leaves_a_report_of_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends_with(monkeypatch, KeyboardInterrupt())
    assert run.main(["--no-plots"]) == 130
    document = report()
    assert (document["verdict"], document["exit_code"]) == ("undecidable", 130)
    assert document["epochs"] == []


def test_ctrl_c_while_drawing_keeps_every_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def draw(*_: Any, **__: Any) -> list[Path]:
        press()
        raise AssertionError("the drawing went on")

    ends_with(monkeypatch, results.agreeing(epochs=5))
    monkeypatch.setattr(folder, "draw", draw)
    assert run.main([]) == 130
    document = report()
    assert (document["verdict"], document["exit_code"]) == ("agrees", 130)
    assert len(document["epochs"]) == 6


def test_ctrl_c_while_the_report_is_written_does_not_cut_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = report_json.write_json

    def write_json(result: Result, path: Path, **extra: Any) -> Path:
        press()
        press()
        return honest(result, path, **extra)

    ends_with(monkeypatch, results.agreeing(epochs=5))
    monkeypatch.setattr(folder, "write_json", write_json)
    assert run.main([]) == 130
    assert report()["exit_code"] == 130


def test_a_screen_that_knows_no_such_sign_gets_another(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    import sys

    ends_with(monkeypatch, results.agreeing(epochs=1))
    with open(os.dup(1), "w", encoding="ascii") as narrow:
        monkeypatch.setattr(sys, "stdout", narrow)
        assert run.main(["--no-plots"]) == 0
    assert b"? allowance" in capfdbinary.readouterr().out


def test_a_failure_of_the_judge_itself_accuses_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, ZeroDivisionError("a mistake of ours"))
    assert run.main(SMALL) == 4
    assert "the code given was not judged" in capsys.readouterr().err

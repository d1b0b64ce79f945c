"""--baseline and --save-baseline: one exit code for the run and its comparison with an earlier."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from compare import run
from compare.command.outcome import Outcome, outcome
from compare.contracts.result import ExitCode, Result
from compare.report import baseline
from tests import results
from tests.test_command_run import elsewhere, ends_with, report

__all__ = ["elsewhere"]


def moved(result: Result, by: float = 1e-6) -> Result:
    """Return `result` with both training losses moved by `by` from epoch 3 on."""
    rows = [
        row
        if row.epoch < 3
        else replace(
            row,
            manual=replace(row.manual, train_loss=row.manual.train_loss + by),
            reference=replace(row.reference, train_loss=row.reference.train_loss + by),
        )
        for row in result.epochs
    ]
    return replace(result, epochs=tuple(rows))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return the path of a baseline of an honest run."""
    return baseline.save(results.agreeing(epochs=5), tmp_path / "kept.json")


def test_a_run_that_agrees_is_kept_and_agrees_with_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, results.agreeing(epochs=5))
    assert run.main(["--no-plots", "--save-baseline", "b.json"]) == 0
    assert run.main(["--no-plots", "--baseline", "b.json"]) == 0
    assert "baseline b.json: equal to the last bit at 6 epochs" in capsys.readouterr().out
    assert report()["baseline"]["verdict"] == "agrees"


def test_a_run_that_moved_ends_in_exit_code_1_and_says_what_moved(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, moved(results.agreeing(epochs=5)))
    assert run.main(["--no-plots", "--baseline", str(kept)]) == 1
    assert "manual train loss moved from epoch 3 on" in capsys.readouterr().out
    document = report()
    assert (document["verdict"], document["exit_code"]) == ("agrees", 1)
    assert document["baseline"]["verdict"] == "disagrees"
    assert document["baseline"]["moved"][0]["first"]["epoch"] == 3


@pytest.mark.slow
def test_drawing_keeps_what_the_baseline_said(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends_with(monkeypatch, moved(results.agreeing(epochs=5)))
    assert run.main(["--baseline", str(kept)]) == 1
    document = report()
    assert document["exit_code"] == 1
    assert document["baseline"]["file"] == "kept.json"
    assert "report.html" in document["files"]


def test_quiet_sums_the_baseline_up_in_one_line(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, moved(results.agreeing(epochs=5)))
    run.main(["--quiet", "--no-plots", "--baseline", str(kept)])
    verdict, against = capsys.readouterr().out.splitlines()
    assert verdict == results.agreeing().sentence
    assert against.startswith(f"baseline {kept}: 2 numbers moved beyond allowance")


def test_a_file_that_is_no_baseline_is_found_before_the_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, AssertionError("the training has begun"))
    Path("x.json").write_text("{}", encoding="utf-8")
    for arguments in (["--baseline", "x.json"], ["--baseline", "none.json"]):
        assert run.main(arguments) == 2
        assert capsys.readouterr().err.startswith("error: --baseline: ")
    assert run.main(["--save-baseline", "."]) == 2


@pytest.mark.parametrize("option", ["--save-baseline", "--baseline"])
@pytest.mark.parametrize("way", ["--starter", "--dump", "--layer", "--curves"])
def test_a_baseline_of_what_has_neither_curves_nor_points_is_refused_before_it_begins(
    option: str, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, AssertionError("the check has begun"))
    assert run.main([way, "mine.py", option, "b.json"]) == 2
    assert f"error: {option} is about a training, or the points of a gradient function" in (
        capsys.readouterr().err
    )


def test_a_gradient_function_keeps_a_baseline_of_its_points(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("mine.py").write_text("from manual_mlp import loss_and_gradients\n", encoding="utf-8")
    Path("other.py").write_text(
        "from manual_mlp import loss_and_gradients as right\n\n\n"
        "def loss_and_gradients(parameters, x, targets):\n"
        "    loss, gradients = right(parameters, x, targets)\n"
        "    return 2 * loss, {name: 2 * dw for name, dw in gradients.items()}\n",
        encoding="utf-8",
    )
    small = ["--inputs", "5", "--classes", "3", "--hidden", "4", "--no-plots"]
    assert run.main(["check", "mine.py", *small, "--save-baseline", "b.json"]) == 0
    assert run.main(["check", "mine.py", *small, "--baseline", "b.json"]) == 0
    assert "equal to the last bit at" in capsys.readouterr().out
    doubled = ["check", "other.py", *small, "--loss-factor", "2", "--baseline", "b.json"]
    assert run.main(doubled) == 1
    assert "moved beyond allowance" in capsys.readouterr().out


def test_a_run_that_disagrees_is_not_kept_and_still_disagrees(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, results.disagreeing())
    assert run.main(["--no-plots", "--save-baseline", "b.json"]) == 1
    assert "agrees is a baseline" in capsys.readouterr().err
    assert not Path("b.json").exists()
    assert report()["exit_code"] == 1


def test_a_baseline_can_be_compared_with_and_replaced_in_one_run(kept: Path) -> None:
    today = moved(results.agreeing(epochs=5))
    found = outcome(today, kept, kept)
    assert found.exit_code is ExitCode.DISAGREES
    assert outcome(today, kept, None).exit_code is ExitCode.AGREES


@pytest.mark.parametrize(
    ("make", "by", "code"),
    [
        (results.agreeing, 0.0, ExitCode.AGREES),
        (results.agreeing, 1e-6, ExitCode.DISAGREES),
        (results.undecidable, 0.0, ExitCode.UNDECIDABLE),
        (results.undecidable, 1e-6, ExitCode.DISAGREES),
        (results.disagreeing, 0.0, ExitCode.DISAGREES),
        (results.interrupted, 1e-6, ExitCode.INTERRUPTED),
        (results.control_failed, 1e-6, ExitCode.CONTROL_FAILED),
    ],
)
def test_the_worse_of_two_verdicts_is_the_exit_code(
    make: Callable[[], Result], by: float, code: ExitCode, tmp_path: Path
) -> None:
    file = baseline.save(results.agreeing(), tmp_path / "kept.json")
    against = baseline.compare(moved(results.agreeing(), by), file)
    assert Outcome(make(), against).exit_code is code


def test_trouble_with_the_baseline_outranks_agreement_only() -> None:
    assert Outcome(results.agreeing(), None, "no file").exit_code is ExitCode.BAD_INPUT
    assert Outcome(results.disagreeing(), None, "no file").exit_code is ExitCode.DISAGREES


def test_without_a_baseline_nothing_is_said_of_one() -> None:
    assert Outcome(results.agreeing()).extra == {"exit_code": ExitCode.AGREES}
    assert json.dumps(Outcome(results.agreeing()).extra) == '{"exit_code": 0}'


def test_a_baseline_of_the_other_sort_is_refused_before_it_begins(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.py").write_text("from manual_mlp import loss_and_gradients\n", encoding="utf-8")
    check = ["--no-plots", "--quiet", "--manual", "mine.py"]
    assert run.main([*check, "--save-baseline", "points.json"]) == 0
    assert run.main([*check, "--baseline", "points.json"]) == 0
    ends_with(monkeypatch, AssertionError("the training has begun"))
    capsys.readouterr()
    assert run.main([*check, "--epochs", "2", "--baseline", "points.json"]) == 2
    assert "this is a training: leave --epochs out" in capsys.readouterr().err
    assert run.main(["--no-plots", "--baseline", "points.json"]) == 2
    assert "this is a training: add --manual FILE.py" in capsys.readouterr().err
    Path("mine.py").write_text("raise AssertionError('the check has begun')\n", encoding="utf-8")
    assert run.main([*check, "--baseline", str(kept)]) == 2
    assert "this is a check at points: add --epochs" in capsys.readouterr().err

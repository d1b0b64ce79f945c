"""Paths of the command: no output is an input, nothing is lost by a name, a disk or a signal."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import Result, run
from compare.contracts.visible import visible
from compare.report import folder, page, terminal
from tests import results

SMALL = ["--hidden", "4", "--epochs", "1", "--no-plots", "--out", "o"]
MINE = "from manual_mlp import loss_and_gradients\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    Path("m.py").write_text(MINE)
    np.savez("d.npz", images=np.arange(200.0).reshape(50, 4), labels=np.arange(50) % 2)


CLASHES = {
    "junit over the function": ["--manual", "m.py", "--junit", "m.py"],
    "junit over the assignment": ["--starter", "m.py", "--junit", "./m.py"],
    "junit through a link": ["--manual", "m.py:loss_and_gradients", "--junit", "link.xml"],
    "baseline over the data": ["--data", "d.npz", "--save-baseline", "d.npz"],
    "junit over code that is no input": ["--junit", "m.py"],
    "baseline over data that is no input": ["--save-baseline", "d.npz"],
    "two outputs": ["--junit", "same", "--save-baseline", "same"],
    "junit over the report": ["--junit", "o/report.json", "--out", "o"],
    "junit in the dump": ["--dump", ".", "--junit", "step_00000.npz"],
    "report in the dump": ["--dump", "o", "--out", "o"],
}


@pytest.mark.parametrize("arguments", CLASHES.values(), ids=CLASHES)
def test_an_output_that_is_an_input_is_refused_and_nothing_is_touched(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("link.xml").symlink_to("m.py")
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    assert run.main(arguments) == 2
    assert ": name another" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


def test_a_baseline_may_be_compared_with_and_replaced() -> None:
    assert run.main([*SMALL, "--save-baseline", "b.json"]) == 0
    assert run.main([*SMALL, "--baseline", "b.json", "--save-baseline", "b.json"]) == 0


def test_a_name_too_long_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--junit", "--save-baseline", "--dump", "--data", "--baseline"):
        assert run.main([*SMALL, option, "x" * 300]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1 and "name too long" in error


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_a_path_that_no_system_takes_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["9" * 400, "--no-plots"]) == 2
    said = capsys.readouterr().err
    assert said.endswith("there is no such file or folder\n") and said.count("\n") == 1


def test_a_name_that_is_no_utf8_costs_no_report() -> None:
    os.rename(b"d.npz", b"d\xff.npz")
    assert run.main([*SMALL, "--data", os.fsdecode(b"d\xff.npz"), "--junit", "j.xml"]) == 0
    report = json.loads(Path("o/report.json").read_text(encoding="utf-8"))
    assert report["settings"]["data"] == "d\udcff.npz"


def surrogate() -> Result:
    """Return a result with a lone surrogate in a setting, as a file's name can have it."""
    result = results.disagreeing(epochs=2)
    return Result(**{**vars(result), "settings": {**result.settings, "data": "d\udcff.npz"}})


@pytest.mark.slow
def test_pictures_and_page_bear_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    folder.save(surrogate(), tmp_path / "o")
    assert (tmp_path / "o" / "report.html").stat().st_size > 10_000
    assert terminal.terminal_text(surrogate())


def test_a_full_disk_ends_the_recording_and_not_the_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert run.main([*SMALL, "--record", "r"]) == 2
    out, error = capsys.readouterr()
    assert "agrees" in out
    assert error == "error: --record r: the dump is not whole (No space left on device)\n"
    assert json.loads(Path("o/report.json").read_text())["exit_code"] == 2


@pytest.mark.slow
def test_pictures_of_an_interrupted_run_do_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    result = results.disagreeing(epochs=2)
    monkeypatch.setattr(page, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        folder.save(result, tmp_path / "o")
    assert list((tmp_path / "o").glob("*.png"))
    monkeypatch.undo()
    folder.save(result, tmp_path / "o", plots=())
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["report.json"]


def test_the_page_has_the_name_that_the_folder_lists() -> None:
    assert folder.PAGE == page.PAGE


def test_what_others_wrote_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([*SMALL, "--data", "\x1b[2J\nno such"]) == 2
    error = capsys.readouterr().err
    assert "\x1b" not in error and error.count("\n") == 1 and "\\x1b[2J\\nno such" in error
    noted = Result(**{**vars(results.agreeing(epochs=2)), "notes": ("\x1b[31mred",)})
    assert "\x1b" not in terminal.terminal_text(noted)


def test_a_sentence_is_not_without_end() -> None:
    assert len(visible("x" * 10_000)) == 1000
    assert visible("× ≤ – \u202e") == "× ≤ – \\u202e"


def test_the_narrowest_table_keeps_the_names() -> None:
    printed = io.StringIO()
    terminal.show(results.agreeing(epochs=2), terminal.Terminal(printed, width=20))
    assert any(line.startswith("dw1") for line in printed.getvalue().splitlines())

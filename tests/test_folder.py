"""The folder of a run: complete, in the right order, without the pictures of an earlier run."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from compare.contracts.errors import BadInput
from compare.contracts.result import Result
from compare.report.folder import check_folder, draw, save, write_report
from tests import results


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put two modules in place that write empty pictures and an empty page."""

    def write_plots(result: Result, folder: Path, formats: Sequence[str]) -> list[Path]:
        names = ["loss", "heatmap"] if result.heatmap else ["loss"]
        paths = [folder / f"{name}.{form}" for name in names for form in formats]
        for path in paths:
            path.touch()
        return paths

    def write_page(result: Result, folder: Path, drawn: Sequence[Path], command: str) -> Path:
        (folder / "report.html").touch()
        return folder / "report.html"

    for name, write in (("plots", write_plots), ("page", write_page)):
        module = ModuleType(f"compare.report.{name}")
        module.write = write  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(f"compare.report.{name}", module, raising=False)


def names(folder: Path) -> set[str]:
    """Return the names of what lies in `folder`."""
    return {path.name for path in folder.iterdir()}


def test_a_folder_is_made_and_filled(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    assert results.agreeing(epochs=1).save(folder) == folder
    assert names(folder) == {"report.json", "loss.png", "report.html"}


def test_report_json_lists_what_lies_beside_it(tmp_path: Path) -> None:
    save(results.agreeing(epochs=1), tmp_path, plots=("svg", "pdf"))
    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert document["files"] == ["loss.svg", "loss.pdf", "report.html"]


def test_without_formats_report_json_is_all_there_is(tmp_path: Path) -> None:
    save(results.agreeing(epochs=1), tmp_path, plots=())
    assert names(tmp_path) == {"report.json"}


def test_the_heat_map_of_an_earlier_run_does_not_stay(tmp_path: Path) -> None:
    save(results.disagreeing(epochs=1), tmp_path)
    assert "heatmap.png" in names(tmp_path)
    save(results.agreeing(epochs=1), tmp_path)
    assert names(tmp_path) == {"report.json", "loss.png", "report.html"}
    save(results.agreeing(epochs=1), tmp_path, plots=())
    assert names(tmp_path) == {"report.json"}


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    inside, outside = tmp_path / "out", tmp_path / "mine.png"
    inside.mkdir()
    for path in (outside, inside / "mine.png", inside / "notes.txt"):
        path.touch()
    listed = ["../mine.png", str(outside), "notes.txt", 3, None]
    (inside / "report.json").write_text(json.dumps({"files": listed}), encoding="utf-8")
    write_report(results.agreeing(epochs=1), inside)
    assert outside.exists()
    assert names(inside) == {"report.json", "mine.png", "notes.txt"}


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_an_unreadable_earlier_report_is_replaced(text: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    path = write_report(results.agreeing(epochs=1), tmp_path)
    assert json.loads(path.read_text(encoding="utf-8"))["verdict"] == "agrees"


def test_drawing_returns_what_it_wrote(tmp_path: Path) -> None:
    drawn = draw(results.agreeing(epochs=1), tmp_path, ["png"])
    assert drawn == [tmp_path / "loss.png", tmp_path / "report.html"]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadInput, match=r"--out: .*file is not a folder"):
            check_folder(folder, "--out")


def test_a_folder_behind_a_dangling_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="link is not a folder"):
        check_folder(tmp_path / "link", "--out")


def test_a_name_that_no_file_system_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be used"):
        check_folder(tmp_path / ("x" * 5000), "--out")


def test_a_folder_that_may_not_be_written_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(BadInput, match="may not be written to"):
        check_folder(tmp_path / "new", "--out")


def test_checking_a_folder_makes_nothing(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "folder", "--out")
    assert names(tmp_path) == set()

"""Several files in one command: what each is taken for, one row each, the worst exit code."""

from __future__ import annotations

import csv
import json
import os
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compare.command import given
from compare.command.given import Task, tasks, way_of
from compare.command.main import leave_report_of
from compare.command.many import checked, folders, names
from compare.command.parser import IN_A_STUDENTS_FILE
from compare.contracts.errors import BadInput
from compare.guard.guard import A_FEW_ROWS
from compare.report.index import Row, write
from compare.run import main

pytestmark = pytest.mark.slow

RELU = "import numpy as np\ndef relu(x):\n    return np.maximum(x, 0)\n"
WRONG = RELU.replace("np.maximum(x, 0)", "np.minimum(x, 0)")
FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")


def handed_in(folder: Path, **texts: str) -> Path:
    """A folder with one file for each text."""
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def rows(out: Path) -> dict[str, dict[str, str]]:
    """The table of a command, by the name of the file."""
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        return {Path(row["file"]).stem: row for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("text", "way"),
    [
        (RELU, "starter"),
        ("def loss_and_gradients(parameters, x, targets):\n    pass\n", "manual"),
        ("from mine import loss_and_gradients\n", "manual"),
        ("def update(parameters, x, targets, *, learning_rate):\n    pass\n", "manual"),
        ("def update(parameters, x, y, /, *, learning_rate, seed=0):\n    pass\n", "manual"),
        ("def update(parameters, x, y, learning_rate, seed=0):\n    pass\n", "manual"),
        ("from mine import update\n", "manual"),
        ("from mine import step\nupdate = step\n", "manual"),
        ("def step(p, x, y, *, learning_rate):\n    pass\nupdate = step\n", "manual"),
        ("import numpy as np\nupdate = np.zeros(3)\n", "starter"),
        ("def step(W, b, dW, learning_rate):\n    pass\nupdate = step\n", "starter"),
        ("def update(parameters, grads, learning_rate):\n    pass\n", "starter"),
        ("def update(W, dW, b, learning_rate):\n    pass\n", "starter"),
        ("def update(batch, weights, biases, eta):\n    pass\n", "starter"),
        ("def update(W1, b1, dW1, db1, learning_rate):\n    pass\n", "starter"),
        ("reference = inputs = None\ndef manual(inputs, dy):\n    pass\n", "layer"),
        ("class Net:\n    def backward(self):\n        pass\n", "starter"),
        ("def broken(:\n", "starter"),
    ],
)
def test_a_file_is_taken_for_what_it_defines(tmp_path: Path, text: str, way: str) -> None:
    path = tmp_path / "file.py"
    path.write_text(text, encoding="utf-8")
    assert way_of(path) == way


def test_a_folder_is_a_dump_or_holds_what_is_to_be_checked(tmp_path: Path) -> None:
    folder = handed_in(tmp_path / "all", one=RELU)
    (folder / "recorded").mkdir()
    (folder / "recorded" / "run.json").write_text("{}", encoding="utf-8")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "two.py").write_text(RELU, encoding="utf-8")
    assert tasks({}, [str(folder)]) == [
        Task("starter", str(folder / "one.py")),
        Task("dump", str(folder / "recorded")),
    ]
    assert tasks({"dump": [str(folder)]}, []) == [Task("dump", str(folder / "recorded"))]


@pytest.mark.parametrize("name", ["step_two", "step_1", "step_size"])
def test_a_hand_in_that_is_called_a_step_makes_no_dump_of_its_folder(
    tmp_path: Path, name: str
) -> None:
    folder = handed_in(tmp_path / "all", one=RELU, **{name: RELU})
    assert {Path(task.path).stem for task in tasks({}, [str(folder)])} == {"one", name}
    (folder / "step_0.NPZ").write_bytes(b"")  # badly spelt, and said to be by the reader of dumps
    assert tasks({}, [str(folder)]) == [Task("dump", str(folder))]


def test_how_a_path_was_taken_is_said_with_the_option_that_takes_it_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = handed_in(tmp_path / "all", one=RELU) / "one.py"
    assert main(["check", str(path), "--no-plots", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.startswith(
        f"{path}: taken for a student's file (--starter); --manual or --layer takes it otherwise\n"
    )


@pytest.mark.parametrize("arguments", [["check"], ["check", "--quiet"], ["check", "--epochs", "2"]])
def test_a_check_of_nothing_is_no_training_that_agrees(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: check what? give a file or a folder after it")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["chek", "mine.py"], "chek: there is no such file or folder; did you mean check?"),
        (["check", "mien.py"], "mien.py: there is no such file or folder; did you mean mine.py?"),
        (["--quiet", "check", "mine.py"], "folder; the word check stands before all options"),
    ],
)
def test_what_is_nearly_a_path_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(handed_in(tmp_path / "mine", mine=RELU))
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_code_that_ends_everything_leaves_a_report_of_a_check_too(tmp_path: Path) -> None:
    path = handed_in(tmp_path / "all", mine=RELU) / "mine.py"
    out = tmp_path / "out"
    assert leave_report_of("it ended", ["check", str(path), "--out", str(out)]) == 2
    assert "it ended" in (out / "report.json").read_text()


def test_a_path_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "nowhere.py"]) == 2
    assert capsys.readouterr().err == "error: nowhere.py: there is no such file or folder\n"


@pytest.mark.parametrize("way", ["starter", "manual"])
def test_an_empty_folder_is_bad_input(tmp_path: Path, way: str) -> None:
    with pytest.raises(BadInput, match="the folder holds no"):
        tasks({way: [str(tmp_path)]}, [])


@FORK
def test_every_file_has_a_row_and_a_folder_and_the_worst_exit_code_is_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = handed_in(tmp_path / "all", right=RELU, wrong=WRONG)
    out = tmp_path / "out"
    assert main(["--starter", str(folder), "--no-plots", "--out", str(out)]) == 1
    found = rows(out)
    assert (found["right"]["verdict"], found["right"]["exit_code"]) == ("agrees", "0")
    assert (found["wrong"]["verdict"], found["wrong"]["function"]) == ("disagrees", "relu")
    assert list(found["wrong"]) == [
        "file", "function", "verdict", "kind", "mistake", "sentence", "exit_code", "seconds",
        "taken_for",
    ]  # fmt: skip
    assert found["wrong"]["taken_for"] == "a student's file (--starter)"
    assert found["wrong"]["sentence"].startswith("disagrees: relu, of 1 function: value")
    assert (out / "right" / "report.json").is_file()
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "each was taken for a student&#39;s file (--starter)" in page
    assert "2 files" in page and 'href="wrong/report.json"' in page and "<script src" not in page
    assert "2 files: 1 agrees, 1 disagrees\n" in capsys.readouterr().out


@FORK
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os\ndef relu(x):\n    os._exit(0)\n", ""),
        ("import os\ndef relu(x):\n    os.kill(os.getpid(), 9)\n", "ended its process (SIGKILL)"),
        ("def gradient(\n", "nothing that Python can read"),
    ],
)
def test_a_file_that_ends_the_process_stops_no_other(tmp_path: Path, text: str, words: str) -> None:
    folder = handed_in(tmp_path / "all", a_bad=text, b_right=RELU)
    out = tmp_path / "out"
    assert main(["check", str(folder), "--no-plots", "--quiet", "--out", str(out)]) == 2
    found = rows(out)
    assert found["a_bad"]["verdict"] == "not checked" and found["a_bad"]["exit_code"] == "2"
    assert words in found["a_bad"]["sentence"]
    assert found["b_right"]["verdict"] == "agrees"


@FORK
def test_a_file_that_hangs_where_no_call_is_watched_is_stopped(tmp_path: Path) -> None:
    forever = "import numpy as np\ndef relu(x):\n    return sum(range(10**12))\n"
    folder = handed_in(tmp_path / "all", a_slow=forever, b_right=RELU)
    out = tmp_path / "out"
    assert main(["check", str(folder), "--no-plots", "--timeout", "2", "--out", str(out)]) == 2
    assert "did not end within 8 s" in rows(out)["a_slow"]["sentence"]
    assert "b_right" in rows(out)  # its turn came; 8 s may be too few on a busy machine


@FORK
def test_a_call_of_a_students_file_has_the_time_of_a_few_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.guard.guard.A_FEW_ROWS", 0.5)
    forever = "import numpy as np\ndef relu(x):\n    while True: pass\n"
    folder = handed_in(tmp_path / "all", a_endless=forever, b_right=RELU)
    out = tmp_path / "out"
    assert main(["check", str(folder), "--no-plots", "--out", str(out)]) == 3
    assert rows(out)["a_endless"]["verdict"] == "undecidable"
    assert "within 0.5 s" in (out / "a_endless" / "report.json").read_text()


def test_help_tells_the_time_that_a_call_of_a_students_file_has() -> None:
    assert IN_A_STUDENTS_FILE == A_FEW_ROWS


def test_a_mistake_that_several_functions_share_stands_once_in_a_row(tmp_path: Path) -> None:
    one = {"mistake": "softmax-over-batch", "title": "a softmax over the samples"}
    two = {"mistake": "bias-averaged", "title": "a bias gradient that is a mean"}
    said = {"verdict": "disagrees", "kind": "value", "sentence": "", "settings": {}, "findings": []}
    report = json.dumps({**said, "diagnosis": [one, two, one]})
    (tmp_path / "report.json").write_text(report)
    row = Row.read("hand_in.py", "hand_in", tmp_path, 1, "", 0.0)
    assert row.mistake == "softmax-over-batch, bias-averaged"
    assert row.title == "a softmax over the samples; a bias gradient that is a mean"


def test_files_of_one_name_have_folders_of_their_own() -> None:
    given = [Task("starter", "a/net.py"), Task("starter", "b/net.py"), Task("manual", "c.py:f")]
    assert names(given) == ["a/net.py", "b/net.py", "c.py:f"]
    assert folders(given) == ["a-net", "b-net", "c"]
    given = [Task("starter", "../all/net.py"), Task("starter", "../all/net.ipynb")]
    assert names(given) == ["net.py", "net.ipynb"]
    assert folders(given) == ["net", "net-2"]


@FORK
def test_pages_of_a_folder_for_each_student_say_whose_they_are(tmp_path: Path) -> None:
    for name, text in (("ana", WRONG), ("bob", "def gradient(\n")):
        (tmp_path / "all" / name).mkdir(parents=True)
        (tmp_path / "all" / name / "main.py").write_text(text, encoding="utf-8")
    out = tmp_path / "out"
    assert main(["check", str(tmp_path / "all"), "--quiet", "--out", str(out)]) == 2
    wrong = (out / "ana-main" / "report.html").read_text(encoding="utf-8")
    assert "<title>ana/main.py: disagrees" in wrong and "<h1>ana/main.py" in wrong
    broken = (out / "bob-main" / "report.html").read_text(encoding="utf-8")
    assert "<title>bob/main.py: not checked" in broken
    assert "nothing that Python can read" in broken
    page = (out / "index.html").read_text(encoding="utf-8")
    assert 'href="ana-main/report.html">ana/<wbr>main.py<' in page
    assert 'href="bob-main/report.html"' in page and str(tmp_path) not in page
    assert "disagrees: relu" not in page and "relu, of 1 function" in page


def test_the_row_of_an_undecidable_file_says_why(tmp_path: Path) -> None:
    reason = "mine.py, line 3: f(q) was not compared: what q stands for is not certain"
    check = {"check": "f", "verdict": "undecidable", "sentence": reason}
    said: dict[str, Any] = {
        "verdict": "undecidable", "kind": None, "settings": {}, "findings": [], "diagnosis": [],
        "sentence": "undecidable: f could not be compared, of 1 function",
    }  # fmt: skip
    (tmp_path / "report.json").write_text(json.dumps({**said, "checks": [check]}))
    row = Row.read("mine.py", "mine", tmp_path, 3, "", 0.0)
    assert row.said == (
        "f could not be compared, of 1 function (f: f(q) was not compared: what q stands for is "
        "not certain)"
    )
    (tmp_path / "report.json").write_text(json.dumps({**said, "verdict": "agrees", "checks": []}))
    assert Row.read("mine.py", "mine", tmp_path, 0, "", 0.0).sentence == said["sentence"]


def test_what_is_about_one_file_is_refused_for_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = handed_in(tmp_path / "all", one=RELU, two=RELU)
    assert main(["check", str(folder), "--junit", str(tmp_path / "j.xml")]) == 2
    assert capsys.readouterr().err == "error: --junit is about one file, and 2 are given\n"


def test_a_folder_that_vanishes_while_it_is_looked_through_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "hand_in.py").write_text("def relu(x): return x\n")
    scandir, listdir = os.scandir, os.listdir

    def unless_gone(look: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def looked(folder: Any) -> Any:
            if str(folder).endswith("gone"):
                raise FileNotFoundError(folder)
            return look(folder)

        return looked

    monkeypatch.setattr(os, "scandir", unless_gone(scandir))
    monkeypatch.setattr(os, "listdir", unless_gone(listdir))
    assert [Path(one.path).name for one in tasks({}, [str(tmp_path)])] == ["hand_in.py"]


def test_where_files_were_taken_for_different_things_each_row_says_for_which(
    tmp_path: Path,
) -> None:
    row = Row("a.py", "", "agrees", "", "", "agrees", 0, 0.1, "a layer (--layer)", name="a.py")
    write([row, replace(row, file="b.py", name="b.py", taken_for="a dump (--dump)")], tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert ">a layer</span></th>" in page and ">a dump</span></th>" in page
    assert "was taken for" not in page


@pytest.mark.parametrize(("way", "given", "seconds"), [
    ("manual", set(), IN_A_STUDENTS_FILE), ("manual", {"timeout"}, 60.0), ("layer", set(), 60.0),
])  # fmt: skip
def test_a_call_of_a_gradient_function_among_several_files_has_as_long_as_a_students(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, given: set[str], seconds: float
) -> None:
    seen: list[float] = []

    def in_child(mine: Namespace, *_: object) -> tuple[int, str]:
        seen.append(mine.timeout)
        return 0, ""

    monkeypatch.setattr("compare.command.many.in_child", in_child)
    options = Namespace(out=tmp_path, timeout=60.0, given=given, plots=())
    checked(options, Task(way, "a.py"), "a.py", "a", lambda options: 0)
    assert seen == [seconds]


def test_a_folder_that_holds_too_much_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "MOST_BELOW", 5)
    for name in "abcdef":
        (tmp_path / f"{name}.txt").touch()
    with pytest.raises(BadInput, match="holds more than 5 files and folders; give the folder of"):
        given.opened_by_content(str(tmp_path))


def test_hidden_folders_are_not_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "MOST_BELOW", 5)
    (tmp_path / ".git").mkdir()
    for name in "abcdef":
        (tmp_path / ".git" / f"{name}.py").touch()
    (tmp_path / "m.py").write_text("def loss_and_gradients(parameters, x, targets): ...\n")
    assert [one.path for one in given.opened_by_content(str(tmp_path))] == [str(tmp_path / "m.py")]

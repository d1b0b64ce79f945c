"""Annotations of a GitHub workflow: the file, the line, the sentence, and nothing that escapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from compare import run
from compare.report.annotations import (
    annotation,
    error,
    lines,
    of_code,
    of_row,
    of_sentence,
    wanted,
)
from tests import results

CODE = """\
import numpy as np


def helper(x):
    return x


def loss_and_gradients(parameters, x, targets):
    raise ValueError("no")
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE, encoding="utf-8")
    return path


def test_a_wrong_gradient_is_shown_at_the_function_that_computes_it(mine: Path) -> None:
    said = annotation(results.disagreeing(), str(mine))
    assert said.startswith(f"::error file={mine},line=8,title=wrong gradient::disagrees")


def test_a_function_that_was_named_is_found_whatever_it_is_called(mine: Path) -> None:
    assert f"file={mine},line=4," in annotation(results.disagreeing(), f"{mine}:helper")


def test_a_student_s_function_at_fault_has_its_line(mine: Path) -> None:
    assert f"file={mine},line=4,title=wrong gradient::" in of_row(
        str(mine), "helper, softmax", "disagrees: no mask", "disagrees"
    )


def test_code_that_raised_is_shown_at_the_line_that_raised(mine: Path) -> None:
    ended = replace(results.interrupted(), interrupted=False, failure="raised at mine.py, line 9")
    assert "line=9,title=could not be finished::raised at" in annotation(ended, str(mine))


def test_a_sentence_is_shown_at_the_path_that_was_given(mine: Path) -> None:
    said = of_sentence("raised ValueError: no (mine.py, line 9)", ["--manual", f"{mine}:helper"])
    assert said.startswith(f"::error file={mine},line=9,title=could not be checked::raised")
    assert of_sentence("no such option", ["--x"]) == (
        "::error title=could not be checked::no such option"
    )


def test_a_sentence_without_a_line_is_shown_at_the_file_that_was_given(mine: Path) -> None:
    said = of_sentence("nothing in it is known", ["check", str(mine), "--quiet"])
    assert said == f"::error file={mine},title=could not be checked::nothing in it is known"


def test_what_agrees_is_not_annotated_and_what_moved_is(mine: Path) -> None:
    assert list(lines(results.agreeing(), str(mine))) == []
    assert list(lines(results.agreeing(), "a.py", ["moved"])) == [
        "::error file=a.py,title=moved against the baseline::moved"
    ]
    (at,) = lines(results.agreeing(), str(mine), ["moved"])
    assert at == f"::error file={mine},line=8,title=moved against the baseline::moved"


def test_a_sentence_cannot_end_the_command_or_start_another() -> None:
    said = error("50%\n::error::forged\r", "a,b:c.py", 3)
    assert said == "::error file=a%2Cb%3Ac.py,line=3::50%25%0A::error::forged%0D"


def test_only_a_workflow_is_annotated() -> None:
    assert wanted({"GITHUB_ACTIONS": "true"})
    assert not wanted({})


def test_the_command_annotates_the_line_that_raised(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert run.main(["check", str(mine), "--out", str(tmp_path / "out"), "--no-plots"]) == 2
    assert f"::error file={mine},line=9," in capsys.readouterr().out
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert run.main(["check", str(mine), "--out", str(tmp_path / "out"), "--no-plots"]) == 2
    assert "::error" not in capsys.readouterr().out


def test_what_a_file_imports_has_the_line_of_the_import(mine: Path) -> None:
    mine.write_text("import torch\nfrom norm import layer_norm as manual\nreference = None\n")
    assert f"file={mine},line=2," in annotation(results.disagreeing(), str(mine))


KERNELS = """\
class Other:
    def backward(self, dy):
        return dy


class Norm:
    def backward(self, dy):
        return dy


def forward(x):
    return x


def layer_norm(inputs, dy):
    return inputs["x"], {}
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("from norm import layer_norm as manual\n", 15),
        ("from norm import Norm\nmanual = Norm()\n", 7),
        ("import norm as n\nmanual = (n.forward, n.layer_norm)\n", 15),
        ("import norm\nmanual = norm.Norm()\n", 7),
    ],
)
def test_what_is_written_in_a_file_beside_has_its_line_there(
    mine: Path, text: str, line: int
) -> None:
    beside = mine.with_name("norm.py")
    mine.write_text(f"{text}reference = inputs = None\n", encoding="utf-8")
    assert f"file={mine},line=" in annotation(results.disagreeing(), str(mine)) or "as n" in text
    beside.write_text(KERNELS, encoding="utf-8")
    assert f"file={beside},line={line}," in annotation(results.disagreeing(), str(mine))


def test_of_two_classes_in_one_file_the_one_that_is_manual_has_its_line(mine: Path) -> None:
    mine.write_text(f"{KERNELS}\nmanual = Norm()\nreference = inputs = None\n", encoding="utf-8")
    assert f"file={mine},line=7," in annotation(results.disagreeing(), str(mine))


def test_a_weight_of_that_name_is_not_what_was_judged(mine: Path) -> None:
    mine.write_text(f"w1 = 0\n{CODE}", encoding="utf-8")  # a finding of a network is about its w1
    assert f"file={mine},line=9," in annotation(results.disagreeing(), str(mine))


def test_files_that_import_from_each_other_end_the_search(mine: Path) -> None:
    mine.with_name("norm.py").write_text("from mine import manual\n", encoding="utf-8")
    mine.write_text("from norm import manual\n", encoding="utf-8")
    assert ",line=1," in annotation(results.disagreeing(), str(mine))


def test_code_beside_that_raised_is_shown_in_its_own_file(mine: Path) -> None:
    ended = replace(results.interrupted(), interrupted=False, failure="raised at norm.py, line 3")
    assert f"file={mine},line=8," in annotation(ended, str(mine))  # no such file beside
    mine.with_name("norm.py").write_text(KERNELS, encoding="utf-8")
    assert f"file={mine.with_name('norm.py')},line=3," in annotation(ended, str(mine))


class Layer:
    def backward(self) -> None:
        """As a layer has it."""


@pytest.mark.parametrize("code", [Layer.backward, (len, Layer.backward), Layer()])
def test_code_in_hand_is_shown_where_it_is_written(
    code: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    line = Layer.backward.__code__.co_firstlineno
    said = of_code(results.disagreeing(), code)
    assert said.startswith(f"::error file=test_annotations.py,line={line},title=wrong gradient::")
    assert of_code(results.disagreeing(), len).startswith("::error title=wrong gradient::")

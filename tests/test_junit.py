"""What a build server reads: JUnit XML and the Markdown of a workflow page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.command.main import main
from compare.contracts.errors import BadInput
from compare.contracts.result import CheckSummary, Finding, Result, Verdict
from compare.report import junit, summary
from tests import results

pytestmark = pytest.mark.slow

ENDINGS: dict[str, Callable[[], Result]] = {
    "agreeing": results.agreeing,
    "kinks": results.with_kinks,
    "weak": results.with_weak_points,
    "disagreeing": results.disagreeing,
    "not finite": results.non_finite,
    "undecidable": results.undecidable,
    "interrupted": results.interrupted,
    "control failed": results.control_failed,
}


def read(result: Result) -> ElementTree.Element:
    return ElementTree.fromstring(junit.render(result))


def outcomes(element: ElementTree.Element, kind: str) -> list[str]:
    return [
        case.get("name", "") for case in element.iter("testcase") if case.find(kind) is not None
    ]


@pytest.mark.parametrize("ending", ENDINGS)
def test_counts_are_those_of_the_cases(ending: str) -> None:
    root = read(ENDINGS[ending]())
    for element in (root, *root.findall("testsuite")):
        assert element.get("tests") == str(len(list(element.iter("testcase"))))
        assert element.get("failures") == str(len(outcomes(element, "failure")))
        assert element.get("errors") == str(len(outcomes(element, "error")))
        assert element.get("skipped") == str(len(outcomes(element, "skipped")))


@pytest.mark.parametrize("ending", ENDINGS)
def test_all_green_is_exit_code_zero_and_nothing_else(ending: str) -> None:
    result = ENDINGS[ending]()
    root = read(result)
    green = not (outcomes(root, "failure") or outcomes(root, "error"))
    assert green == (result.exit_code == 0)


@pytest.mark.parametrize("ending", ENDINGS)
def test_case_names_are_unique_within_their_class(ending: str) -> None:
    cases = [
        (case.get("classname"), case.get("name"))
        for case in read(ENDINGS[ending]()).iter("testcase")
    ]
    assert len(cases) == len(set(cases))


def test_there_is_a_case_per_check_and_tensor() -> None:
    result = results.agreeing()
    root = read(result)
    names = {
        suite.get("name"): [case.get("name") for case in suite.iter("testcase")] for suite in root
    }
    assert set(names) == {"same_point", "step", "free_run", "verdict"}
    assert {"loss", "dw1", "db1", "dw2", "db2"} <= set(names["same_point"])
    assert {"w1", "b1", "v_w1", "v_b1", "w2"} <= set(names["step"])
    assert set(result.worst) <= {name for suite in names.values() for name in suite}


def test_a_wrong_tensor_fails_with_its_place_and_both_values() -> None:
    result = results.disagreeing()
    bad = result.worst["dw1"]
    (case,) = [case for case in read(result).iter("testcase") if case.get("name") == "dw1"]
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message", "").startswith(f"dw1{list(bad.index)} is ")
    assert failure.text == f"manual {bad.manual!r}, reference {bad.reference!r}"


def test_a_finding_without_a_tensor_fails_a_case_of_its_own() -> None:
    finding = Finding("structure", "gradients", "there is no gradient for b2")
    root = read(replace(results.disagreeing(), findings=(finding,), worst={}))
    (suite,) = [suite for suite in root if suite.get("name") == "structure"]
    assert outcomes(suite, "failure") == ["first finding, manual, stage gradients"]


def test_a_check_that_was_never_made_is_skipped_and_says_why() -> None:
    honest = results.agreeing()
    step = replace(honest.checks[1], made=0, sentence="no learning rate was given")
    root = read(replace(honest, checks=(honest.checks[0], step)))
    (skipped,) = [case for case in root.iter("testcase") if case.find("skipped") is not None]
    assert skipped.get("classname") == "compare.step"
    element = skipped.find("skipped")
    assert element is not None
    assert element.get("message") == "no learning rate was given"


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
def test_any_string_a_user_can_hand_over_is_read_back_or_written_as_its_code(name: str) -> None:
    finding = Finding("step", name, name, parameter=name)
    root = read(replace(results.disagreeing(), findings=(finding,), settings={name: name}))
    messages = [failure.get("message") for failure in root.iter("failure")]
    assert junit.legal(name) in messages


@pytest.mark.parametrize(
    ("hostile", "written"),
    [("\x1b[31m", "\\x1b[31m"), ("\x00", "\\x00"), ("\ud800", "\\ud800"), ("a<b>&\"'", "a<b>&\"'")],
)
def test_what_xml_cannot_hold_is_written_as_its_code(hostile: str, written: str) -> None:
    assert junit.legal(hostile) == written


def test_file_is_written_whole(tmp_path: Path) -> None:
    path = junit.write(results.agreeing(), tmp_path / "new" / "junit.xml")
    assert path.read_text(encoding="utf-8").startswith("<?xml version='1.0' encoding='UTF-8'?>")
    ElementTree.parse(path)


def test_summary_is_appended_where_the_variable_says(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n", encoding="utf-8")
    assert summary.append(results.agreeing(), {summary.VARIABLE: str(path)}) == path
    written = path.read_text(encoding="utf-8")
    assert written.startswith("before\n## ✅ agrees: both sides are the same computation")
    assert "| same point | agrees | 201 | 0.280 |" in written


def test_without_the_variable_nothing_is_written() -> None:
    assert summary.append(results.agreeing(), {}) is None


def test_a_summary_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\$GITHUB_STEP_SUMMARY: .* cannot be written"):
        summary.append(results.agreeing(), {summary.VARIABLE: str(tmp_path)})


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_row_of_a_table_has_as_many_cells_as_its_head(ending: str) -> None:
    rows = [line for line in summary.markdown(ENDINGS[ending]()).splitlines() if line[:1] == "|"]
    assert {row.count("|") for row in rows} <= {5, 6}


def test_what_users_wrote_does_not_become_markdown() -> None:
    hostile = "a | b\n# <img src=x> `code` [link](x) \x1b"
    written = summary.markdown(replace(results.disagreeing(), sentence=hostile, notes=(hostile,)))
    assert "\\<img src=x\\>" in written
    assert "a \\| b" in written
    assert "\n# " not in written
    assert "\x1b" not in written


def test_summary_counts_what_it_leaves_out() -> None:
    findings = tuple(Finding("step", f"stage {n}", "differs") for n in range(25))
    assert "- and 5 more" in summary.markdown(replace(results.disagreeing(), findings=findings))


@pytest.mark.parametrize(
    ("verdict", "made", "outcome"),
    [
        (Verdict.AGREES, 3, ""),
        (Verdict.DISAGREES, 3, "failure"),
        (Verdict.UNDECIDABLE, 3, "error"),
        (Verdict.UNDECIDABLE, 0, "skipped"),
    ],
)
def test_no_check_that_was_made_and_decided_nothing_is_green(
    verdict: Verdict, made: int, outcome: str
) -> None:
    assert junit.outcome_of(CheckSummary("step", verdict, made, 0.0, "said")) == outcome


WORDLESS = {
    "syntax error": "def relu(z:\n",
    "import error": "import nothing_of_that_name\nfrom manual_mlp import loss_and_gradients\n",
    "nothing found": "x = 1\n",
    "hang": "def loss_and_gradients(parameters, x, targets):\n    while True:\n        pass\n",
}


@pytest.mark.parametrize("case", WORDLESS)
def test_what_could_not_be_checked_leaves_a_file_too(case: str, tmp_path: Path) -> None:
    mine, out = tmp_path / "mine.py", tmp_path / "gradients.xml"
    mine.write_text(WORDLESS[case], encoding="utf-8")
    arguments = ["check", str(mine), "--junit", str(out), "--out", str(tmp_path / "report")]
    code = main([*arguments, "--timeout", "1", "--no-plots", "--quiet"])
    assert code in (2, 3)
    root = ElementTree.fromstring(out.read_text(encoding="utf-8"))
    assert outcomes(root, "error") == ["verdict"]


@pytest.mark.parametrize("name", ["mine.py", "kept.json"])
def test_a_file_of_somebodys_is_not_replaced_by_what_failed(name: str, tmp_path: Path) -> None:
    there = tmp_path / name
    there.write_text("theirs", encoding="utf-8")
    assert main(["--baseline", str(there), "--junit", str(there), "--quiet"]) == 2
    assert there.read_text(encoding="utf-8") == "theirs"

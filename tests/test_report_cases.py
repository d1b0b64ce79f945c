"""The report's sections 1.1 to 1.3 as derived there: every slip found, nothing right accused."""

from pathlib import Path

import pytest

from compare.handbook.report_cases import CASES, markdown

PAGE = Path(__file__).resolve().parent.parent / "docs" / "report.md"
SLIPS = {
    "1.1.4": "epsilon-in-log",
    "1.1.5, the loss": "minus-missing-in-loss",
    "1.1.5, the derivation": "diagonal-jacobian",
    "1.1.5, the code": "gradient-summed",
    "1.1.5, the code, called as its arguments are named": "softmax-left-out-of-gradient",
    "1.2.1": "one-minus-target",
    "1.2.2": "bias-not-summed",
    "1.2.4": "one-minus-target + own-weights-in-backward",
    "1.3.1, the loop as printed": "update-after-loop",
    "1.3.1, the loop as meant": "validation-weights-trained",
}
RIGHT = {"1.1.1", "1.1.2", "1.1.3", "1.2.3", "1.3.1, the update"}
BY_SECTION = {case.section: case for case in CASES}


def test_every_case_is_either_a_slip_or_right() -> None:
    assert BY_SECTION.keys() == SLIPS.keys() | RIGHT


@pytest.mark.slow
@pytest.mark.parametrize("section", SLIPS)
def test_the_slip_is_the_only_thing_named_in(section: str) -> None:
    found = BY_SECTION[section].found
    assert [(diagnosis.mistake, diagnosis.also) for diagnosis in found] == [(SLIPS[section], ())]


def test_the_size_of_the_epsilon_is_recovered() -> None:
    (found,) = BY_SECTION["1.1.4"].found
    assert found.constant == 1e-5


@pytest.mark.parametrize("section", sorted(RIGHT))
def test_nothing_is_named_in(section: str) -> None:
    assert BY_SECTION[section].found == ()


def test_the_page_of_the_report_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), (
        "docs/report.md is not what the code says: "
        "python -m compare.handbook.report_cases --markdown > docs/report.md"
    )

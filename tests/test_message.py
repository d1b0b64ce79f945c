"""The failure message of tests: one screen that says first where, with both values."""

from dataclasses import replace

import pytest

from compare.contracts.result import Disagreement
from compare.report.message import COLUMNS, LINES, one_screen
from tests import results


def test_a_disagreement_is_told_from_verdict_to_mistake() -> None:
    lines = one_screen(results.disagreeing(epoch=3)).splitlines()
    assert lines[0].startswith("disagrees (derivative): dw1[17, 44] = 5.39")
    assert lines[2:9] == [
        "  check     same point, epoch 3, update 3",
        "  stage     dw1 (manual side)",
        "  parameter w1[17, 44]",
        "  manual    5.391099448",
        "  reference 0.003751634967",
        "  error     > 1e+15 × allowance",
        "  who       the manual gradient is not the derivative of the manual loss",
    ]
    assert lines[9].startswith("  referee   slope 1: the gradient does not belong to the loss")
    assert lines[10].startswith("  mistake   missing-batch-mean: the gradient is summed")


def test_values_that_are_not_finite_are_shown_as_they_are() -> None:
    text = one_screen(results.non_finite())
    assert "manual    nan" in text
    assert "error     inf × allowance" in text


def test_a_wrong_reference_is_not_blamed_on_the_manual_side() -> None:
    result = results.disagreeing()
    finding = replace(result.findings[0], check="step", stage="update", side="reference")
    text = one_screen(replace(result, kind="update", findings=(finding,)))
    assert "stage     update (reference side)" in text
    assert "the manual side is not accused" in text
    assert "the manual optimiser" not in text


def test_an_undecidable_result_says_why() -> None:
    text = one_screen(results.undecidable())
    assert text.startswith("undecidable: ")
    assert "the reference is not finite" in text.splitlines()[-1]


def test_a_failed_control_comes_first() -> None:
    assert one_screen(results.control_failed()).startswith("internal error: the self-test failed")


def test_explanations_that_no_probe_told_apart_are_all_named() -> None:
    result = results.disagreeing()
    diagnosis = replace(result.diagnosis[0], also=("twice-the-rate", "summed-rows"))
    text = one_screen(replace(result, diagnosis=(diagnosis,)))
    assert "or twice-the-rate, summed-rows" in " ".join(text.split())


def test_any_number_of_findings_fits_one_screen() -> None:
    result = results.disagreeing()
    more = tuple(replace(result.findings[0], message=f"finding {n}") for n in range(100))
    lines = one_screen(replace(result, findings=result.findings + more)).splitlines()
    assert len(lines) == LINES
    assert lines[-1].endswith("more lines of findings")
    assert max(map(len, lines)) <= COLUMNS


def test_the_message_is_that_of_the_exception() -> None:
    result = results.disagreeing()
    with pytest.raises(Disagreement) as caught:
        result.raise_for_disagreement()
    assert str(caught.value) == one_screen(result)

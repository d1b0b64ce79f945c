"""Single lines of the report: each says a thing once, and in numbers that mean something."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

import manual_mlp
from compare import check
from compare.contracts.measured import Worst
from compare.contracts.result import Diagnosis
from compare.report import words
from compare.report.plots.heatmap import quoted
from compare.report.words import diagnosis_line, two_entries
from tests import results


def test_a_rival_that_the_sentence_names_is_not_named_again() -> None:
    one = Diagnosis("a", "It is a. (b gives the same numbers here.)", 1e9, 0.1, also=("b", "c"))
    assert diagnosis_line(one).endswith("× allowance); or c")
    assert "; or" not in diagnosis_line(Diagnosis("a", one.sentence, 1e9, 0.1, also=("b",)))


@pytest.mark.parametrize("before", [1001.0, 2.5e153, math.inf, math.nan])
def test_no_absurd_ratio_stands_beside_a_named_mistake(before: float) -> None:
    line = diagnosis_line(Diagnosis("a", "It is a.", before, 0.038))
    assert line.endswith("the numbers match to 0.038, without it more than 1000 × allowance)")


def test_a_ratio_beside_a_named_mistake_is_said_to_come_from_where_it_was_tried() -> None:
    line = diagnosis_line(Diagnosis("a", "It is a.", 35.24, 0.1))
    assert line.endswith(
        "(with this mistake the numbers match to 0.1, without it 35.2 × allowance)"
    )


def test_the_entries_of_table_and_verdict_are_told_apart_where_they_are_two() -> None:
    result = results.disagreeing()
    assert two_entries(result) == ""
    later = replace(result.worst["dw1"], index=(1, 2), ratio=1e30)
    assert "the verdict that of the first wrong update" in two_entries(
        replace(result, worst={**result.worst, "dw1": later})
    )


def test_an_entry_that_is_not_a_number_is_still_one_entry() -> None:
    assert two_entries(results.non_finite()) == ""


def test_a_verdict_on_a_stage_that_the_table_does_not_show_needs_no_explanation() -> None:
    result = results.disagreeing()
    (finding,) = result.findings
    elsewhere = replace(finding, parameter=None, stage="z1", index=(3, 4))
    assert two_entries(replace(result, findings=(elsewhere,))) == ""


def test_a_whole_tensor_that_is_wrong_is_the_entry_of_its_projection() -> None:
    result = results.disagreeing()
    (finding,) = result.findings
    whole = Worst(0.1, 1e-12, 1e11, (), 1.1, 1.0)
    of_all = replace(finding, index=(), manual=1.1, reference=1.0, ratio=1e11)
    worst = {**result.worst, "dw1 projection": whole}
    assert two_entries(replace(result, findings=(of_all,), worst=worst)) == ""


def test_verdict_and_heat_map_of_a_check_quote_one_entry() -> None:
    def maskless(parameters: Any, x: Any, targets: Any) -> Any:
        loss, gradients = manual_mlp.loss_and_gradients(parameters, x, targets)
        logits = manual_mlp.forward(parameters, x)["logits"]
        dh1 = manual_mlp.grad_ce(targets, logits) @ parameters["w2"].T
        return loss, {**gradients, "w1": x.T @ dh1, "b1": dh1.sum(axis=0)}

    result = check(maskless)
    index = quoted(result, "dw1")
    assert index is not None and f"dw1{list(index)} = " in result.sentence
    assert result.worst["dw1"].index != index
    assert "the verdict that of the first wrong point" in two_entries(result)


def test_the_file_that_was_checked_begins_the_line_of_settings() -> None:
    digits = {"data": "digits", "dtype": "float64", "epochs": 3}
    assert words.settings_line(digits | {"manual": "mine.py"}).startswith("mine.py · digits · ")
    assert words.settings_line(digits | {"manual": "manual_mlp"}).startswith("digits · ")
    starter = {"mode": "starter", "data": "ada.py", "dtype": "float64"}
    assert words.settings_line(starter) == "ada.py · float64"


@pytest.mark.parametrize("kind", ["value", "non-finite"])
def test_a_kind_is_told_in_words(kind: str) -> None:
    assert len(words.kind_of(kind).split()) > 4

"""Single lines of the report: each says a thing once, and in numbers that mean something."""

from __future__ import annotations

import math

import pytest

from compare.report.words import diagnosis_line
from compare.result import Diagnosis


def test_a_rival_that_the_sentence_names_is_not_named_again() -> None:
    one = Diagnosis("a", "It is a. (b gives the same numbers here.)", 1e9, 0.1, also=("b", "c"))
    assert diagnosis_line(one).endswith("× allowance); or c")
    assert "; or" not in diagnosis_line(Diagnosis("a", one.sentence, 1e9, 0.1, also=("b",)))


@pytest.mark.parametrize("before", [1001.0, 2.5e153, math.inf, math.nan])
def test_no_absurd_ratio_stands_beside_a_named_mistake(before: float) -> None:
    line = diagnosis_line(Diagnosis("a", "It is a.", before, 0.038))
    assert line.endswith("with it 0.038, without it more than 1000 × allowance)")


def test_a_ratio_beside_a_named_mistake_is_said_to_come_from_where_it_was_tried() -> None:
    line = diagnosis_line(Diagnosis("a", "It is a.", 35.24, 0.1))
    assert line.endswith("(where it was tried: with it 0.1, without it 35.2 × allowance)")

"""Single lines of the report: each says a thing once."""

from __future__ import annotations

from compare.report.words import diagnosis_line
from compare.result import Diagnosis


def test_a_rival_that_the_sentence_names_is_not_named_again() -> None:
    one = Diagnosis("a", "It is a. (b gives the same numbers here.)", 1e9, 0.1, also=("b", "c"))
    assert diagnosis_line(one).endswith("× allowance); or c")
    assert "; or" not in diagnosis_line(Diagnosis("a", one.sentence, 1e9, 0.1, also=("b",)))

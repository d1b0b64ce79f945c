"""Two numbers that differ are written so that a reader sees it, in sentences, tables, notebooks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compare.contracts.digits import two_values
from compare.contracts.measured import Worst
from compare.examine.starter.function_verdict import is_where
from compare.report import words
from compare.report.message import one_screen
from compare.report.notebook import notebook_html
from compare.report.terminal import cells
from tests import results

ONE, OTHER = 0.123456789012345, 0.123456789012389
"""They differ in the fourteenth digit."""


def entry(ratio: float, other: float = OTHER) -> Worst:
    return Worst(abs(ONE - other), 1e-16, ratio, (2, 1), ONE, other)


@pytest.mark.parametrize("form", ["g", "e"])
@pytest.mark.parametrize(("one", "other"), [(ONE, OTHER), (1.0, 1.0 + 2**-52), (5e-324, 1e-323)])
def test_numbers_that_differ_are_written_differently(form: str, one: float, other: float) -> None:
    written = two_values(one, other, 7, form)
    assert written[0] != written[1]
    assert two_values(one, one, 7, form) == (f"{one:.7{form}}",) * 2


def test_a_table_shows_what_is_wrong_and_spares_the_reader_the_digits_of_rounding() -> None:
    *_, manual, reference = cells("dw1", entry(440.0), wide=True)
    assert manual != reference
    *_, manual, reference = cells("dw1", entry(0.4), wide=True)
    assert manual == reference == "1.2345679e-01"
    assert words.both(entry(440.0)) == ("0.1234567890123", "0.1234567890124")


def test_sentences_about_functions_and_the_screen_of_a_test_show_it_too() -> None:
    assert is_where(entry(440.0)).startswith("is 0.1234567890123, where 0.1234567890124 is right")
    result = results.disagreeing()
    first = replace(result.findings[0], manual=ONE, reference=OTHER)
    screen = one_screen(replace(result, findings=(first,)))
    assert "0.1234567890123" in screen and "0.1234567890124" in screen


@pytest.mark.slow
def test_a_notebook_shows_it_too() -> None:
    result = replace(results.disagreeing(), worst={"dw1": entry(440.0), "db1": entry(0.4)})
    text = notebook_html(result)
    assert "<td>0.1234567890123</td><td>0.1234567890124</td>" in text
    assert "<td>0.1234568</td><td>0.1234568</td>" in text

"""A constant that is the rate at which code is read is said as that, and any other as a number."""

from __future__ import annotations

import pytest

from compare.diagnosis.answer import in_rates

SENTENCE = "updated already (by {constant:.3g} times their gradient)"


@pytest.mark.parametrize(
    ("constant", "words"),
    [
        (2.0**40, "by the learning rate times"),
        (2.0**40 / 16, "by 0.0625 × the rate times"),
        (0.05, "by 0.05 times"),
        (1e6, "by 1e+06 times"),
    ],
)
def test_a_rate_that_nobody_wrote_is_no_number(constant: float, words: str) -> None:
    assert words in SENTENCE.format(constant=in_rates(constant))

"""A gradient that is divided by the batch size is wrong for a last batch with fewer rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked, of_wrong_twin
from tests.test_class_loss import FIT
from tests.test_cut import changed

NOMINAL = ("(p - yb) / len(xb)", "(p - yb) / batch_size")
FULL_ONLY = {
    "full batches only": ("range(0, n, batch_size)", "range(0, n - batch_size + 1, batch_size)"),
    "a number of full batches": (
        "for start in range(0, n, batch_size)",
        "for start in batch_size * np.arange(max(n // batch_size, 1))",
    ),
}


@pytest.mark.slow
def test_the_nominal_batch_size_is_wrong_for_a_shorter_batch(tmp_path: Path) -> None:
    wrong = of_wrong_twin(tmp_path, FIT, *NOMINAL)
    assert [one.mistake for one in wrong.diagnosis] == ["gradient-divided-by-data-set"]
    assert "batch_size" in wrong.sentence


@pytest.mark.slow
@pytest.mark.parametrize("how", FULL_ONLY)
def test_it_is_right_where_every_batch_is_full(how: str, tmp_path: Path) -> None:
    result = checked(tmp_path, changed(FIT, NOMINAL, FULL_ONLY[how]))
    assert result.verdict is Verdict.AGREES, result.sentence

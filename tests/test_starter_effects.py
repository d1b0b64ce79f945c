"""A function that writes into its argument, or gives dL/dp, is said to do that and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare import Verdict
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result
from tests.hand_ins import checked

LOSS = """import numpy as np
def CE(target, prediction):
    return -np.sum(target * np.log(prediction)) / target.shape[0]
"""
IN_PLACE = """def gradCE(target, prediction):
    prediction -= target
    return prediction / target.shape[0]
"""
AT_P = """def gradCE(target, prediction):
    return -(target / prediction) / target.shape[0]
"""


@pytest.mark.parametrize("loss", [LOSS, "import numpy as np\n"])
@pytest.mark.parametrize(
    ("gradient", "words"),
    [(IN_PLACE, "it modifies its argument prediction"), (AT_P, "it is dL/dp")],
)
def test_a_mean_is_not_blamed_beside_another_finding(
    tmp_path: Path, loss: str, gradient: str, words: str
) -> None:
    result = checked(tmp_path, loss + gradient)
    assert result.verdict is Verdict.DISAGREES and words in result.sentence
    assert not result.diagnosis


def test_a_mean_is_named_where_a_sum_was_declared(tmp_path: Path) -> None:
    averaged = IN_PLACE.replace("prediction -= target", "prediction = prediction - target")
    (tmp_path / "mine.py").write_text(LOSS + averaged)
    result = starter_result(check_starter(tmp_path / "mine.py", reduction="sum"))
    assert {one.mistake for one in result.diagnosis} == {"averaged-not-summed"}

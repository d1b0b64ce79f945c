"""A gradient that an update reduces to one number is no gradient any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

TEXT = """import numpy as np
def update(params, grads, lr):
    for k in params:
        params[k] -= lr * {taken}
    return params
"""


@pytest.mark.parametrize("taken", ["grads[k].mean()", "np.sum(grads[k])", "np.mean(grads[k])"])
def test_a_gradient_that_is_made_one_number_does_not_agree(tmp_path: Path, taken: str) -> None:
    found = checked(tmp_path, TEXT.format(taken=taken))
    assert found.verdict is Verdict.UNDECIDABLE
    assert any("one number" in one.sentence for one in found.checks), found.checks


@pytest.mark.parametrize("taken", ["grads[k]", "np.mean(grads[k], axis=0)", "grads[k].sum(axis=0)"])
def test_one_that_is_added_up_over_rows_does(tmp_path: Path, taken: str) -> None:
    assert checked(tmp_path, TEXT.format(taken=taken)).verdict is Verdict.AGREES


def test_a_bias_may_take_the_sum_of_what_its_unit_is_wrong_by(tmp_path: Path) -> None:
    text = "import numpy as np\ndef step(w, b, dw, dz, lr):\n    w = w - lr * dw\n"
    found = checked(tmp_path, text + "    b = b - lr * np.sum(dz)\n    return w, b\n")
    assert found.verdict is Verdict.AGREES, found.sentence

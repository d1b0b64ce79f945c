"""A loss that a script only prints says what its gradients have to be of."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

pytestmark = pytest.mark.slow

SCRIPT = """import numpy as np

def bend(v, slope=False):
    return v * (1 - v) if slope else 1 / (1 + np.exp(-v))

inputs = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 1], [1, 0, 0]])
targets = np.array([[1], [1], [0], [0], [1]])
rate = 0.5
np.random.seed(3)
con0 = np.random.uniform(-1, 1, (3, 6))
con1 = np.random.uniform(-1, 1, (6, 1))

for turn in range(900):
    mid = bend(inputs.dot(con0))
    top = bend(mid.dot(con1))
    miss = targets - top
    if turn % 100 == 0:
        print(f"turn {turn}: {np.sum(miss ** 2) / 2:.4f}")
    top_part = miss * bend(top, slope=True)
    mid_part = top_part.dot(con1.T) * bend(mid, slope=True)
    con1 += rate * mid.T.dot(top_part)
    con0 += rate * inputs.T.dot(mid_part)
"""


def checked(old: str, new: str, tmp_path: Path) -> Verdict:
    assert not old or SCRIPT.count(old) == 1
    path = tmp_path / "mine.py"
    path.write_text(SCRIPT.replace(old, new) if old else SCRIPT)
    return starter_result(check_starter(path)).verdict


def test_a_right_script_agrees_with_the_loss_it_prints(tmp_path: Path) -> None:
    assert checked("", "", tmp_path) is Verdict.AGREES


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("top_part.dot(con1.T) * bend(mid, slope=True)", "top_part.dot(con1.T)"),
        ("con0 += rate", "con0 -= rate"),
        ("top_part = miss * bend(top, slope=True)", "top_part = miss"),
        ("np.sum(miss ** 2) / 2", "np.mean(miss ** 2)"),
        ("np.sum(miss ** 2) / 2", "np.sum(miss ** 2)"),
    ],
)
def test_a_script_with_the_gradient_of_another_loss_does_not(
    old: str, new: str, tmp_path: Path
) -> None:
    assert checked(old, new, tmp_path) is not Verdict.AGREES


def test_weights_stepped_too_early_are_named(tmp_path: Path) -> None:
    step = "    con1 += rate * mid.T.dot(top_part)\n"
    early = "    mid_part = top_part"
    path = tmp_path / "mine.py"
    path.write_text(SCRIPT.replace(step, "").replace(early, step + early))
    assert starter_result(check_starter(path)).verdict is Verdict.DISAGREES

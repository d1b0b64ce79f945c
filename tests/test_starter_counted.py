"""A loop that makes one-hot rows takes 1 off each class number: they are numbers from 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_training_rehearsed import judged

pytestmark = pytest.mark.slow

COUNTED = """import numpy as np
def costs(theta, n_in, n_hid, n_out, X, y):
    cut = n_hid * (n_in + 1)
    A = theta[:cut].reshape(n_hid, n_in + 1)
    B = theta[cut:].reshape(n_out, n_hid + 1)
    N = len(X)
    T = np.zeros((N, n_out))
    for row in range(N):
        T[row, int(y[row]) - 1] = 1
    one = np.ones((N, 1))
    a1 = np.hstack([one, X])
    h = 1 / (1 + np.exp(-a1 @ A.T))
    a2 = np.hstack([one, h])
    p = 1 / (1 + np.exp(-a2 @ B.T))
    cost = -np.sum(T * np.log(p) + (1 - T) * np.log(1 - p)) / N
    d = (p - T) / N
    e = (d @ B[:, 1:]) * h * (1 - h)
    return cost, np.concatenate([(e.T @ a1).ravel(), (d.T @ a2).ravel()])
"""


def test_numbers_from_1_are_told_by_the_1_that_is_taken_off(tmp_path: Path) -> None:
    result = judged(tmp_path, COUNTED)
    assert result.exit_code == 0, result.sentence


WRONG = {
    "one per cent": ("d = (p - T) / N", "d = 1.01 * (p - T) / N"),
    "two off": ("int(y[row]) - 1", "int(y[row]) - 2"),
    "a lost slope": (" * h * (1 - h)", " * h"),
    "other targets in the gradient": ("d = (p - T)", "d = (p - np.roll(T, 1, axis=1))"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_gradients_are_not_called_right_by_the_numbering(kind: str, tmp_path: Path) -> None:
    assert judged(tmp_path, COUNTED, WRONG[kind]).exit_code != 0

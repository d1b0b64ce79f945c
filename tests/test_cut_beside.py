"""Gradients that stand beside a training loop are compared as well, or named as not compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

pytestmark = pytest.mark.slow

SCRIPT = """import numpy as np

table = np.genfromtxt("wine.csv", delimiter=";")
X, T = table[:, 3:] / 4, table[:, :3]
Wa = np.random.randn(X.shape[1], 8) * 0.2
ba = np.zeros(8)
Wb = np.random.randn(8, 3) * 0.2
bb = np.zeros(3)

# by hand, once
S = X @ Wa + ba
R = S * (S > 0)
E = np.exp(R @ Wb + bb)
P = E / E.sum(1)[:, None]
G = (P - T) / len(X)
dWb = R.T @ G
dbb = G.sum(0)
D = (G @ Wb.T) * (S > 0)
dWa = X.T @ D
dba = D.sum(0)
print(abs(dWa).max())

for turn in range(50):
    S = X @ Wa + ba
    R = S * (S > 0)
    E = np.exp(R @ Wb + bb)
    P = E / E.sum(1)[:, None]
    G = (P - T) / len(X)
    dWb = R.T @ G
    dbb = G.sum(0)
    D = (G @ Wb.T) * (S > 0)
    dWa = X.T @ D
    dba = D.sum(0)
    Wa -= 0.3 * dWa
    ba -= 0.3 * dba
    Wb -= 0.3 * dWb
    bb -= 0.3 * dbb
"""


def test_what_the_loop_does_too_is_compared_with_it(tmp_path: Path) -> None:
    assert checked(tmp_path, SCRIPT).verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("old", "new"),
    [("dWb = R.T @ G", "dWb = S.T @ G"), ("dWa = X.T @ D", "dWa = X.T @ (D * 2)")],
)
def test_what_it_does_not_is_named(tmp_path: Path, old: str, new: str) -> None:
    assert SCRIPT.count(old) == 2
    result = checked(tmp_path, SCRIPT.replace(old, new, 1))
    assert result.verdict is Verdict.UNDECIDABLE
    assert "what stands beside it" in result.sentence


BESIDE = """
check_Wb = R.T @ ((P - T) / len(X))
print(abs(check_Wb - dWb).max())
w = np.zeros((X.shape[1], 1))
dw = X.T @ (X @ w - X[:, :1]) / len(X)
w = w - 0.1 * dw
"""


@pytest.mark.parametrize(
    ("old", "new", "agrees"),
    [("", "", True), ("check_Wb", "dWb_check", True), (" dWb = R.T @ G", " dWb = S.T @ G", False)],
)
def test_what_has_other_names_than_the_gradients_of_the_loop_is_none_of_its_network(
    tmp_path: Path, old: str, new: str, agrees: bool
) -> None:
    assert old in SCRIPT + BESIDE
    result = checked(tmp_path, (SCRIPT + BESIDE).replace(old, new))
    assert (result.verdict is Verdict.AGREES) is agrees, result.sentence

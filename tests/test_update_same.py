"""An update in a loop over layers takes off what belongs to each layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

LAYERED = """import numpy as np
def forward(P, X):
    A = {0: X}
    for l in (1, 2):
        Z = A[l - 1] @ P["W" + str(l)] + P["b" + str(l)]
        A[l] = np.tanh(Z) if l < 2 else np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    return A
def backward(P, X, Y):
    A = forward(P, X)
    d, G = (A[2] - Y) / len(Y), {}
    for l in (2, 1):
        G["W" + str(l)], G["b" + str(l)] = A[l - 1].T @ d, d.sum(axis=0)
        d = (d @ P["W" + str(l)].T) * (1 - A[l - 1] ** 2)
    return G
def update(P, G, L, rate):
    for l in range(1, L + 1):
        P["W" + str(l)] -= rate * G["W" + str(l)]
        P["b" + str(l)] -= rate * G["b" + str(l)]
"""


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ['G["b" + str(L)]', 'G["b1"].mean()'])
def test_one_gradient_for_all_layers_is_undecided(tmp_path: Path, wrong: str) -> None:
    assert checked(tmp_path, LAYERED).verdict is Verdict.AGREES
    result = checked(tmp_path, LAYERED.replace('rate * G["b" + str(l)]', f"rate * {wrong}"))
    assert result.verdict is Verdict.UNDECIDABLE, result.sentence
    assert any("is the same for every l" in one for one in result.not_compared)

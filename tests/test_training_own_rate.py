"""The rate in the name of a mistake is the one of the training, not the one it is run at."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

FIT = """import numpy as np

class Classifier:
    def __init__(self, units=24, step=0.02):
        self.units, self.eta = units, step

    def train(self, X, y, epochs=30):
        Y = np.eye(y.max() + 1)[y]
        rng = np.random.default_rng(5)
        self.U = rng.normal(0, 0.1, (X.shape[1], self.units))
        self.c = np.zeros(self.units)
        self.V = rng.normal(0, 0.1, (self.units, Y.shape[1]))
        self.d = np.zeros(Y.shape[1])
        for _ in range(epochs):
            A = X.dot(self.U) + self.c
            H = np.where(A > 0, A, 0.0)
            Q = np.exp(H.dot(self.V) + self.d)
            Q = Q / Q.sum(axis=1, keepdims=True)
            E = (Q - Y) / X.shape[0]
            back = E.dot(self.V.T) * (A > 0)
            self.V = self.V - self.eta * H.T.dot(E)
            self.d = self.d - self.eta * E.sum(axis=0)
            self.U = self.U - self.eta * X.T.dot(back)
            self.c = self.c - self.eta * back.sum(axis=0)
"""
BACK = "            back = E.dot(self.V.T) * (A > 0)\n"
STEPPED = "            self.d = self.d - self.eta * E.sum(axis=0)\n"


@pytest.mark.slow
@pytest.mark.parametrize("rate", ["0.3", "0.7"])
def test_weights_that_are_stepped_too_early_are_said_with_their_own_rate(
    tmp_path: Path, rate: str
) -> None:
    text = FIT.replace("step=0.02", f"step={rate}")
    assert checked(tmp_path, text).verdict is not Verdict.DISAGREES
    late = text.replace(BACK, "").replace(STEPPED, STEPPED + BACK)
    result = checked(tmp_path, late)
    assert result.verdict is Verdict.DISAGREES, result.sentence
    (named,) = result.diagnosis
    assert named.mistake == "weights-stepped-too-early"
    assert f"by {rate} times their gradient" in named.sentence

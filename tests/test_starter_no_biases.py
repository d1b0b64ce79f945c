"""Classes whose layers have no biases, trained in place one sample at a time, targets and all."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked, of_wrong_twin

pytestmark = pytest.mark.slow

NET = """
import numpy as np
class Perceptrons:
    def __init__(self, inputs, hidden, outputs, eta):
        self.U = np.random.normal(0, 0.3, (hidden, inputs))
        self.V = np.random.normal(0, 0.3, (outputs, hidden))
        self.eta = eta
    def squash(self, s):
        return 1 / (1 + np.exp(-s))
    def learn(self, x, t):
        x, t = np.array(x, ndmin=2).T, np.array(t, ndmin=2).T
        hid = self.squash(self.U @ x)
        out = self.squash(self.V @ hid)
        missed = t - out
        at_out = missed * out * (1 - out)
        at_hid = (self.V.T @ at_out) * hid * (1 - hid)
        self.V += self.eta * at_out @ hid.T
        self.U += self.eta * at_hid @ x.T
        return 0.5 * np.sum(missed ** 2)
rng = np.random.default_rng(2)
kinds = rng.integers(0, 4, 60)
samples = rng.normal(size=(60, 7)) + kinds[:, None]
machine = Perceptrons(7, 9, 4, 0.2)
for epoch in range(5):
    lost = 0.0
    for sample, kind in zip(samples, kinds):
        wanted = np.full(4, 0.05)
        wanted[kind] = 0.95
        lost += machine.learn(sample, wanted)
"""
WRONG = [
    ("missed * out * (1 - out)", "missed"),
    ("(self.V.T @ at_out) * hid * (1 - hid)", "(self.V.T @ missed) * hid * (1 - hid)"),
    ("self.U += self.eta", "self.U -= self.eta"),
    ("0.5 * np.sum(missed ** 2)", "0.5 * np.sum(missed)"),
    ("wanted[kind] = 0.95", "wanted[kind - 1] = 0.95"),
]


@pytest.mark.parametrize(("old", "new"), WRONG)
def test_a_class_without_biases_is_compared_with_a_network_without_them(
    old: str, new: str, tmp_path: Path
) -> None:
    of_wrong_twin(tmp_path, NET, old, new)


def test_class_numbers_from_one_are_meant_to_be_shifted(tmp_path: Path) -> None:
    text = NET.replace("rng.integers(0, 4, 60)", "rng.integers(1, 5, 60)")
    shifted = checked(tmp_path, text.replace("wanted[kind]", "wanted[kind - 1]"))
    assert shifted.verdict is Verdict.AGREES, shifted.sentence


def test_a_bias_that_is_one_number_is_not_left_out(tmp_path: Path) -> None:
    text = NET.replace("self.eta = eta", "self.eta, self.bias = eta, 0.0")
    text = text.replace("self.U @ x)", "self.U @ x + self.bias)")
    assert checked(tmp_path, text).verdict is Verdict.UNDECIDABLE

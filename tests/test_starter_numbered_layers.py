"""A network whose layers are called d1, d2: what lies in them are weights, and no gradients."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hand_ins import of_wrong_twin

NET = """
import numpy as np
class Fully:
    def __init__(self, fan_in, fan_out):
        self.weight, self.bias = np.random.randn(fan_in, fan_out), np.zeros(fan_out)
    def forward(self, x):
        self.x = x
        return x @ self.weight + self.bias
    def backward(self, d):
        self.dweight, self.dbias = self.x.T @ d, d.sum(axis=0)
        return d @ self.weight.T
class Classifier:
    def __init__(self, inputs, hidden, classes):
        self.d1, self.d2 = Fully(inputs, hidden), Fully(hidden, classes)
    def forward(self, x):
        self.hidden = np.maximum(self.d1.forward(x), 0)
        return self.d2.forward(self.hidden)
    def loss(self, x, t):
        z = self.forward(x)
        z = z - z.max(axis=1, keepdims=True)
        self.p, self.t = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), t
        return -np.mean(np.sum(t * (z - np.log(np.exp(z).sum(axis=1, keepdims=True))), axis=1))
    def backward(self):
        d = self.d2.backward((self.p - self.t) / len(self.t))
        self.d1.backward(d * (self.hidden > 0))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [(" * (self.hidden > 0)", ""), ("d.sum(axis=0)", "d.mean(axis=0)"), (" / len(self.t)", "")],
)
def test_layers_with_such_names_are_compared(old: str, new: str, tmp_path: Path) -> None:
    of_wrong_twin(tmp_path, NET, old, new)

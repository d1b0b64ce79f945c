"""An adaptive optimiser that is handed gradients nobody keeps, and defaults of numbers cast by a
short name: the training is run, and its batches are looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.source import open_source
from tests.hand_ins import checked, of_wrong_twin

pytestmark = pytest.mark.slow

NET = """
import numpy as np
single = np.float32
FLOOR = single(0.0)
def rectified(a, floor=single(0)):
    return np.maximum(a, floor)
def rectified_slope(a, floor=FLOOR):
    return np.where(a > floor, single(1), single(0))
class TwoLayers:
    def __init__(self, n_in, n_units, n_out):
        rng = np.random.RandomState(3)
        self.P = rng.normal(0, 0.3, (n_in, n_units)).astype(single)
        self.p = np.zeros(n_units, single)
        self.Q = rng.normal(0, 0.3, (n_units, n_out)).astype(single)
        self.q = np.zeros(n_out, single)
    def scores(self, x):
        self.x, self.a = x, x @ self.P + self.p
        self.h = rectified(self.a)
        return self.h @ self.Q + self.q
    def backward(self, scores, targets):
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        d = (e / e.sum(axis=1, keepdims=True) - targets) / single(len(targets))
        da = (d @ self.Q.T) * rectified_slope(self.a)
        return [self.x.T @ da, da.sum(axis=0), self.h.T @ d, d.sum(axis=0)]
class Adagrad:
    def __init__(self, weights, lr=0.05):
        self.lr, self.squares = lr, [np.zeros_like(w) for w in weights]
    def step(self, weights, gradients):
        for w, gradient, s in zip(weights, gradients, self.squares):
            s += gradient ** 2
            w -= self.lr * gradient / (np.sqrt(s) + 1e-8)
def batches(x, targets, size):
    order = np.random.permutation(len(x))
    for start in range(0, len(x), size):
        chosen = order[start:start + size]
        yield x[chosen], targets[chosen]
rng = np.random.RandomState(5)
labels = rng.randint(0, 4, 120)
x = (rng.randn(120, 7) + labels[:, None]).astype(single)
targets = np.eye(4, dtype=single)[labels]
net = TwoLayers(7, 12, 4)
weights = [net.P, net.p, net.Q, net.q]
optimiser = Adagrad(weights)
for epoch in range(4):
    for xb, tb in batches(x, targets, 30):
        optimiser.step(weights, net.backward(net.scores(xb), tb))
"""
WRONG = [
    ("yield x[chosen], targets[chosen]", "yield x[chosen], targets[start:start + size]"),
    ("d = (e / e.sum(axis=1, keepdims=True) - targets)",
     "d = (e / e.sum(axis=0, keepdims=True) - targets)"),
    ("np.where(a > floor, single(1), single(0))", "np.where(a > floor, single(2), single(0))"),
    ("da.sum(axis=0), self.h", "da.mean(axis=0), self.h"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), WRONG)
def test_what_an_optimiser_is_handed_is_seen(old: str, new: str, tmp_path: Path) -> None:
    of_wrong_twin(tmp_path, NET, old, new)


def test_a_number_that_is_cast_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("import numpy as np\nshort = np.float32\ndef leaky(a, slope=short(0.1)):\n"
                    "    return a * slope + np.float32(0.7)\n", "utf-8")  # fmt: skip
    opened = open_source(path).load(["leaky"])
    assert opened.get("leaky")(1.0) == 0.1 + 0.7


def test_a_default_that_does_something_stays_none(tmp_path: Path) -> None:
    text = NET.replace("single = np.float32", "def single(value):\n    return np.float32(value)")
    text = text.replace("dtype=single", "dtype=np.float32").replace(", single)", ")")
    text = text.replace("astype(single)", "astype(np.float32)")
    assert checked(tmp_path, text).verdict is not Verdict.DISAGREES

"""A softmax is part of a network of layers only where the training of the file applies it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.examine.starter.layer_classes import classes_of
from compare.examine.starter.layer_objects import NAME, compositions
from compare.examine.starter.layers_applied import is_applied
from compare.examine.starter.layers_check import class_fits, computes_back, went_back
from compare.examine.starter.one_function import Declared
from compare.examine.starter.source import Source, open_source
from compare.guard.guard import Guard

LAYERS = """
import numpy as np
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(axis=0)
        return d @ self.W.T
class ReLU:
    def forward(self, x):
        self.x = x
        return np.maximum(0, x)
    def backward(self, d):
        return d * (self.x > 0)
class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    def backward(self, d):
        return d
class CrossEntropy:
    def forward(self, p, y):
        self.p, self.y = p, y
        return -np.mean(np.sum(y * np.log(p), axis=1))
    def backward(self):
        return (self.p - self.y) / len(self.y)
"""
TRAIN = """
def train(X, y):
    layers, loss = [Linear(64, 32), ReLU(), Linear(32, 10)], CrossEntropy()
    for _ in range(10):
        out = X
        for layer in layers:
            out = layer.forward(out)
        value = loss.forward(out, y)
        d = loss.backward()
        for layer in layers[::-1]:
            d = layer.backward(d)
"""
FORGOTTEN = {
    "nowhere": TRAIN,
    "in a prediction": TRAIN + "def predict(net, X):\n    return Softmax().forward(net(X))\n",
    "made for nothing": TRAIN.replace("    for _ in", "    soft = Softmax()\n    for _ in"),
    "after the training": TRAIN + "    return Softmax().forward(out)\n",
}
APPLIED = {
    "in a line": TRAIN.replace("loss.forward(out", "loss.forward(Softmax().forward(out)"),
    "kept": "last = Softmax()\n" + TRAIN.replace("(out, y)", "(last.forward(out), y)"),
    "in a function": "def ahead(out):\n    return Softmax().forward(out)\n"
    + TRAIN.replace("(out, y)", "(ahead(out), y)"),
    "without a training": "",
}


def opened(text: str, folder: Path) -> Source:
    """A file with these layers and this training."""
    path = folder / "net.py"
    path.write_text(LAYERS + text, encoding="utf-8")
    return open_source(path, guard=Guard(timeout=None))


@pytest.mark.parametrize("text", FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_softmax_that_the_training_forgets_decides_nothing(text: str, tmp_path: Path) -> None:
    source = opened(text, tmp_path)
    (ways, *_) = compositions(source, classes_of(source))
    ended = [one for one in ways if "Softmax" in one.words]
    assert ended
    assert all(one.unapplied == "Softmax" and not one.certain for one in ended)


@pytest.mark.parametrize("text", APPLIED.values(), ids=APPLIED)
def test_a_softmax_that_the_training_applies_is_part_of_the_network(
    text: str, tmp_path: Path
) -> None:
    source = opened(text, tmp_path)
    assert is_applied(source, classes_of(source), "Softmax")
    (ways, *_) = compositions(source, classes_of(source))
    assert not any(one.unapplied for one in ways)


@pytest.mark.parametrize(("old", "fits"), [("", True), (" * (self.x > 0)", False)])
def test_layers_that_add_a_penalty_written_at_the_top_fit_without_it(
    old: str, fits: bool, tmp_path: Path
) -> None:
    text = LAYERS.replace("self.x.T @ d,", "self.x.T @ d + reg * self.W,").replace(old, "")
    path = tmp_path / "net.py"
    path.write_text("reg = 1e-3\n" + text + APPLIED["in a line"], encoding="utf-8")
    source = open_source(path, guard=Guard(timeout=None))
    ((one, *_), *_) = compositions(source, classes_of(source))
    assert class_fits(one.source, NAME, Declared({}), one.layers) is fits


FUSED = """
class Fused:
    def __init__(self):
        self.softmax = Softmax()
    def forward(self, x, y):
        self.p, self.y = self.softmax.forward(x), y
        return -np.mean(np.sum(y * np.log(self.p), axis=1))
    def backward(self):
        return (self.p - self.y) / len(self.y)
"""
CALLED = FUSED.replace("return (self.p", "return self.softmax.backward(self.p").replace("len(", "(")


@pytest.mark.parametrize(("text", "run"), [(FUSED, False), (CALLED, True)])
def test_a_layer_of_which_only_the_forward_pass_was_called_is_not_compared(
    text: str, run: bool, tmp_path: Path
) -> None:
    source = opened(text, tmp_path)
    assert ("Softmax" in went_back(source, {"Linear", "ReLU", "Fused"})) is run


@pytest.mark.parametrize(("name", "computes"), [("Softmax", False), ("ReLU", True)])
def test_a_backward_pass_that_hands_on_what_it_is_given_needs_no_comparison(
    name: str, computes: bool, tmp_path: Path
) -> None:
    assert computes_back(opened("", tmp_path), name) is computes

"""Layers with penalties of their own: compared with the penalty that the file gives for a layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.class_strengths import of_layers_inside
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.source import open_source
from compare.examine.starter.together import known
from tests.hand_ins import checked, of_wrong_twin

pytestmark = pytest.mark.slow

SHRUNK = """
import numpy as np
class Affine:
    def __init__(self, fan_in, fan_out, lam=0.0, bias_lam=0.0):
        self.W, self.b = np.random.randn(fan_in, fan_out), np.zeros(fan_out)
        self.lam, self.bias_lam = lam, bias_lam
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        self.dW = self.x.T @ d + self.lam * self.W
        self.db = d.sum(axis=0) + self.bias_lam * self.b
        return d @ self.W.T
class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y
    def backward(self, d):
        return d * (1 - self.y ** 2)
class SoftmaxCost:
    def forward(self, scores, t):
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.p, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.sum(t * np.log(self.p)) / len(t)
    def backward(self):
        return (self.p - self.t) / len(self.t)
def shrinkage(layers):
    total = 0.0
    for layer in layers:
        total += 0.5 * layer.lam * np.sum(layer.W ** 2)
        total += 0.5 * layer.bias_lam * (layer.b @ layer.b)
    return total
first, act, last = Affine(6, 20, lam=1e-3, bias_lam=1e-4), Tanh(), Affine(20, 4)
cost = SoftmaxCost()
rng = np.random.default_rng(0)
X, T = rng.normal(size=(60, 6)), np.eye(4)[rng.integers(0, 4, 60)]
for epoch in range(20):
    fit = cost.forward(last.forward(act.forward(first.forward(X))), T)
    objective = fit + shrinkage([first, last])
    first.backward(act.backward(last.backward(cost.backward())))
    for layer in (first, last):
        layer.W -= 0.1 * layer.dW
        layer.b -= 0.1 * layer.db
"""
WRONG = [
    ("self.x.T @ d + self.lam", "self.x.T @ d + 2 * self.lam", "penalty-twice-in-gradient"),
    ("self.x.T @ d + self.lam", "self.x.T @ d - self.lam", "penalty-sign"),
    ("0.5 * layer.lam * np.sum(layer.W ** 2)", "layer.lam * np.sum(layer.W ** 2)",
     "penalty-halved-in-gradient"),
    ("self.lam * self.W", "self.lam", "penalty-scaled"),
    ("fit + shrinkage", "fit - shrinkage", "penalty-sign"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "name"), WRONG)
def test_a_wrong_penalty_of_one_layer_is_named(
    old: str, new: str, name: str, tmp_path: Path
) -> None:
    wrong = of_wrong_twin(tmp_path, SHRUNK, old, new)
    assert [one.mistake for one in wrong.diagnosis] == [name]


STEP = """        back = d @ self.W.T
        self.W -= rate * self.dW
        self.b -= rate * self.db
        return back"""
BACK = """    d = cost.backward()
    for part in (last, act, first):
        d = part.backward(d, 0.1)
"""
UNSEEN = [
    (" + shrinkage([first, last])", "\n    print(shrinkage([first, last]))"),
    (" + shrinkage([first, last])", ""),
    ("+ shrinkage", "+ 0.1 * shrinkage"),
    ("0.5 * layer.bias_lam", "0.5 * 1e-4"),
]


@pytest.mark.parametrize(("old", "new"), UNSEEN)
def test_a_penalty_that_no_loss_shows_accuses_nobody_and_is_said(
    old: str, new: str, tmp_path: Path
) -> None:
    assert old in SHRUNK
    found = checked(tmp_path, SHRUNK.replace(old, new))
    assert found.verdict is Verdict.UNDECIDABLE, found.sentence


def test_a_penalty_that_gets_its_half_where_it_joins_the_loss_is_not_accused(
    tmp_path: Path,
) -> None:
    whole = SHRUNK.replace("0.5 * layer", "layer")
    halved = whole.replace("+ shrinkage([", "+ 0.5 * shrinkage([")
    assert whole.count("0.5 *") == 0 and halved.count("0.5 *") == 1
    assert checked(tmp_path, halved).verdict is Verdict.UNDECIDABLE
    assert checked(tmp_path, whole).verdict is Verdict.DISAGREES


def test_a_layer_that_steps_in_its_backward_pass_is_compared_with_its_penalty_too(
    tmp_path: Path,
) -> None:
    stepping = SHRUNK.replace("def backward(self, d):", "def backward(self, d, rate):")
    stepping = stepping.replace("        return d @ self.W.T", STEP)
    loop, _, _ = stepping.partition("    first.backward(")
    stepping = loop + BACK
    old = "self.x.T @ d + self.lam"
    wrong = of_wrong_twin(tmp_path, stepping, old, old.replace("self.lam", "0.5 * self.lam"))
    assert [one.mistake for one in wrong.diagnosis] == ["penalty-halved-in-gradient"]


HOLDING = (
    SHRUNK.partition("class Tanh")[0]
    + """
class Model:
    def __init__(self, n_in, n_hidden, n_out):
        self.lower, self.upper = Affine(n_in, n_hidden, 1e-3), Affine(n_hidden, n_out)
    def forward(self, x):
        self.h = np.maximum(self.lower.forward(x), 0)
        return self.upper.forward(self.h)
    def loss(self, x, t):
        z = self.forward(x)
        z = z - z.max(axis=1, keepdims=True)
        self.p, self.t = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), t
        fit = -np.mean(np.sum(t * np.log(self.p), axis=1))
        return fit + 0.5 * self.lower.lam * np.sum(self.lower.W ** 2)
    def backward(self):
        d = self.upper.backward((self.p - self.t) / len(self.t))
        self.lower.backward(d * (self.h > 0))
"""
)


def test_the_penalty_of_a_layer_inside_a_network_accuses_nobody(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(HOLDING, "utf-8")
    model: Any = open_source(path).load(["Model"]).get("Model")
    wrong = FunctionVerdict("Model", "gradient", None, Verdict.DISAGREES, "")
    term = replace(wrong, diagnosis=known("l2-in-gradient-only"))
    other = replace(wrong, diagnosis=known("gradient-summed"))
    assert of_layers_inside(wrong, model, UNEQUAL) == "lower.lam"
    assert of_layers_inside(term, model, UNEQUAL) == "lower.lam"
    assert of_layers_inside(other, model, UNEQUAL) == ""


@pytest.mark.parametrize("new", ["(self.p - self.t)", "(self.p - 2 * self.t) / len(self.t)"])
def test_of_another_mistake_such_a_network_is_still_accused(new: str, tmp_path: Path) -> None:
    text = HOLDING.replace("(self.p - self.t) / len(self.t)", new).replace("1e-3", "0.0")
    assert checked(tmp_path, text).verdict is Verdict.DISAGREES

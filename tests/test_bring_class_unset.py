"""Classes that keep numbers of their own: what depends on them is no evidence against anybody."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.starter import check_starter
from tests.test_bring_class import ATTRIBUTES, SOFTMAX

pytestmark = pytest.mark.slow

LAYERS = """
class Net:
    def __init__(self, n_in, n_h1, n_h2, n_out):
        self.W1, self.b1 = np.random.randn(n_in, n_h1) * 0.1, np.zeros(n_h1)
        self.W2, self.b2 = np.random.randn(n_h1, n_h2) * 0.1, np.zeros(n_h2)
        self.W3, self.b3 = np.random.randn(n_h2, n_out) * 0.1, np.zeros(n_out)

    def forward(self, X):
        self.X, self.A1 = X, np.maximum(0, X @ self.W1 + self.b1)
        self.A2 = np.maximum(0, self.A1 @ self.W2 + self.b2)
        self.P = softmax(self.A2 @ self.W3 + self.b3)
        return self.P

    def loss(self, Y):
        return -np.sum(Y * np.log(self.P)) / len(Y)

    def backward(self, Y):
        d3 = (self.P - Y) / len(Y)
        self.dW3, self.db3 = self.A2.T @ d3, d3.sum(axis=0)
        d2 = d3 @ self.W3.T * (self.A2 > 0)
        self.dW2, self.db2 = self.A1.T @ d2, d2.sum(axis=0)
        d1 = d2 @ self.W2.T * (self.A1 > 0)
        self.dW1, self.db1 = self.X.T @ d1, d1.sum(axis=0)
"""
SEEDED = LAYERS.replace(
    "        self.W1, self.b1 =", "        np.random.seed(0)\n        self.W1, self.b1 ="
)
DROPOUT = ATTRIBUTES.replace(
    "self.h1 = np.maximum(self.z1, 0)",
    "self.mask = (np.random.rand(*self.z1.shape) < 0.8) / 0.8\n"
    "        self.h1 = np.maximum(self.z1, 0) * self.mask",
).replace("(d2 @ self.w2.T)", "(d2 @ self.w2.T) * self.mask")
LETTERS = (
    ATTRIBUTES.replace("w1", "U").replace("w2", "V").replace("b1", "c").replace("b2", "s")
    .replace("np.zeros(n_out)", "np.zeros(n_out)\n        self.vel_s = np.zeros(n_out)")
)  # fmt: skip


MOMENTUM = """
class Net:
    def __init__(self, n_in, n_hidden, n_out):
        self.W1, self.b1 = np.random.randn(n_in, n_hidden), np.zeros(n_hidden)
        self.W2, self.b2 = np.random.randn(n_hidden, n_out), np.zeros(n_out)
        self.vW1, self.vb1 = np.zeros_like(self.W1), np.zeros_like(self.b1)
        self.vW2, self.vb2 = np.zeros_like(self.W2), np.zeros_like(self.b2)

    def train_step(self, x, y, lr):
        h = np.maximum(0, x @ self.W1 + self.b1)
        p = softmax(h @ self.W2 + self.b2)
        d2 = (p - y) / len(y)
        d1 = (d2 @ self.W2.T) * (h > 0)
        self.vW2, self.vb2 = 0.9 * self.vW2 + h.T @ d2, 0.9 * self.vb2 + d2.sum(axis=0)
        self.vW1, self.vb1 = 0.9 * self.vW1 + x.T @ d1, 0.9 * self.vb1 + d1.sum(axis=0)
        self.W2 -= lr * self.vW2
        self.b2 -= lr * self.vb2
        self.W1 -= lr * self.vW1
        self.b1 -= lr * self.vb1
        return -np.mean(np.sum(y * np.log(p), axis=1))
"""


def test_velocities_that_start_at_zero_excuse_no_mistake(tmp_path: Path) -> None:
    assert found(tmp_path, MOMENTUM).verdict is Verdict.AGREES
    wrong = found(tmp_path, MOMENTUM.replace(" * (h > 0)", ""))
    assert wrong.verdict is Verdict.DISAGREES, wrong.sentence


def found(tmp_path: Path, text: str) -> FunctionVerdict:
    """What is said of the class of a file."""
    path = tmp_path / "mine.py"
    path.write_text("import numpy as np\n" + SOFTMAX + text, "utf-8")
    return check_starter(path).functions[-1]


@pytest.mark.parametrize("text", [LAYERS, SEEDED], ids=["drawn", "drawn from a seed"])
def test_a_class_of_three_layers_is_compared_as_one(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text).verdict is Verdict.AGREES
    wrong = found(tmp_path, text.replace(" * (self.A2 > 0)", ""))
    assert wrong.diagnosis[0].title.endswith("activation in layer 2 only")


def test_a_third_layer_is_found_without_a_number_in_its_names(tmp_path: Path) -> None:
    named = {"W1": "w_in", "b1": "c_in", "W2": "w_mid", "b2": "c_mid", "W3": "w_end", "b3": "c_end"}
    text = functools.reduce(lambda one, name: one.replace(name, named[name]), named, LAYERS)
    assert found(tmp_path, text).verdict is Verdict.AGREES


def test_a_class_whose_further_layer_was_not_set_is_not_accused(tmp_path: Path) -> None:
    frozen = LAYERS.replace(
        "        self.W1, self.b1 =",
        "        self.E = np.random.randn(n_in, n_in)\n        self.W1, self.b1 =",
    ).replace("X @ self.W1", "X @ self.E @ self.W1")
    frozen = frozen.replace("self.X.T", "(self.X @ self.E).T")
    one = found(tmp_path, frozen)
    assert one.verdict is Verdict.UNDECIDABLE and one.diagnosis == ()
    assert "its numbers depend on E" in one.sentence


def test_a_class_that_draws_masks_of_dropout_is_not_called_random(tmp_path: Path) -> None:
    one = found(tmp_path, DROPOUT)
    assert one.verdict is Verdict.UNDECIDABLE and "dropout was not compared" in one.sentence


def test_weights_may_have_letters_that_an_optimiser_often_has(tmp_path: Path) -> None:
    assert found(tmp_path, LETTERS).verdict is Verdict.AGREES
    wrong = found(tmp_path, LETTERS.replace("self.V.T", "self.V.T * 2"))
    assert wrong.verdict is Verdict.DISAGREES


SHARED = """
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(axis=0)
        return d @ self.W.T
class Net:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = {"W1": np.random.randn(input_size, hidden_size), "b1": np.zeros(hidden_size),
                       "W2": np.random.randn(hidden_size, output_size), "b2": np.zeros(output_size)}
        self.layers = {"first": Affine(self.params["W1"], self.params["b1"]),
                       "last": Affine(self.params["W2"], self.params["b2"])}
    def loss(self, x, t):
        self.h = np.maximum(self.layers["first"].forward(x), 0)
        self.p = softmax(self.layers["last"].forward(self.h))
        return -np.mean(np.sum(t * np.log(self.p), axis=1))
    def gradient(self, x, t):
        self.loss(x, t)
        d = self.layers["last"].backward((self.p - t) / len(t))
        self.layers["first"].backward(d * (self.h > 0))
        first, last = self.layers["first"], self.layers["last"]
        return {"W1": first.dW, "b1": first.db, "W2": last.dW, "b2": last.db}
"""


def test_weights_that_a_class_and_its_layers_share_are_set_in_both(tmp_path: Path) -> None:
    assert found(tmp_path, SHARED).verdict is Verdict.AGREES
    wrong = found(tmp_path, SHARED.replace("d * (self.h > 0)", "d"))
    assert [one.mistake for one in wrong.diagnosis] == ["mask-missing"]


GUESSED = MOMENTUM.replace("x, y, lr", "first, second, lr").replace("first, y", "first, second")


def test_nobody_is_accused_of_arguments_that_were_guessed(tmp_path: Path) -> None:
    text = GUESSED.replace("x @", "first @").replace("x.T", "first.T").replace("- y", "- second")
    text = text.replace("len(y)", "len(second)").replace("(y *", "(second *")
    assert found(tmp_path, text).verdict is Verdict.AGREES
    odd = text.replace("(p - second)", "np.tanh(p - 2 * second)").replace("* (h > 0)", "* h**3")
    assert found(tmp_path, odd).verdict is Verdict.UNDECIDABLE

"""Agreeing with one output unit excuses no code that may have several.

Of one output a gradient divided by N is that of a mean over N times K.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Result, Verdict
from compare.examine.starter.chain import Mode
from compare.examine.starter.one_output import has_width, says_one
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

GRADIENTS = """
import numpy as np
def gradients(X, Y, W1, b1, W2, b2):
    H = 1.0 / (1.0 + np.exp(-(X.dot(W1) + b1)))
    P = H.dot(W2) + b2
    d = 2 * (P - Y) / X.shape[0]
    dz = d.dot(W2.T) * H * (1 - H)
    loss = ((P - Y) ** 2).mean()
    return loss, X.T.dot(dz), dz.sum(axis=0), H.T.dot(d), d.sum(axis=0)
"""
AS_MANY_AS_TARGETS = GRADIENTS + "def start(Y, h):\n    return np.random.randn(h, Y.shape[1])\n"
ONE = GRADIENTS + "def start(h):\n    return np.random.randn(h, 1)\n"


def checked(folder: Path, text: str) -> Result:
    path = folder / "mine.py"
    path.write_text(text)
    return starter_result(check_starter(path, timeout=20.0, declared={"activation": "sigmoid"}))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (AS_MANY_AS_TARGETS.replace("/ X.shape[0]", "/ Y.size"), Verdict.AGREES),
        (ONE, Verdict.AGREES),
        (GRADIENTS, Verdict.UNDECIDABLE),
    ],
)
def test_agreeing_with_one_output_is_enough_where_there_is_one(
    text: str, verdict: Verdict, tmp_path: Path
) -> None:
    found = checked(tmp_path, text)
    assert found.verdict is verdict, found.sentence


def test_a_gradient_that_lacks_the_mean_over_outputs_is_named(tmp_path: Path) -> None:
    found = checked(tmp_path, AS_MANY_AS_TARGETS)
    assert found.verdict is Verdict.DISAGREES
    assert [one.mistake for one in found.diagnosis] == ["gradient-not-averaged-over-outputs"]


PREDICTS = """
import numpy as np
def predict(X, W1, b1, W2, b2):
    H = 1.0 / (1.0 + np.exp(-(X.dot(W1) + b1)))
    return H, H.dot(W2) + b2
def loss(Y_pred, Y):
    return ((Y_pred - Y) ** 2).mean()
def gradients(X, Y, W1, b1, W2, b2):
    H, P = predict(X, W1, b1, W2, b2)
    d = 2 * (P - Y) / Y.size
    dz = d.dot(W2.T) * H * (1 - H)
    return X.T.dot(dz), dz.sum(axis=0), H.T.dot(d), d.sum(axis=0)
def start(Y, h):
    return np.random.randn(h, Y.shape[1])
"""


def test_the_loss_of_what_the_gradients_predict_is_theirs(tmp_path: Path) -> None:
    assert checked(tmp_path, PREDICTS.replace("def loss", "def mse")).verdict is Verdict.AGREES
    found = checked(tmp_path, PREDICTS.replace("Y.size", "X.shape[0]"))
    assert [one.mistake for one in found.diagnosis] == ["gradient-not-averaged-over-outputs"]


def test_a_declared_squared_error_is_held_against_all_outputs(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(AS_MANY_AS_TARGETS.replace("return loss, ", "return "))
    declared = {"activation": "sigmoid", "loss": "mse"}
    found = starter_result(check_starter(path, timeout=20.0, declared=declared))
    assert [one.mistake for one in found.diagnosis] == ["gradient-not-averaged-over-outputs"]


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("W2 = np.random.uniform(-1, 1, (8, 1))", True),
        ("W2 = np.random.uniform(-1, 1)", False),
        ("y = y.reshape(-1, 1)", True),
        ("b1 = b1.reshape(-1, 1)", False),
        ("net = Network(2, 4, 1)", True),
        ("for i in range(10, 5, 1): pass", False),
        ("net = Network([2, 4, 1])", True),
        ("y = np.array([[0], [1], [1], [0]])", True),
        ("y = np.array([[0, 1], [1, 0]])", False),
        ("net = Network(n_in=2, n_out=1)", True),
        ("b1 = np.zeros((8, 1))", False),
        ("s = np.sum(x, 1)", False),
        ("Y = y[:, np.newaxis]", True),
    ],
)
def test_what_says_that_an_output_is_one(text: str, one: bool) -> None:
    assert says_one(text, Mode()) is one


def test_the_width_of_targets_is_not_their_number() -> None:
    assert has_width("k = Y.shape[1]", Mode())
    assert not has_width("m = Y.shape[1]", Mode(samples="columns"))

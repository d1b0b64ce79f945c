"""Agreeing with one output unit excuses no code that may have several.

Of one output a gradient divided by N is that of a mean over N times K.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Result, Verdict
from compare.examine.starter.chain import Mode
from compare.examine.starter.one_output import has_width, says_one, takes_several
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


@pytest.mark.slow
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


TAGS = """
import numpy as np
class Tagger:
    def __init__(self, n_in, n_hid, n_tags, rng):
        self.W1, self.b1 = rng.normal(size=(n_in, n_hid)), np.zeros(n_hid)
        self.W2, self.b2 = rng.normal(size=(n_hid, n_tags)), np.zeros(n_tags)
    def scores(self, X):
        hid = np.maximum(X @ self.W1 + self.b1, 0)
        return hid, hid @ self.W2 + self.b2
    def bce(self, X, T):
        s = self.scores(X)[1]
        return (np.maximum(s, 0) - s * T + np.log1p(np.exp(-np.abs(s)))).mean()
    def grads(self, X, T):
        hid, s = self.scores(X)
        ds = (1 / (1 + np.exp(-s)) - T) / T.size
        dh = (ds @ self.W2.T) * (hid > 0)
        return [X.T @ dh, dh.sum(axis=0), hid.T @ ds, ds.sum(axis=0)]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (TAGS, Verdict.AGREES),
        (TAGS.replace("T.size", "len(X)"), Verdict.UNDECIDABLE),
        (TAGS.replace("T.size", "len(X)").replace("n_tags", "1").replace("n_hid, 1,", "n_hid,"),
         Verdict.AGREES),
    ],
)  # fmt: skip
def test_a_number_of_outputs_that_is_handed_over_may_be_more_than_one(
    text: str, verdict: Verdict, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    found = starter_result(check_starter(path, timeout=20.0))
    assert found.verdict is verdict, found.sentence


@pytest.mark.parametrize("more", ["", "def data(n, d):\n    return np.random.randn(n, d)\n"])
@pytest.mark.parametrize("width", ["1", "n_tags"])
def test_only_the_last_weights_say_how_many_outputs_there_are(more: str, width: str) -> None:
    text = TAGS if width == "n_tags" else TAGS.replace("n_tags, rng", "rng").replace("n_tags", "1")
    assert takes_several(text + more, Mode()) is (width == "n_tags")


ASSERTED = """
import numpy as np
def start(n_in, n_hidden, n_out):
    return {"W1": np.random.randn(n_hidden, n_in), "b1": np.zeros((n_hidden, 1)),
            "W2": np.random.randn(n_out, n_hidden), "b2": np.zeros((n_out, 1))}
def forward(X, weights):
    H = np.tanh(weights["W1"] @ X + weights["b1"])
    P = 1 / (1 + np.exp(-(weights["W2"] @ H + weights["b2"])))
    assert P.shape == (1, X.shape[1])
    return P, {"H": H, "P": P}
def cost(P, Y):
    m = Y.shape[1]
    return -np.sum(Y * np.log(P) + (1 - Y) * np.log(1 - P)) / m
def backward(weights, cache, X, Y):
    m = X.shape[1]
    dz2 = cache["P"] - Y
    dz1 = (weights["W2"].T @ dz2) * (1 - cache["H"] ** 2)
    return {"dW1": dz1 @ X.T / m, "db1": dz1.sum(axis=1, keepdims=True) / m,
            "dW2": dz2 @ cache["H"].T / m, "db2": dz2.sum(axis=1, keepdims=True) / m}
"""


def undeclared(folder: Path, text: str) -> Result:
    path = folder / "mine.py"
    path.write_text(text)
    return starter_result(check_starter(path, timeout=20.0))


@pytest.mark.slow
def test_an_output_that_is_asserted_to_be_one_unit_is_compared_as_one(tmp_path: Path) -> None:
    found = undeclared(tmp_path, ASSERTED)
    assert found.verdict is Verdict.AGREES, found.sentence


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "wrong", "mistake"),
    [
        (" + (1 - Y) * np.log(1 - P)", "", "binary-second-term-missing"),
        ("dz1 @ X.T / m", "dz1 @ X.T", "gradient-not-averaged-over-rows"),
    ],
)
def test_its_wrong_twins_are_named(line: str, wrong: str, mistake: str, tmp_path: Path) -> None:
    assert line in ASSERTED
    found = undeclared(tmp_path, ASSERTED.replace(line, wrong))
    assert found.verdict is Verdict.DISAGREES
    assert [one.mistake for one in found.diagnosis] == [mistake]


@pytest.mark.parametrize(
    ("asserted", "samples", "one"),
    [
        ("a.shape == (1, m)", "columns", True),
        ("a.shape == (m, 1)", "rows", True),
        ("b1.shape == (h, 1)", "columns", False),
        ("b1.shape == (1, h)", "rows", False),
        ("a.shape == (1,)", "rows", False),
    ],
)
def test_the_shape_of_a_bias_says_nothing_of_the_output(
    asserted: str, samples: str, one: bool
) -> None:
    mode = Mode(samples=samples, biases="row" if samples == "rows" else "column")
    text = f"def forward(x):\n    assert {asserted}\n    return a, b1\n"
    assert says_one(text, mode) is one
    assert not says_one(text.replace("return a, b1", "return x"), mode)
    assert not says_one(text, Mode(samples="one column", transposed=True, biases="column"))

"""A back propagation in the middle of a loop or of a notebook is cut out and compared."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from compare.contracts.result import ExitCode, Result
from compare.examine.starter.cut_loops import each_loop
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result
from compare.examine.starter.statements import Kind, Statement

pytestmark = pytest.mark.slow

TRAIN = """import numpy as np
def train(X, Y, hidden=20, epochs=100, lr=0.1, reg=1e-3):
    n, d = X.shape
    k = Y.shape[1]
    W1 = np.random.randn(d, hidden) * 0.01
    b1 = np.zeros(hidden)
    W2 = np.random.randn(hidden, k) * 0.01
    b2 = np.zeros(k)
    for epoch in range(epochs):
        z1 = X @ W1 + b1
        h = np.maximum(0, z1)
        s = h @ W2 + b2
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        loss = -np.mean(np.sum(Y * np.log(p), axis=1))
        ds = (p - Y) / n
        dW2 = h.T @ ds
        db2 = ds.sum(axis=0)
        dh = ds @ W2.T
        dz = dh * (z1 > 0)
        dW1 = X.T @ dz
        db1 = dz.sum(axis=0)
        W1 -= lr * dW1
        b1 -= lr * db1
        W2 -= lr * dW2
        b2 -= lr * db2
        if epoch % 10 == 0:
            print(epoch, loss)
    return W1, b1, W2, b2
"""
COLUMNS = """import numpy as np
def model(X, Y, n_h, num_iterations, learning_rate):
    m = X.shape[1]
    W1 = np.random.randn(n_h, X.shape[0]); b1 = np.zeros((n_h, 1))
    W2 = np.random.randn(Y.shape[0], n_h); b2 = np.zeros((Y.shape[0], 1))
    for i in range(num_iterations):
        Z1 = np.dot(W1, X) + b1
        A1 = np.maximum(Z1, 0)
        Z2 = np.dot(W2, A1) + b2
        E = np.exp(Z2 - np.max(Z2, axis=0))
        A2 = E / np.sum(E, axis=0)
        dZ2 = A2 - Y
        dW2 = np.dot(dZ2, A1.T) / m
        db2 = np.sum(dZ2, axis=1, keepdims=True) / m
        dZ1 = np.dot(W2.T, dZ2) * (Z1 > 0)
        dW1 = np.dot(dZ1, X.T) / m
        db1 = np.sum(dZ1, axis=1, keepdims=True) / m
        W1, b1 = W1 - learning_rate * dW1, b1 - learning_rate * db1
        W2, b2 = W2 - learning_rate * dW2, b2 - learning_rate * db2
    return W1, b1, W2, b2
"""
DICTIONARY = """import numpy as np
def fit(X, Y, lr=0.1):
    params = {"W1": np.random.randn(5, 6), "b1": np.zeros(6),
              "W2": np.random.randn(6, 4), "b2": np.zeros(4)}
    for _ in range(100):
        z = X.dot(params["W1"]) + params["b1"]
        h = z * (z > 0)
        o = h.dot(params["W2"]) + params["b2"]
        p = np.exp(o - o.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        d = (p - Y) / len(X)
        grads = {"W2": h.T.dot(d), "b2": d.sum(0)}
        dz = d.dot(params["W2"].T) * (z > 0)
        grads["W1"] = X.T.dot(dz)
        grads["b1"] = dz.sum(0)
        for k in params:
            params[k] -= lr * grads[k]
    return params
"""
CELLS = (
    "import numpy as np\n",
    "X = np.load('x.npy'); y = np.load('y.npy')\nN = X.shape[0]\nW1 = np.random.randn(5, 6)\n"
    "b1 = np.zeros(6)\nW2 = np.random.randn(6, 4)\nb2 = np.zeros(4)\n",
    "Z = X @ W1 + b1\nH = np.maximum(Z, 0)\nO = H @ W2 + b2\n"
    "P = np.exp(O - O.max(1, keepdims=True))\nP /= P.sum(1, keepdims=True)\n",
    "dO = P.copy()\ndO[np.arange(N), y] -= 1\ndO /= N\ndW2 = H.T @ dO\ndb2 = dO.sum(0)\n"
    "dZ = (dO @ W2.T) * (Z > 0)\ndW1 = X.T @ dZ\ndb1 = dZ.sum(0)\n",
    "lr = 0.1\nW1 -= lr * dW1\nb1 -= lr * db1\nW2 -= lr * dW2\nb2 -= lr * db2\n",
)


def judged(tmp_path: Path, text: str, name: str = "mine.py") -> Result:
    """Return what is said of a file."""
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return starter_result(check_starter(path))


def notebook(*cells: str) -> str:
    """Return a notebook of these cells."""
    made = [{"cell_type": "code", "source": cell} for cell in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def changed(text: str, *pairs: tuple[str, str]) -> str:
    """Return a text with some of its parts replaced, each of which must be there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


BATCH = (
    ("        z1 = X @", "        xb, yb = X[perm[:32]], Y[perm[:32]]\n        z1 = xb @"),
    ("    for epoch", "    perm = np.random.permutation(n)\n    for epoch"),
    ("(p - Y) / n", "(p - yb) / len(xb)"),
    ("X.T @", "xb.T @"),
)
INLINE = (
    ("        dW1 = X.T @ dz\n", ""), ("W1 -= lr * dW1", "W1 -= lr * (X.T @ dz)"),
    ("        dW2 = h.T @ ds\n", ""), ("W2 -= lr * dW2", "W2 -= lr * h.T @ ds"),
)  # fmt: skip
MOMENTUM = (
    ("    for epoch", "    v1 = v2 = 0\n    for epoch"),
    ("W1 -= lr * dW1", "v1 = 0.9 * v1 - lr * dW1\n        W1 += v1"),
    ("W2 -= lr * dW2", "v2 = 0.9 * v2 - lr * dW2\n        W2 += v2"),
)
DECAY = (
    "        W1 -=",
    "        dW1 += reg * W1\n        dW2 += reg * W2\n        W1 -=",
)
NEGATIVE = (("(p - Y)", "(Y - p)"), ("-= lr", "+= lr"))
RIGHT = {
    "plain": TRAIN,
    "a batch": changed(TRAIN, *BATCH, ("sum(Y *", "sum(yb *")),
    "products in the updates": changed(TRAIN, *INLINE),
    "momentum": changed(TRAIN, *MOMENTUM),
    "decay": changed(TRAIN, DECAY),
    "decay twice as strong": changed(TRAIN, DECAY, ("reg * W", "2 * reg * W")),
    "half a rate": changed(TRAIN, ("lr * d", "lr * 0.5 * d")),
    "divided in the update": changed(TRAIN, (" / n\n", "\n"), ("lr * d", "lr * (1 / n) * d")),
    "the negative, added": changed(TRAIN, *NEGATIVE),
    "data scaled before": changed(TRAIN, ("    for epoch", "    X = X / 255\n    for epoch")),
    "tanh": changed(TRAIN, ("np.maximum(0, z1)", "np.tanh(z1)"), ("(z1 > 0)", "(1 - h**2)")),
    "columns": COLUMNS,
    "a dictionary": DICTIONARY,
    "loose": "import numpy as np\nlr = 0.1\n" + "\n".join(
        line[4:] for line in TRAIN.partition("def")[2].splitlines()[1:-1]
    ).replace("hidden)", "20)").replace("epochs", "9"),
}  # fmt: skip


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_a_right_training_loop_agrees_and_is_said_to_be_cut_out(tmp_path: Path, text: str) -> None:
    result = judged(tmp_path, text)
    assert result.exit_code is ExitCode.AGREES and "right" in result.sentence
    assert "cut out of " in result.checks[0].sentence


MASK = (" * (z1 > 0)", "")
WRONG = {
    "no mask": (changed(TRAIN, MASK), "mask-missing"),
    "no mask in a batch": (changed(TRAIN, *BATCH, MASK), "mask-missing"),
    "no mask, the negative added": (changed(TRAIN, *NEGATIVE, MASK), "mask-missing"),
    "flipped": (changed(TRAIN, NEGATIVE[0]), "target-minus-prediction"),
    "flipped, with momentum": (changed(TRAIN, *MOMENTUM, NEGATIVE[0]), "target-minus-prediction"),
    "stepped too early": (
        changed(TRAIN, ("        W2 -= lr * dW2\n", ""),
                ("        dh =", "        W2 -= lr * dW2\n        dh =")),
        "weights-stepped-too-early",
    ),
    "up in one": (changed(TRAIN, ("W1 -=", "W1 +=")), "gradient-ascent"),
    "up in all": (changed(TRAIN, NEGATIVE[1]), "gradient-ascent"),
    "a dictionary without mask": (changed(DICTIONARY, ("T) * (z > 0)", "T)")), "mask-missing"),
    "a dictionary, up": (changed(DICTIONARY, ("-= lr", "+= lr")), "gradient-ascent"),
    "columns without mask": (changed(COLUMNS, (" * (Z1 > 0)", "")), "mask-missing"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "mistake"), WRONG.values(), ids=WRONG)
def test_a_mistake_in_a_training_loop_is_named(tmp_path: Path, text: str, mistake: str) -> None:
    result = judged(tmp_path, text)
    assert result.exit_code is ExitCode.DISAGREES
    assert {one.mistake for one in result.diagnosis} == {mistake}


OTHERS = {
    "dropout": changed(
        TRAIN, ("        s = h", "        m = np.random.rand(9)\n        h = h * m\n        s = h"),
        ("dz = dh", "dz = dh * m"),
    ),
    "regression": changed(
        TRAIN, ("        p = e / e.sum(axis=1, keepdims=True)\n", "        p = s\n"),
        ("        e = np.exp(s - s.max(axis=1, keepdims=True))\n", ""),
    ),
    "a batch size written in": changed(TRAIN, ("/ n", "/ 32")),
}  # fmt: skip


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_another_network_is_not_accused_and_not_green(tmp_path: Path, text: str) -> None:
    result = judged(tmp_path, text)
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert any("were not compared: " in one for one in result.not_compared)


def test_the_negative_of_a_gradient_that_is_added_is_right(tmp_path: Path) -> None:
    text = changed(DICTIONARY, ("(p - Y)", "(Y - p)"), ("-= lr", "+= lr"))
    assert judged(tmp_path, text).exit_code is ExitCode.AGREES


@pytest.mark.parametrize("cells", [CELLS, CELLS[:-1]], ids=["with updates", "without"])
def test_loose_cells_of_a_notebook_are_run_up_to_their_gradients(
    tmp_path: Path, cells: tuple[str, ...]
) -> None:
    right = judged(tmp_path, notebook(*cells), "right.ipynb")
    assert right.exit_code is ExitCode.AGREES and "1 training loop" in right.sentence
    wrong = [changed(cell, (" * (Z > 0)", "")) if "dZ" in cell else cell for cell in cells]
    result = judged(tmp_path, notebook(*wrong), "wrong.ipynb")
    assert [one.mistake for one in result.diagnosis] == ["mask-missing"]


@pytest.mark.parametrize("line", ["dW1 += reg * W1 ** 3", "pass"], ids=["cube", "of one"])
def test_a_decay_that_is_no_usual_term_of_all_weights_is_not_compared(
    tmp_path: Path, line: str
) -> None:
    result = judged(tmp_path, changed(TRAIN, DECAY, ("dW1 += reg * W1", line)))
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert any("its decay was not compared: what reg adds" in one for one in result.not_compared)


def test_a_decay_that_makes_weights_grow_is_named(tmp_path: Path) -> None:
    result = judged(tmp_path, changed(TRAIN, DECAY, ("dW1 += reg * W1", "dW1 -= reg * W1")))
    assert "decay-sign" in [one.mistake for one in result.diagnosis]


@pytest.mark.parametrize("pairs", [INLINE, ()], ids=["a product", "a name"])
def test_a_factor_of_one_step_alone_is_not_taken_for_a_rate(
    tmp_path: Path, pairs: tuple[tuple[str, str], ...]
) -> None:
    text = changed(TRAIN, *pairs, ("W1 -= lr *", "W1 -= lr * 0.5 *"))
    assert judged(tmp_path, text).exit_code is ExitCode.UNDECIDABLE


def twice() -> str:
    """A function with its training loop, and the same one once more behind it."""
    ahead, loop = TRAIN.split("    for epoch", 1)
    body, end = loop.rsplit("    return", 1)
    return f"{ahead}    for epoch{body}    for epoch{body}    return{end}"


def test_every_training_loop_of_a_place_is_compared(tmp_path: Path) -> None:
    right = judged(tmp_path, twice())
    assert right.exit_code is ExitCode.AGREES and "loop" in right.sentence
    ahead, _, last = twice().rpartition(" * (z1 > 0)")
    wrong = judged(tmp_path, ahead + last)
    assert [one.mistake for one in wrong.diagnosis] == ["mask-missing"]
    assert "the loop at line 29" in wrong.sentence


def test_a_training_loop_that_cannot_be_cut_out_is_named_beside_one_that_can(
    tmp_path: Path,
) -> None:
    ahead, _, last = twice().rpartition("e = np.exp(s")
    result = judged(tmp_path, f"{ahead}e = unknown(s{last}")
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert any("another training loop" in one for one in result.not_compared)


def test_a_loop_of_a_notebook_is_named_by_its_cell() -> None:
    """Lines begin at 1 in every cell."""
    train = "for i in range(9):\n    dW = X.T @ d\n    W -= lr * dW\n"
    cells = [Statement(f"a.ipynb, cell {i}", ast.parse(train).body[0], Kind.LEFT_OUT)
             for i in (3, 7)]  # fmt: skip
    assert [one.where for one in each_loop(cells)] == ["cell 3, line 1", "cell 7, line 1"]

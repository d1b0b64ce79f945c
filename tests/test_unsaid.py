"""A file given by its path alone says what it is: an update, a deep network, an optimiser."""

from pathlib import Path

import pytest

from compare.command.main import main

pytestmark = pytest.mark.slow

UPDATE = """
import numpy as np

def scores(parameters, x):
    h = np.tanh(x @ parameters["w1"] + parameters["b1"])
    return h, h @ parameters["w2"] + parameters["b2"]

def update(parameters, x, targets, *, learning_rate):
    h, s = scores(parameters, x)
    e = np.exp(s - s.max(axis=1, keepdims=True))
    d = (e / e.sum(axis=1, keepdims=True) - targets) / len(x)
    dh = d @ parameters["w2"].T * (1 - h * h)
    slopes = {"w1": x.T @ dh, "b1": dh.sum(0), "w2": h.T @ d, "b2": d.sum(0)}
    return {k: w - learning_rate * slopes[k] for k, w in parameters.items()}
"""
DEEP = """
import numpy as np

def loss_and_gradients(parameters, x, targets):
    w = parameters
    h1 = 1 / (1 + np.exp(-(x @ w["w1"] + w["b1"])))
    h2 = 1 / (1 + np.exp(-(h1 @ w["w2"] + w["b2"])))
    s = h2 @ w["w3"] + w["b3"]
    s = s - s.max(axis=1, keepdims=True)
    log_p = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
    d3 = (np.exp(log_p) - targets) / len(x)
    d2 = d3 @ w["w3"].T * h2 * (1 - h2)
    d1 = d2 @ w["w2"].T * h1 * (1 - h1)
    return -(targets * log_p).sum() / len(x), {
        "w1": x.T @ d1, "b1": d1.sum(0), "w2": h1.T @ d2, "b2": d2.sum(0),
        "w3": h2.T @ d3, "b3": d3.sum(0),
    }
"""
ADAM = '''
def step(parameters, gradients, state, *, learning_rate, betas=(0.8, 0.95), eps=1e-6):
    """Adam."""
    t = state.get("count", 0) + 1
    after, kept = {}, {"count": t}
    for k, w in parameters.items():
        m = kept["mean " + k] = betas[0] * state.get("mean " + k, 0) + (1 - betas[0]) * gradients[k]
        s = betas[1] * state.get("square " + k, 0) + (1 - betas[1]) * gradients[k] ** 2
        kept["square " + k] = s
        root = np.sqrt(s / (1 - betas[1] ** t)) + eps
        after[k] = w - learning_rate * (m / (1 - betas[0] ** t)) / root
    return after, kept
'''
ROOT = """
def step(parameters, gradients, state, *, learning_rate):
    return {k: w - learning_rate * np.cbrt(gradients[k]) for k, w in parameters.items()}, {}
"""
PLAIN = """
def step(parameters, gradients, state, *, learning_rate):
    return {k: w - learning_rate * gradients[k] for k, w in parameters.items()}, {}
"""


def checked(text: str, tmp_path: Path, *options: str) -> int:
    path = tmp_path / "mine.py"
    path.write_text(text)
    return main(["check", str(path), "--no-plots", "--out", str(tmp_path / "out"), *options])


@pytest.mark.parametrize(
    ("text", "old", "new", "code"),
    [
        (UPDATE, "", "", 0),
        (UPDATE, "(1 - h * h)", "(1 - h)", 1),
        (UPDATE, "h.T @ d,", "h.T @ d * 2,", 1),
        (DEEP, "", "", 0),
        (DEEP, "h2 * (1 - h2)", "h2", 1),
        (DEEP, 'd1 = d2 @ w["w2"].T * h1 * (1 - h1)', 'd1 = d2 @ w["w2"].T', 1),
        (DEEP + ADAM, "", "", 0),
        (DEEP + ADAM, "m / (1 - betas[0] ** t)", "m", 1),
        (DEEP + ADAM, "s / (1 - betas[1] ** t)", "s", 1),
        (DEEP + PLAIN, "", "", 0),
        (DEEP + PLAIN, "w - learning_rate", "w + learning_rate", 1),
        (DEEP + ROOT, "", "", 3),
    ],
)
def test_a_file_by_its_path_is_held_against_what_it_is(
    text: str, old: str, new: str, code: int, tmp_path: Path
) -> None:
    assert not old or text.count(old) == 1
    assert checked(text.replace(old, new) if old else text, tmp_path) == code


def test_what_was_read_off_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(DEEP + ADAM, tmp_path) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "read off the file: a network of 3 layers, `--activation sigmoid`, step is" in said
    assert "held against Adam, `--optimiser adam --betas 0.8,0.95 --eps 1e-06`" in said


def test_a_declared_network_is_the_one_it_is_held_against(tmp_path: Path) -> None:
    assert checked(DEEP, tmp_path, "--activation", "relu") == 1
    assert checked(UPDATE, tmp_path, "--activation", "tanh") == 0

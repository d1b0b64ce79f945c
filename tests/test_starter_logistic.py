"""Logistic regression as a function of a column of weights and one bias is compared."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.logistic import judged
from compare.examine.starter.source import open_source
from compare.guard.guard import Guard

COLUMNS = """import numpy as np
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def fit_once(w, b, X, y):
    n = X.shape[1]
    p = sigmoid(np.dot(w.T, X) + b)
    J = -(np.dot(np.log(p), y.T) + np.dot(np.log(1 - p), (1 - y).T)) / n
    grads = {"dw": np.dot(X, (p - y).T) / n, "db": np.mean(p - y)}
    return grads, J.item()
"""
VECTORS = """import numpy as np
def value_and_slope(samples, flags, slope, offset):
    odds = 1.0 / (1.0 + np.exp(-(samples @ slope + offset)))
    miss = odds - flags
    value = -np.mean(flags * np.log(odds) + (1 - flags) * np.log(1 - odds))
    g_slope = samples.T @ miss / len(samples)
    g_offset = miss.mean()
    return value, g_slope, g_offset
"""
SQUARES = """import numpy as np
def value_and_slope(w, b, x, y):
    p = 1.0 / (1.0 + np.exp(-(x @ w + b)))
    d = 2 * (p - y) * p * (1 - p) / len(x)
    return np.mean((p - y) ** 2), x.T @ d, d.sum()
"""


def said(folder: Path, text: str) -> Verdict | None:
    """What is said of the last function of a text."""
    path = folder / "mine.py"
    path.write_text(text, "utf-8")
    source = open_source(path)
    name = list(source.definitions)[-1]
    node = source.definitions[name].node
    assert isinstance(node, ast.FunctionDef)
    found = judged(source, name, node, Guard(timeout=20.0), 0)
    return None if found is None else found.verdict


@pytest.mark.parametrize("text", [COLUMNS, VECTORS], ids=["columns", "vectors"])
def test_a_right_one_agrees_whatever_its_form(text: str, tmp_path: Path) -> None:
    assert said(tmp_path, text) is Verdict.AGREES


@pytest.mark.parametrize(
    ("old", "new"),
    [("np.mean(p - y)", "np.sum(p - y)"), ("(p - y).T) / n", "(y - p).T) / n"),
     ("np.log(1 - p)", "1 - np.log(p)")],
)  # fmt: skip
def test_a_wrong_one_whose_names_are_known_disagrees(old: str, new: str, tmp_path: Path) -> None:
    assert old in COLUMNS
    assert said(tmp_path, COLUMNS.replace(old, new)) is Verdict.DISAGREES


@pytest.mark.parametrize(
    "text", [SQUARES, VECTORS.replace("miss.mean()", "miss.sum()")], ids=["squares", "unnamed"]
)
def test_another_loss_and_names_that_say_nothing_accuse_nobody(text: str, tmp_path: Path) -> None:
    assert said(tmp_path, text) is None

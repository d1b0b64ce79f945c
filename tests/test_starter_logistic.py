"""Logistic regression as a function of a column of weights and one bias is compared."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.logistic import judged
from compare.examine.starter.source import open_source
from compare.guard.guard import Guard

pytestmark = pytest.mark.slow

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
HEAD = """import numpy as np
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def propagate(w, b, X, y):
    m = X.shape[0]
    z = X @ w + b
    p = sigmoid(z)
"""
ROWS = (
    HEAD
    + """    cost = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    dw = X.T @ (p - y) / m
    db = np.mean(p - y)
    return cost, dw, db
"""
)
SUM = ROWS.replace("np.mean(", "np.sum(").replace("(p - y) / m", "(p - y)")
L2 = ROWS.replace("(1 - p))", "(1 - p)) + 0.05 * np.sum(w**2)").replace("/ m", "/ m + 0.1 * w")
OVER_ROWS = (
    ROWS.replace("(1 - p))", "(1 - p)) + 0.5 / m * np.sum(w**2)").replace("/ m\n", "/ m + w / m\n")
)  # fmt: skip
LIKELIHOOD = ROWS.replace("cost = -", "cost = ").replace("(p - y)", "(y - p)").replace(
    "np.mean(p - y)", "np.mean(y - p)"
)  # fmt: skip
SIGNED = HEAD + """    cost = np.mean(np.log(1 + np.exp(-y * z)))
    g = -y * sigmoid(-y * z) / m
    return cost, X.T @ g, np.sum(g)
"""  # fmt: skip
ACCURACY = ROWS.replace("    db =", "    acc = np.mean((p > 0.5) == y)\n    db =").replace(
    "return cost", "return acc"
)  # fmt: skip
PERPLEXITY = ROWS.replace("return cost", "other = np.exp(cost)\n    return other")
OWN = {
    "made of the loss": PERPLEXITY,
    "l2": L2, "over rows": OVER_ROWS, "likelihood": LIKELIHOOD, "labels of -1 and 1": SIGNED,
    "accuracy": ACCURACY,
}  # fmt: skip
NOT_OWN = {
    "l2": L2.replace("0.1 * w", "0.05 * w"),
    "l2 of the gradient alone": ROWS.replace("/ m\n", "/ m + 0.1 * w\n"),
    "over rows": OVER_ROWS.replace("+ w / m", "+ 2 * w / m"),
    "likelihood": LIKELIHOOD.replace("np.mean(y - p)", "np.mean(p - y)"),
    "a summed gradient of a mean": SUM.replace("-np.sum(", "-np.mean("),
    "made of the loss": PERPLEXITY.replace("np.mean(p - y)", "np.sum(p - y)"),
    "accuracy": ACCURACY.replace("np.mean(p - y)", "np.sum(p - y)"),
}


def said(folder: Path, text: str) -> Verdict | None:
    """What is said of the last function of a text."""
    found = verdict(folder, text)
    return None if found is None else found.verdict


def verdict(folder: Path, text: str, **declared: object) -> FunctionVerdict | None:
    """The verdict on the last function of a text."""
    path = folder / "mine.py"
    path.write_text(text, "utf-8")
    source = open_source(path)
    name = list(source.definitions)[-1]
    node = source.definitions[name].node
    assert isinstance(node, ast.FunctionDef)
    return judged(source, name, node, Guard(timeout=20.0), 0, declared)


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


def test_a_sum_is_a_convention_that_can_be_declared(tmp_path: Path) -> None:
    found = verdict(tmp_path, SUM)
    assert found is not None
    assert (found.kind, found.diagnosis) == ("convention", ())
    again = verdict(tmp_path, SUM, reduction="sum")
    assert again is not None
    assert again.verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("text", "declared"), [(L2, {"l2": 0.1}), (OVER_ROWS, {"l2": 1.0, "penalty_over": "rows"})]
)
def test_a_penalty_can_be_declared(text: str, declared: dict[str, object], tmp_path: Path) -> None:
    found = verdict(tmp_path, text, **declared)
    assert found is not None
    assert found.verdict is Verdict.AGREES


@pytest.mark.parametrize("case", OWN)
def test_the_gradient_of_another_loss_that_it_shows_is_not_compared(
    case: str, tmp_path: Path
) -> None:
    assert OWN[case] != ROWS
    assert said(tmp_path, OWN[case]) is Verdict.UNDECIDABLE


@pytest.mark.parametrize("case", NOT_OWN)
def test_a_gradient_that_is_not_its_losss_disagrees(case: str, tmp_path: Path) -> None:
    assert NOT_OWN[case] not in (ROWS, *OWN.values())
    found = verdict(tmp_path, NOT_OWN[case])
    assert found is not None
    assert (found.verdict, found.kind) == (Verdict.DISAGREES, "value")

"""Gradients of the log-likelihood that updates add are right together, and wrong alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.starter import check_starter

pytestmark = pytest.mark.slow

TEXT = """import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def gradients(X, Y, params):
    W1, b1, W2, b2 = params
    h = np.maximum(0, X @ W1 + b1)
    d2 = (Y - softmax(h @ W2 + b2)) / len(X)
    d1 = (d2 @ W2.T) * (h > 0)
    return [X.T @ d1, d1.sum(axis=0), h.T @ d2, d2.sum(axis=0)]
def update(params, grads, lr):
    return [p + lr * g for p, g in zip(params, grads)]
"""
OTHER = "def descend(params, grads, lr):\n    return [p - lr * g for p, g in zip(params, grads)]\n"
RIGHT = TEXT.replace("(Y - softmax(h @ W2 + b2))", "(softmax(h @ W2 + b2) - Y)")
USED = "def train(X, Y, params):\n    return update(params, gradients(X, Y, params), 0.1)\n"


def verdicts(tmp_path: Path, text: str) -> set[Verdict]:
    """Return what is said of the functions and updates of a file."""
    path = tmp_path / "mine.py"
    path.write_text(text, "utf-8")
    return {one.verdict for one in check_starter(path).functions}


CALLED_ERROR = TEXT.replace("d2", "error")
LOG_SOFTMAX = TEXT.replace(
    "    d2 = (Y - softmax(h @ W2 + b2)) / len(X)\n",
    "    z = h @ W2 + b2\n    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))\n"
    "    p = np.exp(log_p)\n    d2 = (Y - p) / len(X)\n",
)
WITH_LOSS = LOG_SOFTMAX.replace(
    "    return [X.T @ d1, d1.sum(axis=0), h.T @ d2, d2.sum(axis=0)]\n",
    "    value = -(Y * log_p).sum() / len(X)\n"
    "    return value, [X.T @ d1, d1.sum(axis=0), h.T @ d2, d2.sum(axis=0)]\n",
)


@pytest.mark.parametrize("text", [TEXT, CALLED_ERROR, LOG_SOFTMAX])
def test_negative_gradients_that_are_added_are_right(tmp_path: Path, text: str) -> None:
    assert verdicts(tmp_path, text) == {Verdict.AGREES}


@pytest.mark.parametrize(
    "text", [TEXT.replace("p + lr", "p - lr"), RIGHT, RIGHT + OTHER + USED, WITH_LOSS]
)
def test_one_of_the_two_alone_is_wrong(tmp_path: Path, text: str) -> None:
    assert Verdict.DISAGREES in verdicts(tmp_path, text)


def test_a_way_up_that_nothing_calls_is_not_accused(tmp_path: Path) -> None:
    found = verdicts(tmp_path, RIGHT + OTHER)
    assert Verdict.UNDECIDABLE in found and Verdict.DISAGREES not in found

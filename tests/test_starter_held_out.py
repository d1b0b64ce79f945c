"""A validation curve that is made of the training rows is told; one of held-out rows never is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.held_out import MISTAKE, wrong_curves
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

TRAINING = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def loss(p, t):
    return -np.sum(t * np.log(p)) / len(t)
def train(x, t, x_val, t_val, steps=20, rate=0.1):
    w, b = np.zeros((x.shape[1], t.shape[1])), np.zeros(t.shape[1])
    losses, val_losses = [], []
    for _ in range(steps):
        p, p_val = softmax(x @ w + b), softmax(x_val @ w + b)
        losses.append(loss(p, t))
        val_losses.append(loss(p_val, t_val))
        d = (p - t) / len(x)
        w -= rate * x.T @ d
        b -= rate * d.sum(axis=0)
    return w, b, losses, val_losses
"""


def lines_of(body: str, arguments: str = "x, y, xv, yv") -> list[str]:
    """What is said of the curves of a function."""
    (function,) = ast.parse(f"def train({arguments}):\n {body}\n").body
    assert isinstance(function, ast.FunctionDef)
    return [curve for _, curve, _ in wrong_curves(function)]


def test_a_validation_curve_of_the_training_rows_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(TRAINING.replace("loss(p_val, t_val)", "loss(p, t)"))
    found = starter_result(check_starter(path, timeout=20.0))
    assert found.verdict is Verdict.DISAGREES
    assert [one.mistake for one in found.diagnosis] == [MISTAKE]
    assert "val_losses is made of t, which train" in " ".join(str(found).split())


@pytest.mark.slow
def test_the_same_training_with_a_curve_of_held_out_rows_agrees(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(TRAINING)
    found = starter_result(check_starter(path, timeout=20.0))
    assert found.verdict is Verdict.AGREES, found.sentence


@pytest.mark.parametrize(
    "body",
    [
        "val_loss.append(f(x, y))",
        "history['valid'].append(f(x, y))",
        "loss = f(x, y); self.test_curve.append(loss)",
        "p = f(x); validLoss.append(g(p, y))",
    ],
)
def test_a_curve_of_held_out_rows_that_has_training_rows_alone_is_wrong(body: str) -> None:
    assert len(lines_of(body)) == 1


@pytest.mark.parametrize(
    "body",
    [
        "val_loss.append(f(xv, yv))",
        "train_loss.append(f(x, y))",
        "p = f(xv); val_loss.append(g(p, yv))",
        "p = f(xv); val_loss.append(g(p, y))",  # mixed: not this mistake
        "total = 0\n for a, b in batches(xv, yv): total += f(a, b)\n val_loss.append(total)",
        "x, y = load('validation'); val_loss.append(f(x, y))",
        "val_loss.append(f(x[100:], y[100:]))",
        "val_loss.append(evaluate())",
        "val_curve.append((y, evaluate()))",
        "for y in range(3): val_curve.append((y, f(w)))",
        "std_dev.append(f(x))",
        "if xv is None: val_loss.append(f(x, y))",
        "val_loss.append(f(self.val_x, y))",
    ],
)
def test_a_curve_that_may_be_of_held_out_rows_is_not_accused(body: str) -> None:
    assert lines_of(body) == []


def test_without_held_out_rows_nothing_is_said() -> None:
    assert lines_of("val_loss.append(f(x, y))", "x, y") == []

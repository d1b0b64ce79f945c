"""A derivative under several words is compared for every word, and a term that only the gradients
show is nobody's mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.chosen_slopes import chosen_slopes
from compare.examine.starter.source import open_source
from compare.examine.starter.starter import check_starter
from tests.hand_ins import checked

OF_Z = """
import numpy as np

def activation_grad(z, kind="tanh"):
    s = 1 / (1 + np.exp(-z))
    if kind == "tanh":
        return 1 - np.tanh(z) ** 2
    elif kind in ("sigmoid", "logistic"):
        return s * (1 - s)
    return np.ones_like(z) if kind == "linear" else (z > 0) * 1.0
"""
WITH_WHAT_FLOWS_IN = """
import numpy as np

def act_backward(dA, a, how):
    return dA * {"relu": a > 0, "tanh": 1 - a ** 2, "sigmoid": a * (1 - a)}[how]
"""


@pytest.mark.parametrize(
    ("text", "line", "slip", "words"),
    [
        (OF_Z, "s * (1 - s)", "s * (1 + s)", "for kind = 'sigmoid' its numbers are not"),
        (OF_Z, "s * (1 - s)", "z * (1 - z)", "tanh of its input, sigmoid of h"),
        (WITH_WHAT_FLOWS_IN, "dA * {", "dA ** (how != 'tanh') * {", "tanh of h, whatever flows in"),
        (WITH_WHAT_FLOWS_IN, "* {", "* 2 ** (how == 'tanh') * {", "for how = 'tanh' its numbers"),
    ],
)
def test_a_derivative_that_is_wrong_for_one_word_does_not_agree(
    tmp_path: Path, text: str, line: str, slip: str, words: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, "utf-8")
    (right,) = chosen_slopes(open_source(path), ["tanh"])
    assert right.verdict is Verdict.AGREES, right.sentence
    path.write_text(text.replace(line, slip), "utf-8")
    (wrong,) = chosen_slopes(open_source(path), ["tanh"])
    assert wrong.verdict is Verdict.UNDECIDABLE
    assert words in wrong.sentence


GRADIENTS_ALONE = """
import numpy as np

def gradients(X, Y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    e = np.exp(A1 @ W2 + b2)
    P = e / e.sum(axis=1, keepdims=True)
    d2 = (P - Y) / len(Y)
    dW2 = A1.T @ d2 + 0.001 * W2
    d1 = d2 @ W2.T * (Z1 > 0)
    return X.T @ d1 + 0.001 * W1, d1.sum(axis=0), dW2, d2.sum(axis=0)
"""
A_LOSS = "\nfor epoch in range(9):\n    loss = -np.sum(Y * np.log(P)) / len(Y)\n"


@pytest.mark.slow
def test_a_penalty_that_no_loss_is_shown_for_is_asked_for(tmp_path: Path) -> None:
    """Right if the loss has it, wrong if it has not: which of the two no line tells."""
    path = tmp_path / "mine.py"
    path.write_text(GRADIENTS_ALONE, "utf-8")
    (found,) = check_starter(path).functions
    assert found.verdict is Verdict.UNDECIDABLE
    assert "declare it, --l2 0.001" in found.sentence
    assert checked(tmp_path, GRADIENTS_ALONE, l2=0.001).verdict is Verdict.AGREES


@pytest.mark.slow
@pytest.mark.parametrize("text", [GRADIENTS_ALONE + A_LOSS, GRADIENTS_ALONE.replace("+ 0", "- 0")])
def test_a_penalty_beside_a_loss_without_it_and_a_negative_one_are_mistakes(
    tmp_path: Path, text: str
) -> None:
    found = checked(tmp_path, text)
    assert found.verdict is Verdict.DISAGREES
    assert found.diagnosis[0].mistake == "l2-in-gradient-only"

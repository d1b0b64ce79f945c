"""A class whose training computes its gradient inline: its loss is asked at our weights, and not at
those that the training has moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compare.contracts.result import Verdict
from compare.diagnosis.candidates import parts
from compare.diagnosis.match import Case
from compare.diagnosis.observation import Observation
from compare.diagnosis.pairing import nearness
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result
from tests.test_textbook import a_point

TRAINED = """\
import numpy as np

class Net:
    def __init__(self, d, h, k):
        self.W1, self.b1 = np.random.randn(d, h) * 0.3, np.zeros(h)
        self.W2, self.b2 = np.random.randn(h, k) * 0.3, np.zeros(k)

    def predict_proba(self, X):
        self.h = np.tanh(X @ self.W1 + self.b1)
        s = self.h @ self.W2 + self.b2
        s = np.exp(s - s.max(axis=1, keepdims=True))
        return s / s.sum(axis=1, keepdims=True)

    def log_loss(self, X, Y):
        return -np.mean(np.sum(Y * np.log(self.predict_proba(X)), axis=1))

    def fit(self, X, Y, lr=0.2, epochs=10):
        for epoch in range(epochs):
            p = self.predict_proba(X)
            delta = (p - Y) / len(X)
            dW2, db2 = self.h.T @ delta, delta.sum(axis=0)
            dh = (delta @ self.W2.T) * (1 - self.h ** 2)
            dW1, db1 = X.T @ dh, dh.sum(axis=0)
            self.W1 -= lr * dW1
            self.b1 -= lr * db1
            self.W2 -= lr * dW2
            self.b2 -= lr * db2
        return self
"""
OWN_EPOCHS = {
    "def __init__(self, d, h, k):": "def __init__(self, d, h, k, lr=0.2, epochs=10):",
    "self.W1, self.b1 = np": "self.lr, self.epochs = lr, epochs\n        self.W1, self.b1 = np",
    "def fit(self, X, Y, lr=0.2, epochs=10)": "def fit(self, X, Y)",
    "range(epochs)": "range(self.epochs)",
    "-= lr": "-= self.lr",
}


def often() -> str:
    """The same, with rate and number of epochs in its constructor."""
    text = TRAINED
    for old, new in OWN_EPOCHS.items():
        assert old in text
        text = text.replace(old, new)
    return text


def verdict(folder: Path, text: str) -> tuple[Verdict, str]:
    """The verdict on a file and its sentence."""
    (folder / "net.py").write_text(text)
    result = starter_result(check_starter(folder / "net.py"))
    return result.verdict, result.sentence


def test_a_right_class_agrees_although_its_training_moves_its_weights(tmp_path: Path) -> None:
    assert verdict(tmp_path, TRAINED)[0] is Verdict.AGREES


@pytest.mark.parametrize(
    ("line", "slip", "title"),
    [
        ("(1 - self.h ** 2)", "(1 - self.h)", "1 - h where 1 - h**2 belongs"),
        ("-np.mean(np.sum(", "-np.sum(np.sum(", "a loss that is summed"),
    ],
)
def test_a_wrong_one_is_named(tmp_path: Path, line: str, slip: str, title: str) -> None:
    assert line in TRAINED
    found, sentence = verdict(tmp_path, TRAINED.replace(line, slip))
    assert found is Verdict.DISAGREES and title in sentence


def test_a_training_of_as_many_steps_as_are_written_into_it_is_accused_of_nothing(
    tmp_path: Path,
) -> None:
    assert verdict(tmp_path, often())[0] is not Verdict.DISAGREES


def test_numbers_near_the_end_of_the_range_are_ranked_without_overflow() -> None:
    at = a_point((4, 6, 3))
    seen = {name: np.full(at.parameters[name[1:]].shape, 1e200) for name in ("dw1", "dw2")}
    case = Case(Observation(at, seen, "huge"))
    assert all(np.isfinite(nearness(case, part)) for part in list(parts(case, alone=False))[:20])

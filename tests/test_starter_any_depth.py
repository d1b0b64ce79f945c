"""A class that is made with a list of hidden units is called with one and with two of them."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from compare.examine.starter.class_trials import Trial, trial_of
from compare.examine.starter.one_function import Declared
from compare.examine.starter.source import open_source
from compare.guard.guard import Guard

TEXT = """import numpy as np
class Stack:
    def __init__(self, hidden_units, n_features=20, n_classes=4):
        wide = [n_features, *hidden_units, n_classes]
        self.weights = [0.1 * np.random.randn(a, b) for a, b in zip(wide, wide[1:])]
        self.biases = [np.zeros(b) for b in wide[1:]]
    def loss_and_gradients(self, x, y):
        kept = [x]
        for w, b in zip(self.weights[:-1], self.biases[:-1]):
            kept.append(np.maximum(0, kept[-1] @ w + b))
        z = kept[-1] @ self.weights[-1] + self.biases[-1]
        z = z - z.max(1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        loss = -np.log(p[np.arange(len(x)), y]).mean()
        d = (p - np.eye(p.shape[1])[y]) / len(x)
        dw, db = [], []
        for i in range(len(self.weights) - 1, -1, -1):
            dw.insert(0, kept[i].T @ d)
            db.insert(0, d.sum(0))
            if i > 0:
                d = d @ self.weights[i].T * (kept[i] > 0)
        return loss, dw, db
"""


def tried(folder: Path, text: str) -> Trial:
    """How the class of a text is called."""
    path = folder / "mine.py"
    path.write_text(text, "utf-8")
    source = open_source(path, guard=Guard(timeout=20.0))
    cls = source.load(["Stack"]).get("Stack")
    assert inspect.isclass(cls)
    found = trial_of(cls, source, "Stack", Declared({"reduction": "mean"}, 0, 20.0))
    assert isinstance(found, Trial), found
    return found


def test_a_right_one_is_right_at_both_depths(tmp_path: Path) -> None:
    found = tried(tmp_path, TEXT)
    assert found.whole and not found.lacking and found.sizes.layers == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(kept[i] > 0)", "(kept[1] > 0)"),
        ("if i > 0:", "if i == 1:"),
        ("* (kept[i] > 0)", "* (kept[i] > 0 if i == 1 else 1)"),
    ],
)
def test_what_is_wrong_with_two_hidden_layers_alone_is_not_called_right(
    old: str, new: str, tmp_path: Path
) -> None:
    assert old in TEXT
    found = tried(tmp_path, TEXT.replace(old, new))
    assert found.lacking or (found.sizes.layers == 3 and not found.whole)

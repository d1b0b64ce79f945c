"""A class is compared with every word it may be made with; what it never drops was not compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked, of_wrong_twin

pytestmark = pytest.mark.slow

WORDS = """
import numpy as np
class MLP:
    def __init__(self, sizes, activation="relu", keep_prob=0.5):
        self.W = [np.random.randn(a, b) for a, b in zip(sizes[:-1], sizes[1:])]
        self.b = [np.zeros(b) for b in sizes[1:]]
        self.activation = activation
    def act(self, z):
        return np.tanh(z) if self.activation == "tanh" else np.maximum(z, 0)
    def slope(self, z):
        return 1 - np.tanh(z) ** 2 if self.activation == "tanh" else (z > 0) * 1.0
    def forward(self, x):
        self.x, self.z = x, x @ self.W[0] + self.b[0]
        self.h = self.act(self.z)
        e = np.exp(self.h @ self.W[1] + self.b[1])
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p
    def backward(self, y):
        d = (self.p - y) / len(y)
        d1 = d @ self.W[1].T * self.slope(self.z)
        return [self.x.T @ d1, self.h.T @ d], [d1.sum(axis=0), d.sum(axis=0)]
"""


def test_a_derivative_that_is_wrong_for_another_word_of_a_class_is_seen(tmp_path: Path) -> None:
    wrong = of_wrong_twin(tmp_path, WORDS, "1 - np.tanh(z) ** 2 if", "1 - np.tanh(z) if")
    assert wrong.diagnosis[0].mistake == "square-left-out"
    assert "with activation = 'tanh'" in wrong.findings[0].message


OWN = WORDS[WORDS.index("    def act(") : WORDS.index("    def forward(")]
TABLE = (
    WORDS.replace(OWN, "")
    .replace(
        "class MLP:",
        """def tanh_slope(z):
    return 1 - np.tanh(z) ** 2
KNOWN = {"relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
         "tanh": (np.tanh, tanh_slope)}
class MLP:""",
    )
    .replace("self.activation = activation", "self.act, self.slope = KNOWN[activation]")
)
HELPERS = (
    WORDS.replace(OWN, "")
    .replace(
        "class MLP:",
        """def act(z, kind):
    if kind == "tanh":
        return np.tanh(z)
    elif kind == "relu":
        return np.maximum(z, 0)
def act_slope(z, kind):
    if kind == "tanh":
        return 1 - np.tanh(z) ** 2
    elif kind == "relu":
        return (z > 0) * 1.0
class MLP:""",
    )
    .replace("self.act(self.z)", "act(self.z, self.activation)")
    .replace("self.slope(self.z)", "act_slope(self.z, self.activation)")
)


@pytest.mark.parametrize("text", [TABLE, HELPERS])
def test_words_of_a_table_or_of_a_helper_are_tried_too(tmp_path: Path, text: str) -> None:
    wrong = of_wrong_twin(tmp_path, text, "1 - np.tanh(z) ** 2", "1 - z ** 2")
    assert "derivative-formula-of-the-input" in [one.mistake for one in wrong.diagnosis]


def test_a_class_that_could_drop_units_and_drops_none_is_undecided(tmp_path: Path) -> None:
    drops = WORDS.replace("keep_prob=0.5", "keep_prob=1.0").replace(
        "self.h = self.act(self.z)",
        "self.h = self.act(self.z) * (np.random.rand(*self.z.shape) < self.keep_prob)",
    )
    drops = drops.replace("self.activation = activation", "self.activation = activation\n"
                          "        self.keep_prob = keep_prob")  # fmt: skip
    assert checked(tmp_path, drops).verdict is Verdict.UNDECIDABLE


FIELDS = """
from __future__ import annotations
from dataclasses import dataclass, field
import numpy as np
@dataclass
class TwoLayer:
    w1: np.ndarray
    b1: np.ndarray
    w2: np.ndarray
    b2: np.ndarray
    saved: dict = field(default_factory=dict)
    def forward(self, x):
        h = np.tanh(x @ self.w1 + self.b1)
        self.saved = {"x": x, "h": h}
        e = np.exp(h @ self.w2 + self.b2)
        return e / e.sum(axis=1, keepdims=True)
    def backward(self, p, targets):
        d = (p - targets) / len(targets)
        dz = d @ self.w2.T * (1 - self.saved["h"] ** 2)
        return self.saved["x"].T @ dz, dz.sum(axis=0), self.saved["h"].T @ d, d.sum(axis=0)
"""


def test_a_dataclass_is_made_with_the_weights_that_are_its_fields(tmp_path: Path) -> None:
    wrong = of_wrong_twin(tmp_path, FIELDS, '["h"] ** 2', '["h"]')
    assert wrong.diagnosis[0].mistake == "square-left-out"


OBJECTIVES = """import numpy as np
def squash(t):
    return 1 / (1 + np.exp(-t))
class Bernoulli:
    def value(self, out, want):
        return -np.sum(want * np.log(out) + (1 - want) * np.log(1 - out)) / len(out)
    def slope(self, raw, out, want):
        return (out - want) / len(out)
class Squares:
    def value(self, out, want):
        return np.sum((out - want) ** 2) / len(out)
    def slope(self, raw, out, want):
        return 2 * (out - want) * squash(raw) * (1 - squash(raw)) / len(out)
class Net:
    def __init__(self, sizes, objective=Bernoulli):
        self.A = np.random.randn(sizes[0], sizes[1])
        self.a = np.zeros(sizes[1])
        self.B = np.random.randn(sizes[1], sizes[2])
        self.b = np.zeros(sizes[2])
        self.objective = objective()
    def forward(self, x):
        self.x, self.h = x, squash(x @ self.A + self.a)
        self.raw = self.h @ self.B + self.b
        self.out = squash(self.raw)
        return self.out
    def loss(self, y):
        return self.objective.value(self.out, y)
    def backward(self, y):
        d = self.objective.slope(self.raw, self.out, y)
        e = d @ self.B.T * self.h * (1 - self.h)
        return self.x.T @ e, e.sum(0), self.h.T @ d, d.sum(0)
"""


def test_a_class_that_may_be_made_with_another_class_is_made_with_it(tmp_path: Path) -> None:
    right = checked(tmp_path, OBJECTIVES)
    assert right.verdict is Verdict.AGREES, right.sentence
    assert "right with objective = Squares too" in right.checks[0].sentence


@pytest.mark.parametrize(
    ("old", "new"),
    [("return 2 * (out", "return (out"), ("squash(raw) * (1 - squash(raw))", "out * (1 - raw)")],
)
def test_a_wrong_one_of_them_is_seen(old: str, new: str, tmp_path: Path) -> None:
    assert old in OBJECTIVES
    wrong = checked(tmp_path, OBJECTIVES.replace(old, new))
    assert wrong.verdict is not Verdict.AGREES
    assert "objective = Squares" in wrong.checks[0].sentence

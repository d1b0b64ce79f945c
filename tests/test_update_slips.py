"""Wrong forms of Adam, RMSprop and Adagrad in somebody's own update: named, right forms accused of
nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.loop_steps import Updates, loop_steps
from compare.examine.starter.source import open_source

ADAM = """class Net:
    def update(self, grads):
        self.t += 1
        for k in self.params:
            self.m[k] = self.beta1 * self.m[k] + (1 - self.beta1) * grads[k]
            self.v[k] = self.beta2 * self.v[k] + (1 - self.beta2) * grads[k] ** 2
            m_hat = self.m[k] / (1 - self.beta1 ** self.t)
            v_hat = self.v[k] / (1 - self.beta2 ** self.t)
            self.params[k] -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
"""
RMSPROP = """class Net:
    def update(self, grads):
        for k in self.params:
            self.s[k] = 0.9 * self.s[k] + 0.1 * grads[k] * grads[k]
            self.params[k] -= self.lr * grads[k] / (np.sqrt(self.s[k]) + 1e-8)
"""
ADAGRAD = """class Net:
    def update(self, grads):
        for k in self.params:
            self.cache[k] += grads[k] ** 2
            self.params[k] -= self.lr * grads[k] / (np.sqrt(self.cache[k]) + 1e-8)
"""
UNCORRECTED = ADAM.replace("self.m[k] / (1 - self.beta1 ** self.t)", "self.m[k]").replace(
    "self.v[k] / (1 - self.beta2 ** self.t)", "self.v[k]"
)
ROOT = "(np.sqrt(v_hat) + self.eps)"
LARGEST = "            self.r[k] = np.maximum(self.r[k], {})\n            self.params"
AMSGRAD = ADAM.replace("            self.params", LARGEST.format("self.v[k]")).replace(
    ROOT, "(np.sqrt(self.r[k] / (1 - self.beta2 ** self.t)) + self.eps)"
)
OF_CORRECTED = ADAM.replace("            self.params", LARGEST.format("v_hat")).replace(
    "np.sqrt(v_hat)", "np.sqrt(self.r[k])"
)
RIGHT = {
    "Adam": ADAM, "without t": UNCORRECTED, "RMSprop": RMSPROP, "Adagrad": ADAGRAD,
    "AMSGrad": AMSGRAD, "of corrected": OF_CORRECTED,
    "inside": ADAM.replace(ROOT, "np.sqrt(v_hat + self.eps)"),
    "inside 1e-8": RMSPROP.replace("np.sqrt(self.s[k]) + 1e-8", "np.sqrt(self.s[k] + 1e-8)"),
}  # fmt: skip
HABITS = {
    "of corrected": "in Net.update: the largest of the corrected means of squares",
    "inside": "in Net.update: epsilon inside of the root",
    "inside 1e-8": "in Net.update: epsilon 1e-08 inside of the root",
}
NEW = "self.beta2 * self.v[k] + (1 - self.beta2) * grads[k] ** 2"
WRONG = [
    ("Adam", "np.sqrt(v_hat)", "v_hat", "adam-without-root"),
    ("without t", "np.sqrt(v_hat)", "v_hat", "adam-without-root"),
    ("Adam", " ** self.t)", ")", "adam-constant-t"),
    ("Adam", "self.beta2 ** self.t", "self.beta1 ** self.t", "adam-corrected-by-beta1"),
    ("Adam", "grads[k] ** 2", "np.abs(grads[k])", "adam-absolute-for-square"),
    ("Adam", "-= self.lr", "+= self.lr", "gradient-ascent"),
    ("Adam", "self.m[k] / (1 - self.beta1 ** self.t)", "self.m[k]", "adam-first-mean-uncorrected"),
    ("Adam", "self.v[k] / (1 - self.beta2 ** self.t)", "self.v[k]", "adam-second-mean-uncorrected"),
    ("Adam", "self.beta1 * self.m[k] +", "", "adam-mean-begins-anew"),
    ("Adam", "self.beta2 * self.v[k] +", "", "adam-squares-begin-anew"),
    ("Adam", "grads[k] ** 2", "grads[k]", "adam-gradient-not-squared"),
    ("without t", "grads[k] ** 2", "grads[k]", "adam-gradient-not-squared"),
    ("RMSprop", "grads[k] * grads[k]", "grads[k]", "rmsprop-gradient-not-squared"),
    ("Adagrad", "grads[k] ** 2", "grads[k]", "adagrad-gradient-not-squared"),
    (
        "AMSGrad",
        "self.m[k] / (1 - self.beta1 ** self.t)",
        "self.m[k]",
        "adam-first-mean-uncorrected",
    ),
    ("AMSGrad", "self.beta2 * self.v[k] +", "", "adam-squares-begin-anew"),
    ("Adam", NEW, f"np.maximum(self.v[k], {NEW})", "amsgrad-largest-fed-back"),
    ("RMSprop", "np.sqrt(self.s[k])", "self.s[k]", "rmsprop-without-root"),
    ("Adagrad", "np.sqrt(self.cache[k])", "self.cache[k]", "adagrad-without-root"),
]


def updates(folder: Path, text: str) -> Updates:
    path = folder / "net.py"
    path.write_text("import numpy as np\n" + text)
    return loop_steps(open_source(path), ())


@pytest.mark.parametrize("style", RIGHT)
def test_a_right_form_is_accused_of_nothing(style: str, tmp_path: Path) -> None:
    found = updates(tmp_path, RIGHT[style])
    assert found.right == 1 and not found.found
    _, *habits = found.notes
    assert [habit.partition(",")[0] for habit in habits] == [
        habit for case, habit in HABITS.items() if case == style
    ]


@pytest.mark.parametrize(("style", "old", "new", "mistake"), WRONG)
def test_the_mistake_in_a_wrong_form_is_named(
    style: str, old: str, new: str, mistake: str, tmp_path: Path
) -> None:
    assert old in RIGHT[style]
    (found,) = updates(tmp_path, RIGHT[style].replace(old, new)).found
    assert found.verdict is Verdict.DISAGREES, found.sentence
    assert [one.mistake for one in found.diagnosis] == [mistake]


@pytest.mark.slow
def test_of_an_unknown_form_no_momentum_is_spoken(tmp_path: Path) -> None:
    (found,) = updates(tmp_path, ADAM.replace("np.sqrt(v_hat)", "v_hat ** 3")).found
    assert found.verdict is Verdict.UNDECIDABLE
    assert "Adam, RMSprop or Adagrad" in found.sentence and "momentum that" not in found.sentence


KEPT = ADAM.replace(
    "    def update", "    def __init__(self):\n        self.t = 0\n\n    def update"
)
ONCE = "        self.t += 1\n        for k in self.params:\n"
EACH = "        for k in self.params:\n            self.t += 1\n"
BEHIND = KEPT.replace(ONCE, "        for k in self.params:\n")
INDEXED_TWICE = """class Adam:
    def __init__(self, layers):
        self.t = 0
        self.m = [[np.zeros_like(l.W), np.zeros_like(l.b)] for l in layers]
        self.v = [[np.zeros_like(l.W), np.zeros_like(l.b)] for l in layers]

    def step(self):
        self.t += 1
        for i, layer in enumerate(self.layers):
            for j, (p, g) in enumerate(((layer.W, layer.dW), (layer.b, layer.db))):
                m, v = self.m[i][j], self.v[i][j]
                m[...] = self.beta1 * m + (1 - self.beta1) * g
                v[...] = self.beta2 * v + (1 - self.beta2) * g ** 2
                m_hat = m / (1 - self.beta1 ** self.t)
                v_hat = v / (1 - self.beta2 ** self.t)
                p -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
"""
COUNTS = {
    "means under two numbers": INDEXED_TWICE,
    "before the loop": KEPT,
    "behind the loop": BEHIND.replace("self.t = 0", "self.t = 1") + "        self.t += 1\n",
    "one for every weight": KEPT.replace(ONCE, EACH).replace("self.t", "self.t[k]"),
    "by another method": BEHIND + "    def next(self):\n        self.t += 1\n",
    "by somebody else": BEHIND + "def train(net):\n    net.t = net.t + 1\n",
}
MISCOUNTED = [
    (ONCE.partition("\n")[0] + "\n", "", "0", "adam-t-never-advanced"),
    (ONCE.partition("\n")[0] + "\n", "", "1", "adam-constant-t"),
    (ONCE, EACH, "0", "adam-t-per-weight"),
]


@pytest.mark.parametrize("case", COUNTS)
def test_a_count_that_is_advanced_is_right(case: str, tmp_path: Path) -> None:
    found = updates(tmp_path, COUNTS[case])
    assert found.right == 1 and not found.found, case


@pytest.mark.parametrize(("old", "new", "start", "mistake"), MISCOUNTED)
def test_a_count_that_is_not_advanced_with_the_updates_is_named(
    old: str, new: str, start: str, mistake: str, tmp_path: Path
) -> None:
    text = KEPT.replace(old, new).replace("self.t = 0", f"self.t = {start}")
    trained = "def train(net, grads):\n    net.update(grads)\n"
    (found,) = updates(tmp_path, text + trained).found
    assert found.verdict is Verdict.DISAGREES, found.sentence
    assert [one.mistake for one in found.diagnosis] == [mistake]


def test_a_count_that_another_file_may_advance_accuses_nobody(tmp_path: Path) -> None:
    (found,) = updates(tmp_path, BEHIND).found
    assert found.verdict is Verdict.UNDECIDABLE and "advances its t" in found.sentence


FUNCTION = """def adam(params, grads, m, v, lr, beta1, beta2, eps, t=1):
    for k in params:
        m[k] = beta1 * m[k] + (1 - beta1) * grads[k]
        v[k] = beta2 * v[k] + (1 - beta2) * grads[k] ** 2
        m_hat, v_hat = m[k] / (1 - beta1 ** t), v[k] / (1 - beta2 ** t)
        params[k] -= lr * m_hat / (np.sqrt(v_hat) + eps)
"""
CALL = "def train(p, m, v):\n    for i in range(9):\n        adam(p, g(p), m, v, 1, 1, 1, 1{})\n"
ONCE = "def first(p):\n    for k in p:\n        p[k] = adam(p, g, m, v, 1, 1, 1, 1, t=1)\n"
ONE = "adam(*start)\nprint(adam(p, g, m, v, 1, 1, 1, 1))\n"


@pytest.mark.parametrize("call", [CALL.format(", i + 1"), CALL.format(", t=i + 1"), "", ONE, ONCE])
def test_a_count_that_a_caller_advances_is_right(call: str, tmp_path: Path) -> None:
    found = updates(tmp_path, FUNCTION + call)
    assert found.right == 1 and not found.found


@pytest.mark.parametrize("handed", ["", ", 1", ", t=1"])
def test_a_count_that_every_caller_leaves_at_one_is_named(handed: str, tmp_path: Path) -> None:
    (found,) = updates(tmp_path, FUNCTION + CALL.format(handed)).found
    assert [one.mistake for one in found.diagnosis] == ["adam-constant-t"]

"""Updates of one training that go on by different rules are told apart, and nothing right is."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.loop_steps import loop_steps
from compare.examine.starter.source import open_source

LOOSE = """
for it in range(n_iter):
    g_w1, g_b1, g_w2, g_b2 = grads(x, t, w1, b1, w2, b2)
    m_w1 = beta * m_w1 + g_w1
    m_b1 = beta * m_b1 + g_b1
    m_w2 = beta * m_w2 + g_w2
    m_b2 = beta * m_b2 + g_b2
    w1 = w1 - eta * m_w1
    b1 = b1 - eta * m_b1
    w2 = w2 - eta * m_w2
    b2 = b2 - eta * m_b2
"""
METHOD = """
class Net:
    def update(self, lr, mom, wd=1e-4):
        self.vW1 *= mom
        self.vW1 -= lr * (self.dW1 + wd * self.W1)
        self.vb1 *= mom
        self.vb1 -= lr * self.db1
        self.W1 += self.vW1
        self.b1 += self.vb1
        self.vW2 *= mom
        self.vW2 -= lr * (self.dW2 + wd * self.W2)
        self.vb2 *= mom
        self.vb2 -= lr * self.db2
        self.W2 += self.vW2
        self.b2 += self.vb2
"""
ADAM = """
def step(W1, b1, W2, b2, dW1, db1, dW2, db2, lr):
    return W1 - lr * dW1, b1 - lr * db1, W2 - 2 * lr * dW2, b2 - lr * db2
"""
OF_WEIGHTS = """
for epoch in range(9):
    dW1, db1, dW2, db2 = grad(W1, b1, W2, b2)
    v1 = 0.9 * v1 - lr * dW1
    W1 += v1
    b1 -= lr * db1
    v2 = 0.9 * v2 - lr * dW2
    W2 += v2
    b2 -= lr * db2
"""
TWO = """
for epoch in range(9):
    g_sgd, g_mom = grad(w_sgd), grad(w_mom)
    w_sgd = w_sgd - lr * g_sgd
    v = mu * v - lr * g_mom
    w_mom = w_mom + v
"""
RIGHT = [
    (LOOSE, "", ""),
    (LOOSE, "- eta * m_w2", "- 0.1 * eta * m_w2"),
    (METHOD, "", ""),
    (METHOD, "self.dW2 + wd * self.W2", "self.dW2"),
    (ADAM, "", ""),
    (OF_WEIGHTS, "", ""),
    (TWO, "", ""),
]
WRONG = [
    (
        LOOSE,
        "- eta * m_w2",
        "- eta * g_w2",
        "m_w2 is kept, and nothing reads it: w2 moves without it",
    ),
    (LOOSE, "    b1 = b1 - eta * m_b1\n", "", "m_b1 is kept, and nothing reads it: b1 does not"),
]
ODD = [
    (LOOSE, "beta * m_b2 + g_b2", "m_b2 + g_b2", "b2 is updated by another rule than w1"),
    (
        LOOSE,
        "- eta * m_w1",
        "- eta * g_w1 - eta * beta * m_w1",
        "w1 is updated by another rule than",
    ),
    (LOOSE, "    m_b2 = beta * m_b2 + g_b2", "    m_b2 = g_b2", "b2 is updated without the mom"),
]


def verdicts(path: Path, text: str) -> list[tuple[Verdict, str]]:
    """What is found about the updates of a file."""
    path.write_text("import numpy as np\n" + text, "utf-8")
    return [(one.verdict, one.sentence) for one in loop_steps(open_source(path), ()).found]


@pytest.mark.parametrize(("text", "old", "new"), RIGHT)
def test_updates_by_one_rule_are_right(tmp_path: Path, text: str, old: str, new: str) -> None:
    assert old in text
    assert verdicts(tmp_path / "mine.py", text.replace(old, new)) == []


@pytest.mark.parametrize(("text", "old", "new", "words"), WRONG)
def test_a_velocity_that_nothing_reads_is_a_mistake(
    tmp_path: Path, text: str, old: str, new: str, words: str
) -> None:
    assert old in text
    ((verdict, sentence),) = verdicts(tmp_path / "mine.py", text.replace(old, new))
    assert verdict is Verdict.DISAGREES
    assert words in sentence


@pytest.mark.parametrize(("text", "old", "new", "words"), ODD)
def test_an_update_by_another_rule_is_named(
    tmp_path: Path, text: str, old: str, new: str, words: str
) -> None:
    assert old in text
    ((verdict, sentence),) = verdicts(tmp_path / "mine.py", text.replace(old, new))
    assert verdict is Verdict.UNDECIDABLE
    assert words in sentence


TURNS = """
def sgd(net, grad, rate):
    net.w_in = net.w_in - rate * grad["dw_in"]
    net.b_in = net.b_in - rate * grad["db_in"]
    net.w_out = net.w_out - rate * grad["dw_out"]
    net.b_out = net.b_out - rate * grad["db_out"]
"""
FROM_0 = """
def sgd(W1, W2, dW0, dW1, rate):
    return W1 - rate * dW0, W2 - rate * dW1
"""


@pytest.mark.parametrize(
    ("text", "changes", "accused"),
    [
        (TURNS, [], []),
        (FROM_0, [], []),
        (LOOSE, [], []),
        (TURNS, [('"db_in"', '"db_out"')], ["net.b_in"]),
        (TURNS, [('"db_out"', '"db_in"')], ["net.b_out"]),
        (LOOSE, [("m_b1 + g_b1", "m_b1 + g_b2")], ["b1"]),
        (TURNS, [('"db_in"', "0"), ('"db_out"', '"db_in"'), ("0]", '"db_out"]')],
         ["net.b_in", "net.b_out"]),
    ],
)  # fmt: skip
def test_the_update_is_accused_whose_gradient_is_named_after_another_weight(
    tmp_path: Path, text: str, changes: list[tuple[str, str]], accused: list[str]
) -> None:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "mine.py"
    path.write_text(text, "utf-8")
    found = loop_steps(open_source(path), ()).found
    assert [one.name.split()[3] for one in found] == accused
    assert all(one.verdict is Verdict.DISAGREES for one in found)


BOTH_WAYS = """
def sgd(W1, b1, W2, b2, dW1, db1, dW2, db2, rate):
    return W1 - rate * dW2, b1 - rate * db2, W2 - rate * dW1, b2 - rate * db1
"""
ERROR = """
class Unit:
    def fit(self, X, y):
        for x, t in zip(X, y):
            error = self.predict(x) - t
            self.w -= self.rate * error
            self.b -= self.rate * error
"""
SLOW = """
def train(W1, slow_W1, dW1, rate):
    W1 = W1 - rate * dW1
    slow_W1 = slow_W1 - rate * dW1
    return W1, slow_W1
"""


PERCEPTRON = (
    ERROR.replace("self.predict(x) - t", "t - self.predict(x)")
    .replace("-=", "+=")
    .replace("rate * error", "rate * error * x", 1)
)


@pytest.mark.parametrize("text", [BOTH_WAYS, ERROR, SLOW, PERCEPTRON])
def test_names_alone_do_not_accuse_an_update(tmp_path: Path, text: str) -> None:
    found = verdicts(tmp_path / "mine.py", text)
    assert all(one is Verdict.UNDECIDABLE for one, _ in found), found

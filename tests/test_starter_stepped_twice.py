"""A second step on one gradient is said; steps on gradients of their own are not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.stepped_twice import only_moving, second_steps
from tests.hand_ins import checked
from tests.test_starter_tensors import NET

STEP = """
    def step(self, lr):
        self.W1 -= lr * self.dW1
        self.b1 -= lr * self.db1
        self.W2 -= lr * self.grad_hidden_out
        self.b2 -= lr * self.db2

    def fit(self, X, Y, epochs, lr):
        for _ in range(epochs):
            self.forward(X)
            self.backward(Y)
            self.step(lr)
"""
FUNCTION = """
def fit(X, Y, W, epochs, lr):
    for epoch in range(epochs):
        dW = gradients(X, Y, W)
        {body}
    return W
"""


def said(text: str) -> list[tuple[str, int]]:
    tree = ast.parse(text)
    return list(second_steps(tree, only_moving([tree])))


@pytest.mark.slow
def test_a_class_that_steps_twice_on_one_gradient_is_not_called_right(tmp_path: Path) -> None:
    assert checked(tmp_path, NET + STEP).verdict is Verdict.AGREES
    twice = checked(tmp_path, f"{NET}{STEP}            self.step(lr)\n")
    assert twice.verdict is Verdict.UNDECIDABLE
    assert "the steps in fit could not be compared" in twice.sentence
    (check,) = (one for one in twice.checks if one.check == "the steps in fit")
    assert "line 39 (`self.step(lr)`) takes another step on the same gradient" in check.sentence
    again = "            self.forward(X)\n            self.backward(Y)\n            self.step(lr)\n"
    assert "the steps in fit" not in checked(tmp_path, NET + STEP + again).sentence


@pytest.mark.parametrize(
    ("body", "twice"),
    [
        ("W = W - lr * dW", False),
        ("for _ in range(2):\n            W = W - lr * dW", True),
        ("for _ in range(2):\n            W -= lr * dW", True),
        ("for k in range(len(W)):\n            W[k] -= lr * dW[k]", False),
        ("for _ in range(2):\n            W -= lr * gradients(X, Y, W)", False),
        ("for _ in range(2):\n            W -= lr * (dW + 0.1 * W)", False),  # another each time
        ("for _ in range(2):\n            dW = 0.5 * dW\n            W -= lr * dW", False),
        ("for _ in range(9):\n            root -= 0.5 * (root - n / root)", False),
        ("for _ in range(2):\n            left -= 1", False),
        ("W = W - lr * dW\n        W = W - lr * dW", False),  # the reader of updates adds these up
    ],
)
def test_a_loop_on_one_gradient_is_told_from_other_loops(body: str, twice: bool) -> None:
    assert bool(said(FUNCTION.format(body=body))) == twice


@pytest.mark.parametrize(
    ("update", "twice"),
    [
        ("W -= lr * dW\n    return W", True),
        ("for k in range(2):\n        W[k] -= lr * dW[k]\n    return W", True),
        ("W -= lr * x.T @ (x @ W)\n    return W", False),  # its own gradient
        ("W -= lr * np.mean(x * (x * W - y))\n    return W", False),
        ("W -= lr * gradients(W)\n    return W", False),
        ("W.left -= 1\n    return W", False),
    ],
)
def test_a_call_that_computes_its_own_gradient_may_stand_twice(update: str, twice: bool) -> None:
    text = FUNCTION.format(body="W = update(W, dW, lr)\n        W = update(W, dW, lr)")
    text += f"def update(W, dW, lr):\n    {update}\ndef gradients(W):\n    return W @ W\n"
    assert bool(said(text)) == twice


def test_every_function_of_a_name_has_to_move_weights_alone() -> None:
    layers = "class Layer:\n    def update(self, lr):\n        self.W -= lr * self.dW\n"
    net = "class Net:\n    def update(self, lr):\n        for one in self.all:\n            {}\n"
    fit = "def fit(net):\n    while True:\n        net.update(1)\n        net.update(1)\n"
    assert said(layers + net.format("one.update(lr)") + fit)
    derives = net.format("one.update(lr * one.x.T.dot(one.d))")
    assert not said(layers + derives + fit)
    assert not said(layers + net.format("one.update(lr)") + fit.replace("while True", "if True"))

"""Classes that take one sample at a time, with a loss and a training of a list of samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked, of_wrong_twin

pytestmark = pytest.mark.slow

NET = """
import numpy as np
class Brain:
    def __init__(self, layer_sizes):
        self.depth = len(layer_sizes)
        self.thetas = [np.random.randn(b, a) for a, b in zip(layer_sizes, layer_sizes[1:])]
        self.offsets = [np.random.randn(b, 1) for b in layer_sizes[1:]]
    def feed(self, a):
        for t, o in zip(self.thetas, self.offsets):
            a = np.tanh(t @ a + o)
        return a
    def mean_cost(self, samples):
        total = 0.0
        for x, y in samples:
            total += np.sum((self.feed(x) - y) ** 2)
        return total / len(samples)
    def gradients(self, x, y):
        outs = [x]
        for t, o in zip(self.thetas, self.offsets):
            outs.append(np.tanh(t @ outs[-1] + o))
        delta = self.error_slope(outs[-1], y) * (1 - outs[-1] ** 2)
        grad_t, grad_o = [None] * (self.depth - 1), [None] * (self.depth - 1)
        for k in range(self.depth - 2, -1, -1):
            grad_t[k], grad_o[k] = delta @ outs[k].T, delta
            delta = (self.thetas[k].T @ delta) * (1 - outs[k] ** 2)
        return grad_t, grad_o
    def error_slope(self, out, y):
        return 2 * (out - y)
    def train_batch(self, batch, rate):
        sum_t = [np.zeros_like(t) for t in self.thetas]
        sum_o = [np.zeros_like(o) for o in self.offsets]
        for x, y in batch:
            grad_t, grad_o = self.gradients(x, y)
            sum_t = [s + g for s, g in zip(sum_t, grad_t)]
            sum_o = [s + g for s, g in zip(sum_o, grad_o)]
        self.thetas = [t - rate / len(batch) * s for t, s in zip(self.thetas, sum_t)]
        self.offsets = [o - rate / len(batch) * s for o, s in zip(self.offsets, sum_o)]
    def gradient_descent(self, samples, epochs, batch_size, rate):
        for epoch in range(epochs):
            np.random.shuffle(order := np.arange(len(samples)))
            for start in range(0, len(samples), batch_size):
                self.train_batch([samples[i] for i in order[start:start + batch_size]], rate)
"""
WRONG = [
    ("total / len(samples)", "total / len(samples) ** 2"),
    ("return 2 * (out - y)", "return out - y"),
    ("for i in order[start:start + batch_size]], rate)",
     "for i in order[start:start + batch_size]], rate / batch_size)"),
    ("sum_o = [s + g for s, g in zip(sum_o, grad_o)]", "sum_o = grad_o"),
    ("delta @ outs[k].T, delta", "delta @ outs[k].T, delta * outs[k + 1]"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), WRONG)
def test_a_loss_of_a_list_of_samples_belongs_to_the_gradients_of_each(
    old: str, new: str, tmp_path: Path
) -> None:
    of_wrong_twin(tmp_path, NET, old, new)


def test_a_loss_that_adds_up_its_samples_is_right_beside_the_gradients_of_each(
    tmp_path: Path,
) -> None:
    summed = checked(tmp_path, NET.replace("total / len(samples)", "total"))
    assert summed.verdict is Verdict.AGREES, summed.sentence


def test_the_derivative_of_a_loss_says_what_it_is_where_nothing_gives_it(tmp_path: Path) -> None:
    ahead, _, behind = NET.partition("    def mean_cost")
    text = f"{ahead}    def gradients{behind.partition('    def gradients')[2]}"
    found = checked(tmp_path, text)
    assert found.verdict is Verdict.AGREES, found.sentence
    other = checked(tmp_path, text.replace("y) * (1 - outs[-1] ** 2)", "y)"))
    assert other.verdict is not Verdict.AGREES, other.sentence

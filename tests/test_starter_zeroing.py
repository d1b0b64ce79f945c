"""A method that sets gradients to zero is no backward pass, and is called before one."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import ExitCode
from compare.examine.starter.zeroing import is_zeroing
from tests.test_training_rehearsed import judged

NETWORK = """import numpy as np
class Affine:
    def __init__(self, i, o):
        self.W, self.b = np.random.randn(i, o) / np.sqrt(i), np.zeros(o)
        self.gW, self.gb = np.zeros_like(self.W), np.zeros_like(self.b)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, g):
        self.gW += self.x.T @ g
        self.gb += g.sum(0)
        return g @ self.W.T
class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y
    def backward(self, g):
        return g * (1 - self.y ** 2)
class MLP:
    def __init__(self, i, h, o):
        self.layers = [Affine(i, h), Tanh(), Affine(h, o)]
    def zero_grad(self):
        for layer in self.layers:
            if isinstance(layer, Affine):
                layer.gW, layer.gb = np.zeros_like(layer.W), np.zeros_like(layer.b)
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, g):
        for layer in self.layers[::-1]:
            g = layer.backward(g)
    def sgd(self, lr):
        for layer in self.layers:
            if isinstance(layer, Affine):
                layer.W -= lr * layer.gW
                layer.b -= lr * layer.gb
def mse_loss(pred, target):
    return np.mean((pred - target) ** 2), 2 * (pred - target) / pred.size
def run(x, y, steps=100, lr=0.1):
    net = MLP(x.shape[1], 16, y.shape[1])
    for step in range(steps):
        net.zero_grad()
        pred = net.forward(x)
        loss, g = mse_loss(pred, y)
        net.backward(g)
        net.sgd(lr)
        if step % 25 == 0:
            print(step, loss)
if __name__ == '__main__':
    x = np.random.randn(40, 3)
    run(x, np.c_[x[:, :1] * x[:, 1:2], x[:, 2:] ** 2])
"""
SAMPLES = """import numpy as np
class Net:
    def __init__(self, n, h, k):
        self.W1, self.b1 = np.random.randn(n, h) * 0.1, np.zeros(h)
        self.W2, self.b2 = np.random.randn(h, k) * 0.1, np.zeros(k)
        self.reset_gradients()
    def reset_gradients(self):
        self.dW1, self.db1 = np.zeros_like(self.W1), np.zeros_like(self.b1)
        self.dW2, self.db2 = np.zeros_like(self.W2), np.zeros_like(self.b2)
    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.W1 + self.b1)
        e = np.exp(self.h @ self.W2 + self.b2)
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p
    def loss(self, y):
        return -np.log(self.p[np.arange(len(y)), y]).mean()
    def backward(self, y):
        d = self.p.copy()
        d[np.arange(len(y)), y] -= 1
        d /= len(y)
        self.dW2 += self.h.T @ d
        self.db2 += d.sum(axis=0)
        d = d @ self.W2.T * (1 - self.h ** 2)
        self.dW1 += self.x.T @ d
        self.db1 += d.sum(axis=0)
"""


@pytest.mark.parametrize(
    "name", ["zero_grad", "zero_grads", "zeroGrad", "reset_gradients", "clear_grads", "grad_zero_"]
)
def test_what_says_that_it_sets_gradients_to_zero_is_known(name: str) -> None:
    assert is_zeroing(name)


@pytest.mark.parametrize(
    "name", ["backward", "grad", "gradients", "compute_grads", "reset", "zero"]
)
def test_what_computes_gradients_sets_none_to_zero(name: str) -> None:
    assert not is_zeroing(name)


@pytest.mark.slow
@pytest.mark.parametrize("text", [NETWORK, SAMPLES])
def test_a_right_network_beside_its_zero_grad_is_accused_of_nothing(
    tmp_path: Path, text: str
) -> None:
    result = judged(tmp_path, text)
    assert result.exit_code is ExitCode.AGREES, result.sentence


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong", "mistake"),
    [
        ("        net.zero_grad()\n", "", "gradients-accumulate"),
        ("1 - self.y ** 2", "1 - self.y", "square-left-out"),
        ("+= g.sum(0)", "+= g.mean(0)", "bias-averaged"),
    ],
)
def test_what_is_wrong_beside_a_zero_grad_is_named_by_its_own_cause(
    tmp_path: Path, right: str, wrong: str, mistake: str
) -> None:
    result = judged(tmp_path, NETWORK, (right, wrong))
    assert result.exit_code is ExitCode.DISAGREES
    assert mistake in [one.mistake for one in result.diagnosis]


@pytest.mark.slow
def test_a_wrong_gradient_in_a_class_that_adds_up_is_said_of_its_backward_pass(
    tmp_path: Path,
) -> None:
    result = judged(tmp_path, SAMPLES, ("1 - self.h ** 2", "1 - self.h"))
    assert "zero" not in result.sentence and result.exit_code is ExitCode.DISAGREES
    assert "square-left-out" in [one.mistake for one in result.diagnosis]

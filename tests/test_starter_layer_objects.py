"""Layers as objects that no class puts together: composed as the file's own training does."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked, of_wrong_twin

pytestmark = pytest.mark.slow

MODULES = """
import numpy as np
class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)
class Linear:
    def __init__(self, n_in, n_out):
        self.weight = Parameter(np.random.randn(n_out, n_in))
        self.bias = Parameter(np.zeros(n_out))
    def __call__(self, x):
        self.x = x
        return x @ self.weight.data.T + self.bias.data
    def backward(self, d):
        self.weight.grad += d.T @ self.x
        self.bias.grad += d.sum(axis=0)
        return d @ self.weight.data
class ReLU:
    def __call__(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, d):
        return d * self.mask
class Sequential:
    def __init__(self, *layers):
        self.layers = layers
    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
    def backward(self, d):
        for layer in self.layers[::-1]:
            d = layer.backward(d)
        return d
class CrossEntropy:
    def __call__(self, logits, labels):
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        self.p, self.labels = e / e.sum(axis=1, keepdims=True), labels
        return -np.mean(np.log(self.p[np.arange(len(labels)), labels]))
    def backward(self):
        d = self.p.copy()
        d[np.arange(len(d)), self.labels] -= 1
        return d / len(d)
class SGD:
    def __init__(self, params, lr):
        self.params, self.lr = params, lr
    def zero_grad(self):
        for p in self.params:
            p.grad[...] = 0
    def step(self):
        for p in self.params:
            p.data -= self.lr * p.grad
model = Sequential(Linear(64, 32), ReLU(), Linear(32, 16), ReLU(), Linear(16, 10))
"""
STEPPING = """
import numpy as np
class Layer:
    def forward(self, x):
        pass
    def backward(self, gradient, learning_rate):
        pass
class Dense(Layer):
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_out, n_in), np.random.randn(n_out, 1)
    def forward(self, x):
        self.x = x
        return self.W @ x + self.b
    def backward(self, gradient, learning_rate):
        handed_on = self.W.T @ gradient
        self.W -= learning_rate * gradient @ self.x.T
        self.b -= learning_rate * gradient
        return handed_on
class Tanh(Layer):
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y
    def backward(self, gradient, learning_rate):
        return gradient * (1 - self.y**2)
def mse(y_true, y_pred):
    return np.mean((y_true - y_pred) ** 2)
def mse_prime(y_true, y_pred):
    return 2 * (y_pred - y_true) / np.size(y_true)
network = [Dense(2, 3), Tanh(), Dense(3, 1), Tanh()]
"""
KEEPING = """
import numpy as np
class Dense:
    def __init__(self, n_in, n_out):
        self.weights, self.biases = np.random.randn(n_in, n_out), np.zeros((1, n_out))
    def forward(self, inputs):
        self.inputs, self.output = inputs, inputs @ self.weights + self.biases
    def backward(self, dvalues):
        self.dweights, self.dbiases = self.inputs.T @ dvalues, dvalues.sum(axis=0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T
class Rectifier:
    def forward(self, inputs):
        self.inputs, self.output = inputs, np.maximum(0, inputs)
    def backward(self, dvalues):
        self.dinputs = dvalues.copy()
        self.dinputs[self.inputs <= 0] = 0
class SoftmaxLoss:
    def forward(self, inputs, y_true):
        e = np.exp(inputs - inputs.max(axis=1, keepdims=True))
        self.output = e / e.sum(axis=1, keepdims=True)
        return -np.mean(np.sum(y_true * np.log(self.output), axis=1))
    def backward(self, dvalues, y_true):
        self.dinputs = (dvalues - y_true) / len(dvalues)
dense1, activation1, dense2, loss = Dense(2, 64), Rectifier(), Dense(64, 3), SoftmaxLoss()
for epoch in range(10):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    value = loss.forward(dense2.output, y)
    loss.backward(loss.output, y)
    dense2.backward(loss.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)
"""
HANDED_ON = "        handed_on = self.W.T @ gradient\n"


@pytest.mark.parametrize(
    ("text", "old", "new", "mistake"),
    [
        (MODULES, "d / len(d)", "d", "gradient-summed"),
        (MODULES, "return d * self.mask", "return d * (d > 0)", "mask-from-gradient"),
        (STEPPING, "2 * (y_pred", "(y_pred", "gradient-without-factor-2"),
        (KEEPING, "[self.inputs <= 0] = 0", "[self.inputs > 0] = 0", "mask-inverted"),
    ],
    ids=["modules", "modules that mask", "layers that step", "layers that keep"],
)
def test_layers_are_composed_and_the_mistake_of_one_is_named(
    text: str, old: str, new: str, mistake: str, tmp_path: Path
) -> None:
    wrong = of_wrong_twin(tmp_path, text, old, new)
    assert mistake in [one.mistake for one in wrong.diagnosis]


def test_a_layer_that_steps_before_it_hands_the_gradient_on_is_named(tmp_path: Path) -> None:
    text = STEPPING.replace(HANDED_ON, "").replace("return handed_on", "return self.W.T @ gradient")
    found = checked(tmp_path, text)
    assert [one.mistake for one in found.diagnosis] == ["weights-stepped-too-early"]


def test_a_layer_in_no_network_that_could_be_compared_is_said_once(tmp_path: Path) -> None:
    found = checked(tmp_path, MODULES.replace("def backward(self):", "def finish(self):"))
    assert found.verdict is Verdict.UNDECIDABLE
    (sentence,) = found.not_compared
    assert sentence.startswith("Linear, ReLU") and "--layer" in sentence


def test_of_a_loss_whose_arguments_are_not_told_nobody_is_accused(tmp_path: Path) -> None:
    unnamed = STEPPING.replace("y_true", "a").replace("y_pred", "b").replace("2 * (b", "(b")
    assert checked(tmp_path, unnamed).verdict is Verdict.UNDECIDABLE

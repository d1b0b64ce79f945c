"""A file's functions are checked together, handed to each other as the file does it.

Right files in the styles of courses and posts agree, whatever their containers, layout and
activation; of their wrong twins the mistake is named.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

pytestmark = pytest.mark.slow

COLUMNS_IN_DICTIONARIES = """
import numpy as np
def initialize_parameters(n_x, n_h, n_y):
    return {"W1": np.random.randn(n_h, n_x), "b1": np.zeros((n_h, 1)),
            "W2": np.random.randn(n_y, n_h), "b2": np.zeros((n_y, 1))}
def forward_propagation(X, parameters):
    Z1 = parameters["W1"] @ X + parameters["b1"]
    A1 = np.tanh(Z1)
    E = np.exp(parameters["W2"] @ A1 + parameters["b2"])
    A2 = E / E.sum(axis=0)
    return A2, {"A1": A1, "A2": A2}
def compute_cost(A2, Y):
    return -np.sum(Y * np.log(A2)) / Y.shape[1]
def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    A1, dZ2 = cache["A1"], cache["A2"] - Y
    dZ1 = parameters["W2"].T @ dZ2 * (1 - A1 ** 2)
    return {"dW1": dZ1 @ X.T / m, "db1": dZ1.sum(1, keepdims=True) / m,
            "dW2": dZ2 @ A1.T / m, "db2": dZ2.sum(1, keepdims=True) / m}
"""
ONE_SAMPLE = """
import numpy as np
def softmax(o):
    e = np.exp(o - o.max())
    return e / e.sum()
def forward(x, W1, b1, W2, b2):
    z = np.dot(W1, x) + b1
    h = np.maximum(z, 0)
    return z, h, softmax(np.dot(W2, h) + b2)
def backprop(x, y, W1, b1, W2, b2):
    z, h, p = forward(x, W1, b1, W2, b2)
    delta = p.copy()
    delta[y] -= 1
    dh = np.dot(W2.T, delta)
    dh[z <= 0] = 0
    return np.outer(dh, x), dh, np.outer(delta, h), delta
"""
QUADRATIC = """
import numpy as np
def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))
class Network:
    def __init__(self, sizes):
        self.biases = [np.random.randn(y, 1) for y in sizes[1:]]
        self.weights = [np.random.randn(y, x) for x, y in zip(sizes[:-1], sizes[1:])]
    def backprop(self, x, y):
        activations = [x]
        for b, w in zip(self.biases, self.weights):
            activations.append(sigmoid(w @ activations[-1] + b))
        x, h, a = activations
        delta = (a - y) * a * (1 - a)
        back = self.weights[1].T @ delta * h * (1 - h)
        return [back, delta], [back @ x.T, delta @ h.T]
"""
OWN_KEYS = """
import numpy as np
def fwd(theta, inp):
    act = np.maximum(inp @ theta['W'] + theta['b'], 0)
    out = np.exp(act @ theta['V'] + theta['c'])
    return act, out / out.sum(axis=1, keepdims=True)
def bwd(theta, inp, lab):
    act, prob = fwd(theta, inp)
    err = (prob - lab) / len(inp)
    back = err @ theta['V'].T * (act > 0)
    return {'W': inp.T @ back, 'b': back.sum(0), 'V': act.T @ err, 'c': err.sum(0)}
"""
PAIRS = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def run(params, X):
    (W1, b1), (W2, b2) = params
    h = np.maximum(X @ W1 + b1, 0)
    return h, softmax(h @ W2 + b2)
def gradient(params, X, y):
    (W1, b1), (W2, b2) = params
    h, d = run(params, X)
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    dh = d @ W2.T * (h > 0)
    return [(X.T @ dh, dh.sum(0)), (h.T @ d, d.sum(0))]
"""
ONE_OUTPUT = """
import numpy as np
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def forward(X, W1, b1, W2, b2):
    A1 = np.tanh(X @ W1 + b1)
    return A1, sigmoid(A1 @ W2 + b2)
def loss(A2, Y):
    return -np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2))
def backward(X, Y, A1, A2, W2):
    m = X.shape[0]
    dZ2 = (A2 - Y) / m
    dZ1 = dZ2 @ W2.T * (1 - A1 ** 2)
    return X.T @ dZ1, dZ1.sum(0), A1.T @ dZ2, dZ2.sum(0)
"""
LAYER_OBJECTS = """
import numpy as np
class Dense:
    def __init__(self, n_in, n_out):
        self.weights, self.bias = np.random.randn(n_in, n_out), np.zeros((1, n_out))
    def forward(self, x):
        self.x = x
        return x @ self.weights + self.bias
    def backward(self, dy):
        self.dweights, self.dbias = self.x.T @ dy, dy.sum(axis=0, keepdims=True)
        return dy @ self.weights.T
class Leaky:
    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, 0.2 * x)
    def backward(self, dy):
        return dy * np.where(self.x > 0, 1, 0.2)
class Net:
    def __init__(self):
        self.layers = []
    def add(self, layer):
        self.layers.append(layer)
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p
    def backward(self, y):
        d = (self.p - y) / len(y)
        for layer in self.layers[::-1]:
            d = layer.backward(d)
def build(n_in, n_hidden, n_out, slope="leaky"):
    net = Net()
    for layer in (Dense(n_in, n_hidden), Leaky(), Dense(n_hidden, n_out)):
        net.add(layer)
    return net
"""
CACHE_IN_A_TUPLE = """
import numpy as np
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def init(nx, nh, ny):
    return dict(W1=np.random.randn(nh, nx), b1=np.zeros((nh, 1)),
                W2=np.random.randn(ny, nh), b2=np.zeros((ny, 1)))
def forward(X, p):
    Z1 = p['W1'] @ X + p['b1']
    A1 = sigmoid(Z1)
    Z2 = p['W2'] @ A1 + p['b2']
    A2 = sigmoid(Z2)
    return A2, (Z1, A1, Z2, A2)
def cost(A2, Y):
    return np.sum((A2 - Y) ** 2) / (2 * Y.shape[1])
def backward(X, Y, p, cache):
    Z1, A1, Z2, A2 = cache
    m = X.shape[1]
    dZ2 = (A2 - Y) * A2 * (1 - A2)
    dZ1 = (p['W2'].T @ dZ2) * A1 * (1 - A1)
    return dict(dW1=dZ1 @ X.T / m, db1=dZ1.sum(axis=1, keepdims=True) / m,
                dW2=dZ2 @ A1.T / m, db2=dZ2.sum(axis=1, keepdims=True) / m)
"""
FORWARD_OF_ANOTHER_NAME = """
import numpy as np
def softmax(a):
    a = a - a.max(axis=1)[:, None]
    return np.exp(a) / np.exp(a).sum(axis=1)[:, None]
def net(x, w1, b1, w2, b2):
    z1 = x.dot(w1) + b1
    h1 = np.where(z1 > 0, z1, 0.01 * z1)
    return z1, h1, softmax(h1.dot(w2) + b2)
def backward(x, y, w2, z1, h1, p):
    d = p.copy()
    d[np.arange(len(y)), y] -= 1
    d = d / len(y)
    dz = d.dot(w2.T) * np.where(z1 > 0, 1, 0.01)
    dw1, db1, dw2, db2 = x.T.dot(dz), dz.sum(axis=0), h1.T.dot(d), d.sum(axis=0)
    return dw1, db1, dw2, db2
"""
RIGHT = {
    "a forward pass of another name": FORWARD_OF_ANOTHER_NAME,
    "a cache in a tuple": CACHE_IN_A_TUPLE,
    "layers added by a function": LAYER_OBJECTS,
    "columns in dictionaries, tanh": COLUMNS_IN_DICTIONARIES,
    "one sample at a time": ONE_SAMPLE,
    "a class with a quadratic cost": QUADRATIC,
    "a dictionary with keys of its own": OWN_KEYS,
    "a list of pairs": PAIRS,
    "one sigmoid output": ONE_OUTPUT,
}
SHOWN_NOWHERE = {
    "a class with a quadratic cost": {
        "loss": "mse", "output": "sigmoid", "reduction": "batch_mean", "loss_factor": 0.5,
        "activation": "sigmoid",
    }
}  # fmt: skip
"""A loss that no line of the file gives has to be declared."""


@pytest.mark.parametrize("style", RIGHT)
def test_a_right_file_agrees_in_any_style(style: str, tmp_path: Path) -> None:
    text = RIGHT[style].replace("np.exp(act @", "np.exp(-5 + act @")
    found = checked(tmp_path, text, **SHOWN_NOWHERE.get(style, {}))
    assert found.verdict is Verdict.AGREES, found.sentence


@pytest.mark.parametrize(
    ("style", "old", "new", "mistake"),
    [
        ("a forward pass of another name", "1, 0.01)", "1, 0)", "derivative-of-relu"),
        ("a cache in a tuple", "(A2 - Y) * A2 * (1 - A2)", "A2 - Y", "gradient-of-cross-entropy"),
        ("columns in dictionaries, tanh", "1 - A1 ** 2", "1 - A1", "square-left-out"),
        ("one sample at a time", "dh[z <= 0] = 0", "pass", "mask-missing"),
        ("a dictionary with keys of its own", "(act > 0)", "(act <= 0)", "mask-inverted"),
        ("layers added by a function", "1, 0.2", "1, 0", "derivative-of-relu"),
        ("a list of pairs", "d /= len(y)", "pass", "gradient-summed"),
    ],
)
def test_the_mistake_of_a_wrong_twin_is_named(
    style: str, old: str, new: str, mistake: str, tmp_path: Path
) -> None:
    found = checked(tmp_path, RIGHT[style].replace(old, new))
    assert found.verdict is Verdict.DISAGREES
    assert mistake in [one.mistake for one in found.diagnosis]


def test_hidden_units_that_are_not_relu_are_said(tmp_path: Path) -> None:
    found = checked(tmp_path, COLUMNS_IN_DICTIONARIES)
    assert "your hidden units are tanh" in " ".join(one.sentence for one in found.checks)


def test_what_was_called_for_the_gradient_is_not_said_to_be_unseen(tmp_path: Path) -> None:
    found = checked(tmp_path, COLUMNS_IN_DICTIONARIES + "def plot(x):\n    return x\n")
    (unseen,) = [one for one in found.notes if one.startswith("not looked at")]
    assert "plot" in unseen and "forward_propagation" not in unseen and "cost" not in unseen


def test_a_declared_activation_is_what_the_file_is_held_against(tmp_path: Path) -> None:
    assert checked(tmp_path, COLUMNS_IN_DICTIONARIES, activation="tanh").verdict is Verdict.AGREES
    found = checked(tmp_path, COLUMNS_IN_DICTIONARIES, activation="relu")
    assert found.verdict is Verdict.DISAGREES


def test_a_missing_mask_is_no_identity_network(tmp_path: Path) -> None:
    found = checked(tmp_path, PAIRS.replace(" * (h > 0)", ""))
    assert found.verdict is Verdict.DISAGREES
    assert found.diagnosis[0].mistake == "mask-missing"


def test_a_constant_in_the_logarithm_is_named_with_its_size(tmp_path: Path) -> None:
    loss = "\ndef loss(p, y):\n    return -np.log(p[np.arange(len(y)), y] + EPS).mean()\n"
    text = PAIRS.replace("import numpy as np", "import numpy as np\nEPS = 1e-12") + loss
    found = checked(tmp_path, text)
    assert found.verdict is Verdict.DISAGREES
    assert "a constant 1e-12 inside the logarithm" in found.sentence


def test_of_a_squared_error_whose_calls_were_not_found_nobody_is_accused(tmp_path: Path) -> None:
    hidden = CACHE_IN_A_TUPLE.replace("cache)", "cache, how)").replace("m = X.s", "how(X); m = X.s")
    assert checked(tmp_path, hidden).verdict is Verdict.UNDECIDABLE


def test_parts_of_a_right_forward_pass_are_not_accused_beside_a_wrong_backward_pass(
    tmp_path: Path,
) -> None:
    text = CACHE_IN_A_TUPLE.replace("A1 = sigmoid(Z1)", "A1, _ = relu(Z1)").replace(
        "* A1 * (1 - A1)", ""
    )
    head = "import numpy as np\ndef relu(Z):\n    return np.maximum(Z, 0), Z\n"
    found = checked(tmp_path, text.replace("import numpy as np\n", head))
    assert found.verdict is Verdict.DISAGREES
    assert [one.mistake for one in found.diagnosis] == ["mask-missing"]
    assert "relu" not in " ".join(one.parameter or "" for one in found.findings)

"""A training of any network is held against its own loss: the slopes of the loss that it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import ExitCode
from tests.test_training_rehearsed import judged

pytestmark = pytest.mark.slow
SETUP = """import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(30, 5))
Y = rng.normal(size=(30, 2))
"""
TIED = (
    SETUP
    + """
W, b, c, lr = rng.normal(size=(5, 3)), np.zeros(3), np.zeros(5), 0.1
for i in range(20):
    h = 1 / (1 + np.exp(-(X @ W + b)))
    d = (h @ W.T + c - X) / len(X)
    loss = 0.5 * np.sum((h @ W.T + c - X) ** 2) / len(X)
    dh = d @ W * h * (1 - h)
    W -= lr * (X.T @ dh + d.T @ h)
    b -= lr * dh.sum(0)
    c -= lr * d.sum(0)
"""
)
RESIDUAL = (
    SETUP
    + """
def cost(P, X, Y):
    h = np.tanh(X @ P["W1"])
    return np.mean((h + np.tanh(h @ P["W2"]) - Y @ P["E"]) ** 2)
P = {"W1": rng.normal(size=(5, 4)), "W2": rng.normal(size=(4, 4)), "E": rng.normal(size=(2, 4))}
for i in range(20):
    h = np.tanh(X @ P["W1"])
    r = np.tanh(h @ P["W2"])
    d = 2 * (h + r - Y @ P["E"]) / h.size
    dr = d * (1 - r**2)
    dh = d + dr @ P["W2"].T
    G = {"W1": X.T @ (dh * (1 - h**2)), "W2": h.T @ dr, "E": -Y.T @ d}
    for k in P:
        P[k] = P[k] - 0.05 * G[k]
    if i % 10 == 0:
        print(i, cost(P, X, Y))
"""
)
POISSON = (
    SETUP
    + """
class Poisson:
    def __init__(self, lr=0.05):
        self.lr = lr
    def fit(self, X, y):
        self.weights, self.bias, self.history = np.zeros(X.shape[1]), 0, []
        for _ in range(50):
            rate = np.exp(X @ self.weights + self.bias)
            nll = np.mean(rate - y * np.log(rate))
            self.history.append(nll)
            self.weights -= self.lr * X.T @ (rate - y) / len(y)
            self.bias -= self.lr * np.mean(rate - y)
Poisson().fit(X, rng.poisson(2.0, 30))
"""
)
NEURONS = """import math, random
random.seed(1)
class Neuron:
    def __init__(self, n):
        self.weights, self.bias = [random.uniform(-1, 1) for _ in range(n)], random.uniform(-1, 1)
    def fire(self, x):
        self.inputs = x
        s = sum(w * v for w, v in zip(self.weights, x)) + self.bias
        self.output = 1 / (1 + math.exp(-s))
        return self.output
hidden, out = [Neuron(2) for _ in range(3)], Neuron(3)
data = [([0, 0], 0), ([0, 1], 1), ([1, 0], 1), ([1, 1], 0)]
lr = 0.5
for epoch in range(50):
    total = 0.0
    for x, t in data:
        o = out.fire([n.fire(x) for n in hidden])
        total += 0.5 * (o - t) ** 2
        out.delta = (o - t) * o * (1 - o)
        for j, n in enumerate(hidden):
            n.delta = out.weights[j] * out.delta * n.output * (1 - n.output)
        for n in [*hidden, out]:
            for i in range(len(n.inputs)):
                n.weights[i] -= lr * n.delta * n.inputs[i]
            n.bias -= lr * n.delta
"""
EMBEDDED = (
    SETUP
    + """
words, labels = rng.integers(0, 7, size=(30, 3)), rng.integers(0, 4, size=30)
C, W = rng.normal(size=(7, 2)), rng.normal(size=(6, 4))
for i in range(20):
    e = C[words].reshape(30, -1)
    s = e @ W
    p = np.exp(s - s.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[range(30), labels] + 1e-5).mean()
    d = p.copy()
    d[range(30), labels] -= 1
    d /= 30
    dC = np.zeros_like(C)
    np.add.at(dC, words, (d @ W.T).reshape(30, 3, 2))
    W += -0.1 * e.T @ d
    C += -0.1 * dC
"""
)
SQUARED = """import numpy as np
X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
y = np.array([[0, 1, 1, 0]]).T
syn0, syn1 = 2 * np.random.random((3, 4)) - 1, 2 * np.random.random((4, 1)) - 1
for j in range(600):
    l1 = 1 / (1 + np.exp(-(np.dot(X, syn0))))
    l2 = 1 / (1 + np.exp(-(np.dot(l1, syn1))))
    l2_delta = (y - l2) * (l2 * (1 - l2))
    l1_delta = l2_delta.dot(syn1.T) * (l1 * (1 - l1))
    syn1 += l1.T.dot(l2_delta)
    syn0 += X.T.dot(l1_delta)
"""
GATHERED = (
    SETUP
    + """
W, c, lr, accumulation_steps = rng.normal(size=(5, 2)), np.zeros(2), 0.1, 5
dW, dc = np.zeros_like(W), np.zeros_like(c)
for i in range(40):
    xb, yb = X[i % 6 * 5 : i % 6 * 5 + 5], Y[i % 6 * 5 : i % 6 * 5 + 5]
    r = np.tanh(xb @ W + c) - yb
    loss = np.mean(np.sum(r**2, axis=1))
    g = 2 * r * (1 - (r + yb) ** 2) / len(xb) / accumulation_steps
    dW += xb.T @ g
    dc += g.sum(0)
    if (i + 1) % accumulation_steps == 0:
        W -= lr * dW
        c -= lr * dc
        dW, dc = np.zeros_like(W), np.zeros_like(c)
"""
)
ADAPTED = TIED.replace(
    "    W -= lr * (X.T @ dh + d.T @ h)\n    b -= lr * dh.sum(0)\n    c -= lr * d.sum(0)\n",
    "    dW, db, dc = X.T @ dh + d.T @ h, dh.sum(0), d.sum(0)\n"
    "    for p, g, m in zip((W, b, c), (dW, db, dc), memory):\n"
    "        m += g * g\n        p += -lr * g / np.sqrt(m + 1e-8)\n",
).replace("for i", "memory = [np.zeros_like(one) for one in (W, b, c)]\nfor i")
OF_EPOCHS = (
    SETUP
    + """
def error_of(P, A, B):
    return np.tanh(A @ P["W"] + P["c"]) - B
def mean_loss(X, Y, P):
    return np.mean(np.sum(error_of(P, X, Y) ** 2, axis=1))
def gradients(X, Y, P):
    r = error_of(P, X, Y)
    g = 2 * r * (1 - (r + Y) ** 2) / len(X)
    yield "W", X.T @ g
    yield "c", g.sum(0)
P = {"W": rng.normal(size=(5, 2)), "c": np.zeros(2)}
for epoch in range(9):
    order = rng.permutation(30)
    for i in range(0, 30, 10):
        xb, yb = X[order[i : i + 10]], Y[order[i : i + 10]]
        for name, g in list(gradients(xb, yb, P)):
            P[name] -= 0.1 * g
    print(epoch, mean_loss(X, Y, P))
"""
)
OF_TEXT = """import numpy as np
with open("names.txt") as f:
    text = f.read()
chars = sorted(set(text))
place = {c: i for i, c in enumerate(chars)}
codes = [place[c] for c in text]
W, b, lr = np.random.randn(len(chars), len(chars)) * 0.1, np.zeros(len(chars)), 0.5
for i in range(20):
    s = W[codes[:-1]] + b
    p = np.exp(s) / np.exp(s).sum(1, keepdims=True)
    n = len(codes) - 1
    loss = -np.log(p[range(n), codes[1:]]).mean()
    p[range(n), codes[1:]] -= 1
    dW = np.zeros_like(W)
    np.add.at(dW, codes[:-1], p / n)
    W -= lr * dW
    b -= lr * p.mean(0)
"""
DROPPED = """import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(30, 5)), rng.normal(size=(30, 2))
W1, W2, lr = rng.normal(size=(5, 6)), rng.normal(size=(6, 2)), 0.1
for i in range(20):
    m = np.random.rand(30, 6) < 0.8
    h = np.tanh(X @ W1) * m / 0.8
    r = h @ W2 - Y
    loss = np.sum(r**2) / len(X)
    d = 2 * r / len(X)
    dh = d @ W2.T * m / 0.8
    dz = dh * (1 - np.tanh(X @ W1) ** 2)
    W2 -= lr * h.T @ d
    W1 -= lr * X.T @ dz
"""
SLICED = """import numpy as np
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(30, 5)), rng.normal(size=(30, 2))
net, lr = {"W": rng.normal(size=(5, 2)), "c": np.zeros(2)}, 0.1
pairs = list(zip(X, Y))
def cost(net, pairs):
    outputs = [np.tanh(x @ net["W"] + net["c"]) - y for x, y in pairs]
    return sum(np.sum(one**2) for one in outputs) / len(pairs)
def move(net, rows):
    dW, dc = np.zeros((5, 2)), np.zeros(2)
    for x, y in rows:
        o = np.tanh(x @ net["W"] + net["c"])
        d = 2 * (o - y) * (1 - o**2)
        dW, dc = dW + np.outer(x, d), dc + d
    net["W"] = net["W"] - lr / len(rows) * dW
    net["c"] = net["c"] - lr / len(rows) * dc
for epoch in range(9):
    for k in range(0, 30, 10):
        move(net, pairs[k : k + 10])
    print(epoch, cost(net, pairs))
"""
PICKED = (
    SETUP
    + """
labels, W, lr = rng.integers(0, 3, size=30), rng.normal(size=(5, 3)), 0.1
for i in range(20):
    chosen = rng.choice(30, 12)
    X_batch, y_batch = X[chosen], labels[chosen]
    s = X_batch @ W
    p = np.exp(s) / np.exp(s).sum(1, keepdims=True)
    loss = -np.log(p[range(12), y_batch]).mean()
    p[range(12), y_batch] -= 1
    W -= lr * X_batch.T @ p / 12
"""
)
RIGHT = {
    "tied weights": TIED, "residual": RESIDUAL, "Poisson": POISSON, "neurons": NEURONS,
    "word vectors": EMBEDDED, "squares": SQUARED, "gathered": GATHERED, "AdaGrad": ADAPTED,
    "dropout": DROPPED, "slices": SLICED,
    "the loss of an epoch": OF_EPOCHS, "text": OF_TEXT,
}  # fmt: skip
WRONG = {
    "one use of tied weights": (TIED, "X.T @ dh + d.T @ h", "X.T @ dh", "those of W are not"),
    "the skip left out": (RESIDUAL, "dh = d + dr", "dh = dr", "those of P.W1 are not"),
    "a bias that goes up": (
        POISSON, "np.mean(rate - y)\nP", "np.mean(y - rate)\nP",
        "steps up the gradient in self.bias"),
    "a missing slope": (
        NEURONS, "* out.delta * n.output * (1 - n.output)", "* out.delta", "of hidden.0.bias"),
    "rows that are repeated": (
        EMBEDDED, "np.add.at(dC, words, (d @ W.T).reshape(30, 3, 2))",
        "dC[words] += (d @ W.T).reshape(30, 3, 2)", "those of C are not"),
    "up the squares": (SQUARED, "(y - l2) *", "(l2 - y) *", "steps up the gradient"),
    "a gradient beside others": (
        ADAPTED, "X.T @ dh + d.T @ h", "X.T @ dh", "the gradients of b and c are the slopes"),
    "a sum beside means": (OF_EPOCHS, "g.sum(0)", "len(X) * g.sum(0)", "those of P.c are not"),
    "rows of a text that are repeated": (
        OF_TEXT, "np.add.at(dW, codes[:-1], p / n)", "dW[codes[:-1]] += p / n",
        "those of W are not"),
    "a share of a mask that is no rate": (
        DROPPED, "dh = d @ W2.T * m / 0.8", "dh = d @ W2.T * m", "those of W1 are not"),
    "a mean beside a sum of a slice": (
        SLICED, "lr / len(rows) * dc", "lr * dc", "those of net.c are not"),
    "a table called E, of words that are repeated": (
        EMBEDDED.replace("C", "E"), "np.add.at(dE, words, (d @ W.T).reshape(30, 3, 2))",
        "dE[words] += (d @ W.T).reshape(30, 3, 2)", "those of E are not"),
    "never set back": (
        GATHERED, "        dW, dc = np.zeros_like(W), np.zeros_like(c)\n", "", "added up"),
}  # fmt: skip


@pytest.mark.parametrize("kind", RIGHT)
def test_a_training_whose_steps_are_those_of_its_loss_agrees(kind: str, tmp_path: Path) -> None:
    result = judged(tmp_path, RIGHT[kind])
    assert result.exit_code is ExitCode.AGREES, result.not_compared
    assert "the slopes of its own loss" in result.sentence


@pytest.mark.parametrize("kind", WRONG)
def test_steps_that_are_none_of_the_loss_beside_others_are_wrong(kind: str, tmp_path: Path) -> None:
    text, old, new, said = WRONG[kind]
    result = judged(tmp_path, text, (old, new))
    assert result.exit_code is ExitCode.DISAGREES, result.not_compared
    assert said in result.sentence


UNDECIDED = {
    "another rule of squares": (ADAPTED, "        m += g * g\n", "        m += abs(g)\n"),
    "a gradient of another scale": (TIED, "loss = 0.5 * np", "loss = 0.1 * np"),
    "a loss that is no number": (SQUARED, "    l2_d", "    loss = np.log(-1.0)\n    l2_d"),
    "a likelihood without a name": (
        SQUARED, "    l2_d",
        "    [].append(-np.mean(y * np.log(l2) + (1 - y) * np.log(1 - l2)))\n    l2_d"),
    "a factor within bounds": (
        TIED, "    W -= lr", "    k = max(1.0, 1e-9 / np.sum(dh**2))\n    W -= k * lr"),
    "a step that is thrown away": (
        TIED, "    b -= lr * dh.sum(0)\n    c -= lr * d.sum(0)\n",
        "    b = np.subtract(b, lr * dh.sum(0))\n    np.subtract(c, lr * d.sum(0))\n"),
    "targets drawn apart": (PICKED, "labels[chosen]", "labels[rng.choice(30, 12)]"),
    "a rate of its own": (TIED, "W -= lr *", "W -= lr * 0.5 *"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNDECIDED)
def test_what_the_slopes_do_not_tell_is_undecided(kind: str, tmp_path: Path) -> None:
    text, old, new = UNDECIDED[kind]
    assert judged(tmp_path, text, (old, new)).exit_code is ExitCode.UNDECIDABLE


def test_targets_drawn_with_their_rows_agree(tmp_path: Path) -> None:
    assert judged(tmp_path, PICKED).exit_code is ExitCode.AGREES


STEPS = "    W -= lr * (X.T @ dh + d.T @ h)\n    b -= lr * dh.sum(0)\n    c -= lr * d.sum(0)\n"
FIRST = "W, b, c, lr = "
IN_EPOCHS = TIED.replace("for i in range(20):\n", "for epoch in range(5):\n  for i in range(4):\n")
HALF = "0.5 * np.sum((h @ W.T + c - X) ** 2) / len(X)"
RIGHT_IN_THEIR_WAY = {
    "a rate of another name": (
        TIED, "c -= lr * d.sum(0)", "c -= lr_c * d.sum(0)", FIRST, "lr_c = 0.03\n" + FIRST),
    "a rate written into a sum": (TIED, "c -= lr * d.sum(0)", "c = c - 0.25 * lr * d.sum(0)"),
    "a rate in a dictionary": (
        TIED, "c -= lr *", "c -= rates['c'] *", FIRST, "rates = {'c': 1.0, 'b': 3.0}\n" + FIRST),
    "steps in turns": (
        TIED, STEPS,
        "    if i % 2:\n        W -= lr * (X.T @ dh + d.T @ h)\n    else:\n"
        "        b -= lr * dh.sum(0)\n        c -= lr * d.sum(0)\n"),
    "a mean of weights beside": (
        TIED, STEPS, STEPS + "    mean = 0.9 * mean + 0.1 * W\n"
        "    loss_of_mean = np.sum((h @ mean.T - X) ** 2)\n", FIRST,
        "mean = np.zeros((5, 3))\n" + FIRST),
    "an opponent that climbs": (
        TIED, HALF, HALF + " - 0.5 * np.sum(z**2) + np.sum(z * c)",
        "d.sum(0)\n", "(d.sum(0) + z)\n    z += lr * (c - z)\n", FIRST,
        "z = rng.normal(size=5)\n" + FIRST),
    "an objective that is climbed": (
        TIED, "loss = 0.5", "J = -0.5"),
    "two decays": (
        TIED, STEPS, STEPS + "    W -= 0.01 * lr * W\n    c -= 0.02 * lr * c\n"),
    "squares beside a loss that is shown": (
        SQUARED, "    l2_d",
        "    print(-np.mean(y * np.log(l2) + (1 - y) * np.log(1 - l2)))\n    l2_d"),
}  # fmt: skip


@pytest.mark.parametrize("kind", RIGHT_IN_THEIR_WAY)
def test_a_choice_of_a_training_is_no_mistake(kind: str, tmp_path: Path) -> None:
    text, *changes = RIGHT_IN_THEIR_WAY[kind]
    result = judged(tmp_path, text, *zip(changes[::2], changes[1::2], strict=True))
    assert result.exit_code is not ExitCode.DISAGREES, result.sentence


VELOCITIES = (
    "    V = 0.9 * V - lr * (X.T @ dh + d.T @ h)\n    W += V\n    b -= lr * dh.sum(0)\n"
    "    c -= lr * d.sum(0)\n"
)
WRONG_SOMEWHERE = {
    "a unit that is cut off and has no slope": (
        TIED, "1 / (1 + np.exp(-(X @ W + b)))", "np.clip(X @ W + b, 0, None)", "* h * (1 - h)", ""),
    "weights begun anew": (
        IN_EPOCHS, "  for i in range(4):\n",
        "  W, b, c = np.ones((5, 3)) * 0.3, np.zeros(3), np.zeros(5)\n  for i in range(4):\n"),
    "an update that is lost": (TIED, "    c -= lr * d.sum(0)", "    c - lr * d.sum(0)"),
    "a gradient that nothing reads": (
        TIED, "    c -= lr * d.sum(0)\n", "    dc = d.sum(0)\n"),
    "a second loop": (
        TIED, STEPS, STEPS + "for i in range(20):\n    h = 1 / (1 + np.exp(-(X @ W + b)))\n"
        "    W -= lr * X.T @ h\n"),
    "a share of the last gradient": (
        TIED, STEPS, STEPS.replace("c -= lr * d.sum(0)", "c -= lr * (d.sum(0) + 0.9 * last)\n")
        + "    last = d.sum(0)\n", FIRST, "last = np.zeros(5)\n" + FIRST),
    "now and then": (
        TIED, "    c -= lr * d.sum(0)\n",
        "    if i % 10 == 0:\n        print(loss)\n        c -= lr * d.sum(0)\n"),
    "statistics under a name of their own": (
        TIED, STEPS, STEPS + "    rv += 0.1 * (X.mean(0) - rv)\n", FIRST,
        "rv = np.ones(5)\n" + FIRST),
    "half of a penalty beside small weights": (
        TIED, "W, b, c, lr = rng", "W, b, c, lr = 0.001 * rng", HALF,
        HALF + " + 0.02 * np.sum(W**2)",
        "d.T @ h)", "d.T @ h + 0.02 * W)"),
    "a mean of statistics": (
        TIED, STEPS, STEPS + "    running_mean = 0.9 * running_mean + 0.5 * X.mean(0)\n", FIRST,
        "running_mean = np.zeros(5)\n" + FIRST),
    "steps that are no numbers": (TIED, "0.1\nfor", "0.1\nlr = np.nan\nfor"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG_SOMEWHERE)
def test_what_the_first_steps_do_not_show_is_not_green(kind: str, tmp_path: Path) -> None:
    text, *changes = WRONG_SOMEWHERE[kind]
    result = judged(tmp_path, text, *zip(changes[::2], changes[1::2], strict=True))
    assert result.exit_code in (ExitCode.UNDECIDABLE, ExitCode.DISAGREES), result.sentence

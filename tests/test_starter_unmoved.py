"""What no step of a training moves, and targets that are not those of their rows, are not green."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.test_training_rehearsed import judged

pytestmark = pytest.mark.slow

LAYERS = """import numpy as np
class Linear:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.normal(0, 0.5, (n_in, n_out)), np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, grad):
        self.dW, self.db = self.x.T @ grad, grad.sum(axis=0)
        return grad @ self.W.T
class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y
    def backward(self, grad):
        return grad * (1 - self.y ** 2)
class SoftmaxCrossEntropy:
    def forward(self, logits, labels):
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        self.p, self.labels = e / e.sum(axis=1, keepdims=True), labels
        return -np.log(self.p[np.arange(len(labels)), labels]).mean()
    def backward(self):
        g = self.p.copy()
        g[np.arange(len(self.labels)), self.labels] -= 1
        return g / len(self.labels)
class SGD:
    def __init__(self, layers, lr):
        self.layers, self.lr = [l for l in layers if hasattr(l, "W")], lr
    def step(self):
        for l in self.layers:
            l.W -= self.lr * l.dW
            l.b -= self.lr * l.db
np.random.seed(7)
X, y = np.random.randn(96, 6), np.random.randint(0, 3, 96)
layers = [Linear(6, 10), Tanh(), Linear(10, 8), Tanh(), Linear(8, 3)]
criterion, opt = SoftmaxCrossEntropy(), SGD(layers, 0.2)
for epoch in range(30):
    h = X
    for l in layers:
        h = l.forward(h)
    loss = criterion.forward(h, y)
    grad = criterion.backward()
    for l in reversed(layers):
        grad = l.backward(grad)
    opt.step()
    print(epoch, loss)
"""
RESIDUAL = """import numpy as np
def loss_and_grads(params, x, y):
    h = x @ params["W0"]
    a = np.maximum(h @ params["U1"], 0)
    o = h + a @ params["V1"]
    z = o @ params["Wc"]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(len(y)), y]).mean()
    d = p.copy()
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    grads = {"Wc": o.T @ d}
    do = d @ params["Wc"].T
    grads["V1"] = a.T @ do
    da = (do @ params["V1"].T) * (a > 0)
    grads["U1"] = h.T @ da
    grads["W0"] = x.T @ (do + da @ params["U1"].T)
    return loss, grads
rng = np.random.default_rng(1)
X = rng.normal(size=(80, 6))
y = np.argmax(X[:, :3], axis=1)
shapes = {"W0": (6, 10), "U1": (10, 10), "V1": (10, 10), "Wc": (10, 3)}
params = {k: rng.normal(0, 0.4, s) for k, s in shapes.items()}
for epoch in range(100):
    loss, grads = loss_and_grads(params, X, y)
    for k in grads:
        params[k] -= 0.2 * grads[k]
    print(epoch, loss)
"""
MOVES = "    for k in grads:\n        params[k] -= 0.2 * grads[k]\n"
SCRIPT = """import numpy as np
X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
y = np.array([[0, 1, 1, 0, 1, 1]], dtype=float).T
np.random.seed(1)
syn0 = 2 * np.random.random((3, 4)) - 1
syn1 = 2 * np.random.random((4, 1)) - 1
for j in range(2000):
    l1 = 1 / (1 + np.exp(-np.dot(X, syn0)))
    l2 = 1 / (1 + np.exp(-np.dot(l1, syn1)))
    l2_error = l2 - y
    loss = 0.5 * np.sum(l2_error ** 2)
    print(loss)
    l2_delta = l2_error * l2 * (1 - l2)
    l1_delta = l2_delta.dot(syn1.T) * l1 * (1 - l1)
    syn1 -= 0.5 * l1.T.dot(l2_delta)
    syn0 -= 0.5 * X.T.dot(l1_delta)
"""
TUPLES = """import numpy as np
def swish(z):
    return z / (1 + np.exp(-z))
def value_and_grad(params, x, y):
    (w1, b1), (w2, b2) = params
    z = x @ w1.T + b1
    h = swish(z)
    o = h @ w2.T + b2
    m = o.max(axis=1, keepdims=True)
    logp = o - m - np.log(np.sum(np.exp(o - m), axis=1, keepdims=True))
    loss = -np.mean(np.sum(logp * y, axis=1))
    g = (np.exp(logp) - y) / len(x)
    s = 1 / (1 + np.exp(-z))
    d = (g @ w2) * (s + z * s * (1 - s))
    return loss, [(d.T @ x, d.sum(axis=0)), (g.T @ h, g.sum(axis=0))]
def update(params, x, y, rate=0.2):
    loss, grads = value_and_grad(params, x, y)
    return [(w - rate * dw, b - rate * db) for (w, b), (dw, db) in zip(params, grads)], loss
rng = np.random.default_rng(0)
x = rng.standard_normal((90, 6))
y = np.eye(3)[x[:, :3].argmax(1)]
params = [(rng.normal(size=(12, 6)), rng.normal(size=12)),
          (rng.normal(size=(3, 12)), rng.normal(size=3))]
for epoch in range(100):
    params, loss = update(params, x, y)
    print(epoch, loss)
"""
CHARS = """import numpy as np
text = "the quick brown fox jumps over the lazy dog and runs away from the lazy bear "
chars = sorted(set(text))
ids = np.array([chars.index(c) for c in text])
V, E, H = len(chars), 5, 16
rng = np.random.default_rng(0)
params = {"emb": rng.normal(0, 0.5, (V, E)), "Wh": rng.normal(0, 0.4, (2 * E, H)),
          "bh": np.zeros(H), "Wo": rng.normal(0, 0.3, (H, V)), "bo": np.zeros(V)}
def loss_and_grads(params, ctx, target):
    n = len(ctx)
    e = params["emb"][ctx].reshape(n, -1)
    h = np.tanh(e @ params["Wh"] + params["bh"])
    z = h @ params["Wo"] + params["bo"]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(n), target]).mean()
    d = p.copy()
    d[np.arange(n), target] -= 1.0
    d /= n
    dh = (d @ params["Wo"].T) * (1 - h * h)
    grads = {"Wo": h.T @ d, "bo": d.sum(axis=0), "Wh": e.T @ dh, "bh": dh.sum(axis=0)}
    grads["emb"] = np.zeros_like(params["emb"])
    np.add.at(grads["emb"], ctx, (dh @ params["Wh"].T).reshape(n, 2, E))
    return loss, grads
contexts = np.stack([ids[:-2], ids[1:-1]], axis=1)
targets = ids[2:]
for epoch in range(30):
    perm = rng.permutation(len(contexts))
    for s in range(0, len(perm), 20):
        b = perm[s:s + 20]
        loss, grads = loss_and_grads(params, contexts[b], targets[b])
        for name in params:
            params[name] -= 0.5 * grads[name]
    print(epoch, loss)
"""
BATCH = """        b = perm[s:s + 20]
        loss, grads = loss_and_grads(params, contexts[b], targets[b])"""
Pairs = tuple[tuple[str, str], ...]


@pytest.mark.parametrize("text", [LAYERS, RESIDUAL, SCRIPT, TUPLES, CHARS])
def test_a_training_that_moves_all_its_weights_by_the_targets_of_its_rows_agrees(
    tmp_path: Path, text: str
) -> None:
    result = judged(tmp_path, text)
    assert result.verdict is Verdict.AGREES, result.sentence


@pytest.mark.parametrize(
    ("text", "pair", "names"),
    [
        (LAYERS, ("            l.b -= self.lr * l.db\n", ""), "layers.0.b"),
        (LAYERS, ("for l in layers if", "for l in layers[:-1] if"), "layers.4.W and layers.4.b"),
        (LAYERS, ("for l in layers if", "for l in layers[1:] if"), "layers.0.W and layers.0.b"),
        (RESIDUAL, ("for k in grads:", 'for k in ("U1", "V1", "Wc"):'), "params.W0"),
        (CHARS, ("for name in params:", 'for name in ("Wh", "bh", "Wo", "bo"):'), "params.emb"),
    ],
)  # fmt: skip
def test_a_gradient_that_is_computed_and_moves_nothing_is_a_mistake(
    tmp_path: Path, text: str, pair: tuple[str, str], names: str
) -> None:
    result = judged(tmp_path, text, pair)
    assert result.verdict is Verdict.DISAGREES, result.sentence
    assert names in result.sentence
    assert "no step moves it" in result.sentence


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        (SCRIPT, ("    syn0 -= 0.5 * X.T.dot(l1_delta)\n", "")),
        (TUPLES, ("b - rate * db)", "b)")),
    ],
)
def test_a_weight_that_stays_beside_those_that_move_is_not_green(
    tmp_path: Path, text: str, pair: tuple[str, str]
) -> None:
    result = judged(tmp_path, text, pair)
    assert result.verdict is Verdict.UNDECIDABLE, result.sentence


FROZEN = (MOVES, MOVES.replace("for k in grads:", 'for k in ("V1", "Wc"):  # the rest is frozen'))
IN_TURN = (
    MOVES,
    MOVES.replace("in grads:", 'in ("W0", "U1") if epoch % 20 > 9 else ("V1", "Wc"):'),
)
POSITIONS = (
    ("h = x @ params", "h = (x + pos) @ params"),
    ('grads["W0"] = x.T', 'grads["W0"] = (x + pos).T'),
    ("X = rng", "pos = np.sin(np.arange(6.0))\nX = rng"),
)
WEIGHTED = (
    ("loss = -np.log(p[np.arange(len(y)), y]).mean()",
     "loss = -(class_weights[y] * np.log(p[np.arange(len(y)), y])).mean()"),
    ("    d /= len(y)", "    d *= class_weights[y][:, None] / len(y)"),
    ("X = rng", "class_weights = np.array([1.0, 2.0, 0.5])\nX = rng"),
)  # fmt: skip


@pytest.mark.parametrize("pairs", [(FROZEN,), (IN_TURN,), POSITIONS, WEIGHTED])
def test_what_is_not_to_be_moved_is_accused_of_nothing(tmp_path: Path, pairs: Pairs) -> None:
    result = judged(tmp_path, RESIDUAL, *pairs)
    assert result.verdict is Verdict.AGREES, result.sentence


@pytest.mark.parametrize(
    "lines",
    [
        BATCH.replace("targets[b]", "targets[s:s + 20]"),
        BATCH.replace("perm[s:s + 20]", "slice(s, s + 20)").replace("contexts[b]", "X[b]"),
    ],
)
def test_targets_that_are_not_shuffled_with_rows_of_characters_are_not_green(
    tmp_path: Path, lines: str
) -> None:
    drawn = "    perm = rng.permutation(len(contexts))\n"
    result = judged(tmp_path, CHARS, (BATCH, lines), (drawn, f"{drawn}    X = contexts[perm]\n"))
    assert result.verdict is Verdict.UNDECIDABLE, result.sentence
    assert any("are not those of" in one for one in result.not_compared)


WINDOWS = (
    ("contexts = np.stack([ids[:-2], ids[1:-1]], axis=1)\ntargets = ids[2:]",
     "contexts = np.stack([ids[:-2], ids[1:-1]], axis=1)\ntargets = ids[2:].copy()"),
    (BATCH, BATCH.replace("perm[s:s + 20]", "rng.integers(0, len(targets), 20)")),
)  # fmt: skip
IN_ORDER = (
    (BATCH, BATCH.replace("perm[s:s + 20]", "slice(s, s + 20)").replace("contexts[b]", "X[b]")
     .replace("targets[b]", "T[b]")),
    ("    perm = rng.permutation(len(contexts))\n",
     "    perm = rng.permutation(len(contexts))\n    X, T = contexts[perm], targets[perm]\n"),
)  # fmt: skip


@pytest.mark.parametrize("pairs", [WINDOWS, IN_ORDER])
def test_rows_that_are_there_twice_may_have_each_of_their_targets(
    tmp_path: Path, pairs: Pairs
) -> None:
    result = judged(tmp_path, CHARS, *pairs)
    assert result.verdict is Verdict.AGREES, result.sentence

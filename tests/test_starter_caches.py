"""Caches, numbered keys and lists: handed over as the file's own functions return them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hand_ins import of_wrong_twin

pytestmark = pytest.mark.slow

CACHE_WITH_NUMBERED_KEYS = """
import numpy as np
def forward_pass(X, params):
    memory, A = {}, X
    memory["A0"] = X
    for l in (1, 2):
        Z = params["W" + str(l)] @ A + params["b" + str(l)]
        E = np.exp(Z - Z.max(axis=0))
        A = np.maximum(0, Z) if l == 1 else E / E.sum(axis=0)
        memory["Z" + str(l)], memory["A" + str(l)] = Z, A
    return A, memory
def get_cost(Y_hat, Y):
    return -np.sum(Y * np.log(Y_hat)) / Y.shape[1]
def backward_pass(Y_hat, Y, memory, params):
    m, d2 = Y.shape[1], Y_hat - Y
    d1 = params["W2"].T @ d2 * (memory["Z1"] > 0)
    return {"dW2": d2 @ memory["A1"].T / m, "db2": d2.sum(axis=1, keepdims=True) / m,
            "dW1": d1 @ memory["A0"].T / m, "db1": d1.sum(axis=1, keepdims=True) / m}
"""
STATE_WITH_NAMED_LAYERS = """
import numpy as np
def init(rng, n_in, n_hidden, n_out):
    return {"hidden": {"kernel": rng.randn(n_in, n_hidden), "bias": np.zeros(n_hidden)},
            "output": {"kernel": rng.randn(n_hidden, n_out), "bias": np.zeros(n_out)}}
def apply(params, x):
    state = dict(x=x)
    state["pre"] = x @ params["hidden"]["kernel"] + params["hidden"]["bias"]
    state["act"] = np.where(state["pre"] > 0, state["pre"], 0.0)
    z = state["act"] @ params["output"]["kernel"] + params["output"]["bias"]
    state["logp"] = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
    return state
def loss_fn(state, y):
    return -np.mean(np.sum(y * state["logp"], axis=1))
def grad_fn(params, state, y):
    g = (np.exp(state["logp"]) - y) / len(y)
    out = {"kernel": state["act"].T @ g, "bias": g.sum(0)}
    g = (g @ params["output"]["kernel"].T) * (state["pre"] > 0)
    return {"hidden": {"kernel": state["x"].T @ g, "bias": g.sum(0)}, "output": out}
def train(X, Y):
    params = init(np.random.RandomState(0), 784, 100, 10)
    for t in range(100):
        state = apply(params, X)
        grads = grad_fn(params, state, Y)
"""
LISTS_HANDED_ON = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()
def feedforward(a, weights, biases):
    for w, b in zip(weights[:-1], biases[:-1]):
        a = np.maximum(w @ a + b, 0)
    return softmax(weights[-1] @ a + biases[-1])
def cost(x, y, weights, biases):
    return -float(np.sum(y * np.log(feedforward(x, weights, biases))))
def backprop(x, y, weights, biases):
    h = np.maximum(weights[0] @ x + biases[0], 0)
    d2 = feedforward(x, weights, biases) - y
    d1 = weights[1].T @ d2 * (h > 0)
    return [np.outer(d1, x), np.outer(d2, h)], [d1, d2]
def update(batch, weights, biases, eta):
    for x, y in batch:
        gw, gb = backprop(x, y, weights, biases)
        weights = [w - eta * g for w, g in zip(weights, gw)]
        biases = [b - eta * g for b, g in zip(biases, gb)]
    return weights, biases
"""
BATCH_OF_SAMPLES = """
import numpy as np
def sample_grad(x_i, y_i, W1, b1, W2, b2):
    h = np.tanh(x_i @ W1 + b1)
    d2 = np.exp(h @ W2 + b2) / np.exp(h @ W2 + b2).sum()
    d2[y_i] -= 1
    d1 = (W2 @ d2) * (1 - h**2)
    return np.outer(x_i, d1), d1, np.outer(h, d2), d2
def batch_grad(X, Y, W1, b1, W2, b2):
    dW1, db1, dW2, db2 = (np.zeros_like(one) for one in (W1, b1, W2, b2))
    for i in range(len(X)):
        gW1, gb1, gW2, gb2 = sample_grad(X[i], Y[i], W1, b1, W2, b2)
        dW1, db1, dW2, db2 = dW1 + gW1, db1 + gb1, dW2 + gW2, db2 + gb2
    n = len(X)
    return dW1 / n, db1 / n, dW2 / n, db2 / n
"""


@pytest.mark.parametrize(
    ("text", "old", "new", "mistake"),
    [
        (CACHE_WITH_NUMBERED_KEYS, ' * (memory["Z1"] > 0)', "", "mask-missing"),
        (STATE_WITH_NAMED_LAYERS, "len(y)", "1", "gradient-summed"),
        (LISTS_HANDED_ON, "(h > 0)", "(h <= 0)", "mask-inverted"),
        (BATCH_OF_SAMPLES, "db2 / n", "db2", "bias-gradient-summed"),
    ],
    ids=["numbered keys", "named layers", "lists that are handed on", "a batch of samples"],
)
def test_right_agrees_and_the_mistake_of_its_twin_is_named(
    text: str, old: str, new: str, mistake: str, tmp_path: Path
) -> None:
    wrong = of_wrong_twin(tmp_path, text, old, new)
    assert mistake in [one.mistake for one in wrong.diagnosis]

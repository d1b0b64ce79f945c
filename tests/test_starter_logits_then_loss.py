"""A loss of probabilities is handed what the file hands it: a softmax of scores, not the scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import ExitCode
from tests.test_training_rehearsed import judged

pytestmark = pytest.mark.slow

BY_PLACE = """import numpy as np
def softmax(a):
    e = np.exp(a - np.max(a, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)
def nll(probs, y):
    return -np.mean(np.log(probs[np.arange(y.shape[0]), y]))
def model(X, p):
    a1 = X.dot(p['W1']) + p['b1']
    h1 = np.maximum(a1, 0)
    logits = h1.dot(p['W2']) + p['b2']
    return a1, h1, logits
def grads(X, y, p):
    a1, h1, logits = model(X, p)
    d = softmax(logits)
    d[np.arange(y.shape[0]), y] -= 1
    d = d / y.shape[0]
    dh = d.dot(p['W2'].T) * (a1 > 0)
    return {'W2': h1.T.dot(d), 'b2': d.sum(0), 'W1': X.T.dot(dh), 'b1': dh.sum(0)}
def fit(X, y, hidden=20, steps=200, lr=0.5):
    k = y.max() + 1
    p = {'W1': np.random.randn(X.shape[1], hidden) * 0.1, 'b1': np.zeros(hidden),
         'W2': np.random.randn(hidden, k) * 0.1, 'b2': np.zeros(k)}
    for s in range(steps):
        g = grads(X, y, p)
        for name in p:
            p[name] -= lr * g[name]
        if s % 50 == 0:
            print(s, nll(softmax(model(X, p)[2]), y))
    return p
"""
FROM_THE_END = """import numpy as np
def init(sizes, seed=0):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, 0.3, (a, b)) for a, b in zip(sizes[:-1], sizes[1:])]
    return weights, [np.zeros(b) for b in sizes[1:]]
def forward(x, weights, biases):
    acts, pre = [x], []
    for i, (w, b) in enumerate(zip(weights, biases)):
        z = acts[-1] @ w + b
        pre.append(z)
        acts.append(z if i == len(weights) - 1 else np.maximum(z, 0))
    return pre, acts
def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
def cross_entropy(probs, labels):
    return -np.log(probs[np.arange(len(labels)), labels]).mean()
def backward(pre, acts, labels, weights):
    n = len(labels)
    delta = softmax(acts[-1])
    delta[np.arange(n), labels] -= 1
    delta /= n
    gw, gb = [None] * len(weights), [None] * len(weights)
    for i in reversed(range(len(weights))):
        gw[i] = acts[i].T @ delta
        gb[i] = delta.sum(0)
        if i > 0:
            delta = (delta @ weights[i].T) * (pre[i - 1] > 0)
    return gw, gb
def train(x, y, sizes, epochs=20, batch=32, lr=0.05):
    weights, biases = init(sizes)
    history = []
    for epoch in range(epochs):
        for s in range(0, len(x), batch):
            pre, acts = forward(x[s:s + batch], weights, biases)
            gw, gb = backward(pre, acts, y[s:s + batch], weights)
            for i in range(len(weights)):
                weights[i] -= lr * gw[i]
                biases[i] -= lr * gb[i]
        history.append(cross_entropy(softmax(forward(x, weights, biases)[1][-1]), y))
    return weights, biases, history
"""
IN_LINES = (
    "            print(s, nll(softmax(model(X, p)[2]), y))\n",
    "            q = np.exp(model(X, p)[2])\n"
    "            print(s, nll(q / q.sum(1, keepdims=True), y))\n",
)
MISTAKE = "delta-overwrites-probabilities"


@pytest.mark.parametrize("text", [BY_PLACE, FROM_THE_END])
def test_a_loss_of_the_softmax_of_returned_scores_agrees(tmp_path: Path, text: str) -> None:
    result = judged(tmp_path, text)
    assert result.exit_code is ExitCode.AGREES, result.sentence


def test_a_loss_of_probabilities_made_in_lines_is_not_called_with_scores(tmp_path: Path) -> None:
    result = judged(tmp_path, BY_PLACE, IN_LINES)
    assert result.exit_code is not ExitCode.DISAGREES, result.sentence


def test_a_loss_that_the_file_hands_scores_is_not_finite_and_no_overwritten_array(
    tmp_path: Path,
) -> None:
    result = judged(
        tmp_path, BY_PLACE, ("nll(softmax(model(X, p)[2]), y)", "nll(model(X, p)[2], y)")
    )
    assert result.exit_code is ExitCode.DISAGREES and "not finite" in result.sentence
    assert MISTAKE not in [one.mistake for one in result.diagnosis]


@pytest.mark.parametrize(
    ("text", "right", "wrong", "mistake"),
    [
        (BY_PLACE, "y] -= 1", "y] -= 2", "targets-taken-off-twice"),
        (BY_PLACE, "        g = grads(X, y, p)\n", "", "forward-pass-of-call-before"),
        (FROM_THE_END, "gb[i] = delta.sum(0)", "gb[i] = delta.mean(0)", "bias-averaged"),
    ],
)
def test_what_is_wrong_beside_such_a_loss_is_named_by_its_own_cause(
    tmp_path: Path, text: str, right: str, wrong: str, mistake: str
) -> None:
    before = "    for s in range(steps):\n"
    ahead = [(before, "    g = grads(X, y, p)\n" + before)] if not wrong else []
    result = judged(tmp_path, text, (right, wrong), *ahead)
    assert result.exit_code is ExitCode.DISAGREES
    assert mistake in [one.mistake for one in result.diagnosis]

"""A softmax without an axis is right where the file hands it single vectors, and wrong where it
hands it a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import ExitCode
from compare.examine.starter.source import open_source
from compare.examine.starter.training.handed import Handed, handed_in
from tests.test_training_rehearsed import judged

SOFTMAX = """import numpy as np
np.random.seed(7)
def softmax(v):
    e = np.exp(v - np.max(v))
    return e / e.sum()
"""
SAMPLES = (
    SOFTMAX
    + """
n_in, n_hid, n_out, lr = 12, 9, 4, 0.05
X_train, y_train = np.random.rand(80, n_in), np.random.randint(0, n_out, 80)
W1, b1 = np.random.randn(n_hid, n_in) * 0.3, np.zeros(n_hid)
W2, b2 = np.random.randn(n_out, n_hid) * 0.3, np.zeros(n_out)
def forward(x):
    a1 = W1.dot(x) + b1
    h1 = np.maximum(a1, 0)
    return a1, h1, softmax(W2.dot(h1) + b2)
def gradients(x, y):
    a1, h1, p = forward(x)
    d2 = p.copy()
    d2[y] -= 1
    d1 = W2.T.dot(d2) * (a1 > 0)
    return -np.log(p[y]), np.outer(d1, x), d1, np.outer(d2, h1), d2
for epoch in range(5):
    total = 0
    for i in np.random.permutation(len(X_train)):
        loss, dW1, db1, dW2, db2 = gradients(X_train[i], y_train[i])
        total += loss
        W1 -= lr * dW1
        b1 -= lr * db1
        W2 -= lr * dW2
        b2 -= lr * db2
    print('epoch', epoch, total / len(X_train))
"""
)
WORDS = (
    SOFTMAX
    + """
def naive_softmax(center, index, outside):
    y_hat = softmax(outside @ center)
    delta = y_hat.copy()
    delta[index] -= 1
    return -np.log(y_hat[index]), outside.T @ delta, np.outer(delta, center)
def skipgram(word, context, number, V, U, gradient=naive_softmax):
    loss, gV, gU = 0.0, np.zeros(V.shape), np.zeros(U.shape)
    c = number[word]
    for w in context:
        l, gc, go = gradient(V[c], number[w], U)
        loss += l
        gV[c] += gc
        gU += go
    return loss, gV, gU
def sgd_train(corpus, dim=6, window=2, lr=0.1, epochs=5):
    number = {w: i for i, w in enumerate(sorted(set(corpus)))}
    V, U = np.random.randn(len(number), dim) * 0.1, np.zeros((len(number), dim))
    for epoch in range(epochs):
        total = 0
        for i, w in enumerate(corpus):
            context = corpus[max(0, i - window):i] + corpus[i + 1:i + 1 + window]
            loss, gV, gU = skipgram(w, context, number, V, U)
            V -= lr * gV
            U -= lr * gU
            total += loss
        print("epoch", epoch, "loss", total)
if __name__ == '__main__':
    sgd_train("the quick brown fox jumps over the lazy dog and the cat".split())
"""
)
BATCH = (
    SOFTMAX
    + """
def train(X, Y, epochs=20, lr=0.1):
    W, b = np.zeros((X.shape[1], Y.shape[1])), np.zeros(Y.shape[1])
    for epoch in range(epochs):
        P = softmax(X @ W + b)
        W -= lr * X.T @ (P - Y) / len(X)
        b -= lr * (P - Y).sum(0) / len(X)
    return W, b
train(np.random.randn(50, 6), np.eye(3)[np.random.randint(0, 3, 50)])
"""
)
UNUSED = """
def predict(Z):
    return softmax(Z @ W2).argmax()
"""
OVER_ALL = "softmax-over-everything"


def handed(folder: Path, text: str) -> Handed:
    path = folder / "mine.py"
    path.write_text(text, encoding="utf-8")
    return handed_in(open_source(path), "softmax")


@pytest.mark.parametrize("text", [SAMPLES, WORDS])
def test_a_softmax_is_seen_to_be_handed_vectors(tmp_path: Path, text: str) -> None:
    seen = handed(tmp_path, text)
    assert seen.form == "vector" and not seen.unreached


def test_a_softmax_is_seen_to_be_handed_a_batch(tmp_path: Path) -> None:
    assert not handed(tmp_path, BATCH).form


def test_a_function_that_was_not_run_may_hand_it_anything(tmp_path: Path) -> None:
    seen = handed(tmp_path, SAMPLES + UNUSED)
    assert seen.form == "vector" and seen.unreached == ["predict"]


@pytest.mark.slow
@pytest.mark.parametrize("text", [SAMPLES, WORDS])
def test_a_softmax_of_one_vector_is_right_where_the_file_hands_it_vectors(
    tmp_path: Path, text: str
) -> None:
    result = judged(tmp_path, text)
    assert result.exit_code is ExitCode.AGREES, result.sentence


@pytest.mark.slow
def test_a_softmax_of_one_vector_is_accused_where_the_file_hands_it_a_batch(tmp_path: Path) -> None:
    result = judged(tmp_path, BATCH)
    assert result.exit_code is ExitCode.DISAGREES
    assert OVER_ALL in [one.mistake for one in result.diagnosis]


@pytest.mark.slow
def test_a_softmax_is_not_accused_where_one_of_its_callers_was_not_run(tmp_path: Path) -> None:
    result = judged(tmp_path, SAMPLES + UNUSED)
    assert result.exit_code is ExitCode.UNDECIDABLE and "softmax" in result.sentence


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        (SAMPLES, "np.outer(d2, h1), d2", "np.outer(d2, a1), d2"),
        (WORDS, "outside.T @ delta", "outside.T @ y_hat"),
    ],
)
def test_a_wrong_gradient_beside_such_a_softmax_is_what_is_named(
    tmp_path: Path, text: str, right: str, wrong: str
) -> None:
    result = judged(tmp_path, text, (right, wrong))
    assert result.exit_code is ExitCode.DISAGREES and "are not: along" in result.sentence
    assert OVER_ALL not in [one.mistake for one in result.diagnosis]

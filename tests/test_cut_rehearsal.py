"""A training loop whose piece is right is run too: its batches may be handed or counted wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

pytestmark = pytest.mark.slow

SCRIPT = """import numpy as np
data = np.load("mnist.npz")
X_train, y_train = data["x"], data["y"]
X_train = X_train.reshape(len(X_train), -1) / 255.0
n, d = X_train.shape
hidden, classes = 50, 10
batch_size = 32
lr = 0.1
rng = np.random.default_rng(0)
W1 = rng.normal(0, 0.1, (d, hidden)); b1 = np.zeros(hidden)
W2 = rng.normal(0, 0.1, (hidden, classes)); b2 = np.zeros(classes)
for epoch in range(20):
    order = rng.permutation(n)
    for start in range(0, n, batch_size):
        rows = order[start:start + batch_size]
        xb, yb = X_train[rows], {targets}
        z1 = xb @ W1 + b1
        h = np.maximum(0, z1)
        z2 = h @ W2 + b2
        e = np.exp(z2 - z2.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        dz2 = p.copy()
        dz2[np.arange(len(yb)), yb] -= 1
        dz2 /= {count}
        dW2 = h.T @ dz2
        db2 = dz2.sum(axis=0)
        dz1 = (dz2 @ W2.T) * (z1 > 0)
        dW1 = xb.T @ dz1
        db1 = dz1.sum(axis=0)
        W1 -= lr * dW1
        b1 -= lr * db1
        W2 -= lr * dW2
        b2 -= lr * db2
"""
FUNCTION = """import numpy as np
def fit(X, Y, X_val, Y_val, epochs, batch_size=64, lr=0.05, lam=1e-3):
    m = X.shape[0]
    W1 = np.random.randn(X.shape[1], 30) * 0.1
    b1 = np.zeros((1, 30))
    W2 = np.random.randn(30, Y.shape[1]) * 0.1
    b2 = np.zeros((1, Y.shape[1]))
    history = []
    for epoch in range(epochs):
        perm = np.random.permutation(m)
        X_shuffled = X[perm]
        Y_shuffled = {targets}
        for i in range(0, m, batch_size):
            x_batch = X_shuffled[i:i + batch_size]
            y_batch = Y_shuffled[i:i + batch_size]
            Z1 = x_batch.dot(W1) + b1
            A1 = np.tanh(Z1)
            Z2 = A1.dot(W2) + b2
            E = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
            A2 = E / E.sum(axis=1, keepdims=True)
            delta = (A2 - y_batch) / {count}
            dW2 = A1.T.dot(delta)
            db2 = delta.sum(axis=0, keepdims=True)
            back = delta.dot(W2.T) * (1 - A1 ** 2)
            dW1 = x_batch.T.dot(back)
            db1 = back.sum(axis=0, keepdims=True)
            W1 = W1 - lr * dW1
            b1 = b1 - lr * db1
            W2 = W2 - lr * dW2
            b2 = b2 - lr * db2
        right = np.argmax(np.tanh(X_val.dot(W1) + b1).dot(W2) + b2, axis=1)
        history.append(np.mean(right == np.argmax(Y_val, axis=1)))
    return W1, b1, W2, b2, history
"""
COLUMNS = """import numpy as np
def model(X, Y, n_h=20, epochs=10, batch_size=16, alpha=0.1):
    m = X.shape[1]
    W1 = np.random.randn(n_h, X.shape[0]) * 0.1
    b1 = np.zeros((n_h, 1))
    W2 = np.random.randn(Y.shape[0], n_h) * 0.1
    b2 = np.zeros((Y.shape[0], 1))
    for epoch in range(epochs):
        perm = np.random.permutation(m)
        X, Y = X[:, perm], {targets}
        for k in range(0, m, batch_size):
            xb = X[:, k:k + batch_size]
            yb = Y[:, k:k + batch_size]
            Z1 = W1 @ xb + b1
            A1 = np.maximum(0, Z1)
            Z2 = W2 @ A1 + b2
            A2 = np.exp(Z2 - Z2.max(axis=0)) / np.exp(Z2 - Z2.max(axis=0)).sum(axis=0)
            dZ2 = (A2 - yb) / {count}
            dW2 = dZ2 @ A1.T
            db2 = dZ2.sum(axis=1, keepdims=True)
            dZ1 = (W2.T @ dZ2) * (Z1 > 0)
            dW1 = dZ1 @ xb.T
            db1 = dZ1.sum(axis=1, keepdims=True)
            W1 -= alpha * dW1
            b1 -= alpha * db1
            W2 -= alpha * dW2
            b2 -= alpha * db2
    return W1, b1, W2, b2
"""
GENERATOR = """import numpy as np
def batches(X, y, size):
    order = np.random.permutation(len(X))
    for i in range(0, len(X), size):
        yield X[order[i:i + size]], {targets}
def train(X_train, y_train, epochs=5, batch_size=10, learning_rate=0.1):
    n = len(X_train)
    W1 = np.random.randn(X_train.shape[1], 30) * 0.1
    b1 = np.zeros(30)
    W2 = np.random.randn(30, 10) * 0.1
    b2 = np.zeros(10)
    for epoch in range(epochs):
        for xb, yb in batches(X_train, y_train, batch_size):
            a = xb @ W1 + b1
            h = np.maximum(a, 0)
            s = h @ W2 + b2
            p = np.exp(s - s.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            p[range(len(yb)), yb] -= 1
            p /= {count}
            dW2 = h.T @ p
            db2 = p.sum(0)
            da = (p @ W2.T) * (a > 0)
            dW1 = xb.T @ da
            db1 = da.sum(0)
            W1 -= learning_rate * dW1
            b1 -= learning_rate * db1
            W2 -= learning_rate * dW2
            b2 -= learning_rate * db2
"""
STYLES = {
    "script": (SCRIPT, "y_train[rows]", "y_train[start:start + batch_size]", "len(yb)", "n"),
    "function": (FUNCTION, "Y[perm]", "Y", "len(x_batch)", "m"),
    "columns": (COLUMNS, "Y[:, perm]", "Y", "xb.shape[1]", "m"),
    "generator": (GENERATOR, "y[order[i:i + size]]", "y[i:i + size]", "len(xb)", "n"),
}


def checked(folder: Path, text: str) -> tuple[int, str, tuple[str, ...]]:
    path = folder / "mine.py"
    path.write_text(text)
    result = starter_result(check_starter(path))
    said = [one.mistake for one in result.diagnosis]
    return int(result.exit_code), result.sentence, tuple(said)


@pytest.mark.parametrize("style", STYLES)
def test_a_loop_that_hands_its_rows_and_counts_them_rightly_agrees(
    style: str, tmp_path: Path
) -> None:
    text, targets, _, count, _ = STYLES[style]
    verdict, said, _ = checked(tmp_path, text.format(targets=targets, count=count))
    assert verdict == 0, said


@pytest.mark.parametrize("style", STYLES)
def test_targets_that_stay_where_they_were_when_the_inputs_are_shuffled_are_named(
    style: str, tmp_path: Path
) -> None:
    text, _, targets, count, _ = STYLES[style]
    verdict, said, named = checked(tmp_path, text.format(targets=targets, count=count))
    assert verdict == 1, said
    assert named == ("targets-of-another-batch",)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("all_rows", [True, False])
def test_a_mean_over_another_number_of_rows_than_the_batch_has_is_named(
    style: str, all_rows: bool, tmp_path: Path
) -> None:
    text, targets, _, _, every = STYLES[style]
    count = every if all_rows else "batch_size"
    verdict, said, named = checked(tmp_path, text.format(targets=targets, count=count))
    assert verdict == 1, said
    assert named == ("gradient-divided-by-data-set",)
    assert ("all rows" if all_rows else "batch size") in said


def test_a_nominal_batch_size_is_right_where_no_batch_is_shorter(tmp_path: Path) -> None:
    text = SCRIPT.format(targets="y_train[rows]", count="batch_size")
    whole = text.replace("range(0, n, batch_size)", "range(0, n - batch_size + 1, batch_size)")
    verdict, said, _ = checked(tmp_path, whole)
    assert verdict == 0, said


def test_a_loop_writes_nothing_over_what_its_author_kept(tmp_path: Path) -> None:
    kept = tmp_path / "best.npy"
    kept.write_bytes(b"theirs")
    text = SCRIPT.format(targets="y_train[rows]", count="len(yb)")
    text = text.replace("        W1 -= lr * dW1\n", "        keep(W1)\n        W1 -= lr * dW1\n")
    text = text.replace(
        "import numpy as np\n",
        f"import numpy as np\ndef keep(w):\n    np.save({str(kept)!r}, w)\n", 1,
    )  # fmt: skip
    verdict, said, _ = checked(tmp_path, text)
    assert verdict == 0, said
    assert kept.read_bytes() == b"theirs"

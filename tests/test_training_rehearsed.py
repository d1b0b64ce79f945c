"""A training is run over rows of ours, and each of its steps held against torch's gradient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compare.contracts.result import Result
from compare.examine.starter.source import open_source
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result
from compare.examine.starter.training.program import program_of
from compare.examine.starter.training.supply import Supply, data_role

pytestmark = pytest.mark.slow

TUPLES = """import numpy as np
def init_layers(sizes):
    return [(np.random.randn(m, n) * np.sqrt(2 / n), np.zeros(m)) for n, m in zip(sizes, sizes[1:])]
def sig(z):
    return 1 / (1 + np.exp(-z))
def run(layers, X):
    acts = [X]
    for W, b in layers[:-1]:
        acts.append(sig(acts[-1] @ W.T + b))
    W, b = layers[-1]
    return acts + [acts[-1] @ W.T + b]
def grads(layers, X, Y):
    acts = run(layers, X)
    delta = 2 * (acts[-1] - Y) / Y.size
    out = []
    for i in range(len(layers) - 1, -1, -1):
        W, b = layers[i]
        out.append((delta.T @ acts[i], delta.sum(0)))
        if i > 0:
            delta = (delta @ W) * acts[i] * (1 - acts[i])
    return out[::-1]
def apply(layers, g, lr):
    return [(W - lr * dW, b - lr * db) for (W, b), (dW, db) in zip(layers, g)]
def train(X, Y, sizes, lr=0.1, steps=1000):
    layers = init_layers(sizes)
    for s in range(steps):
        layers = apply(layers, grads(layers, X, Y), lr)
    return layers
"""
LOOP = """import numpy as np
import pandas as pd
df = pd.read_csv("breast_cancer.csv")
X = df.drop(columns=["diagnosis"]).values
y = (df["diagnosis"] == "M").values.astype(float).reshape(-1, 1)
n, d = X.shape
W1 = np.random.randn(d, 16) * 0.1
b1 = np.zeros((1, 16))
W2 = np.random.randn(16, 1) * 0.1
b2 = np.zeros((1, 1))
lr = 0.1
for epoch in range(1000):
    z1 = X @ W1 + b1
    a1 = np.maximum(0, z1)
    yhat = 1 / (1 + np.exp(-(a1 @ W2 + b2)))
    loss = -np.mean(y * np.log(yhat) + (1 - y) * np.log(1 - yhat))
    dz2 = (yhat - y) / n
    dW2 = a1.T @ dz2
    db2 = dz2.sum(axis=0, keepdims=True)
    dz1 = (dz2 @ W2.T) * (z1 > 0)
    dW1 = X.T @ dz1
    db1 = dz1.sum(axis=0, keepdims=True)
    W1 -= lr * dW1
    b1 -= lr * db1
    W2 -= lr * dW2
    b2 -= lr * db2
"""
NO_BIAS = """import numpy as np
def nonlin(x, deriv=False):
    if deriv:
        return x * (1 - x)
    return 1 / (1 + np.exp(-x))
X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
y = np.array([[0], [1], [1], [0]])
np.random.seed(1)
syn0 = 2 * np.random.random((3, 4)) - 1
syn1 = 2 * np.random.random((4, 1)) - 1
for j in range(60000):
    l1 = nonlin(np.dot(X, syn0))
    l2 = nonlin(np.dot(l1, syn1))
    l2_delta = (y - l2) * nonlin(l2, deriv=True)
    l1_delta = l2_delta.dot(syn1.T) * nonlin(l1, deriv=True)
    syn1 += l1.T.dot(l2_delta)
    syn0 += X.T.dot(l1_delta)
"""
MODULES = """import numpy as np
class Linear:
    def __init__(self, n_in, n_out):
        self.weight = np.random.uniform(-0.3, 0.3, (n_in, n_out))
        self.bias = np.zeros(n_out)
        self.dweight = np.zeros_like(self.weight)
        self.dbias = np.zeros_like(self.bias)
    def forward(self, x):
        self.x = x
        return x @ self.weight + self.bias
    def backward(self, grad):
        self.dweight += self.x.T @ grad
        self.dbias += grad.sum(axis=0)
        return grad @ self.weight.T
    def parameters(self):
        return [(self.weight, self.dweight), (self.bias, self.dbias)]
class ReLU:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, grad):
        return grad * self.mask
    def parameters(self):
        return []
class Sequential:
    def __init__(self, *layers):
        self.layers = list(layers)
    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x
    def backward(self, grad):
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad
    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]
    def zero_grad(self):
        for _, g in self.parameters():
            g[...] = 0
class CrossEntropyLoss:
    def forward(self, logits, y):
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p, self.y = np.exp(log_p), y
        return -log_p[np.arange(len(y)), y].mean()
    def backward(self):
        g = self.p.copy()
        g[np.arange(len(self.y)), self.y] -= 1
        return g / len(self.y)
class SGD:
    def __init__(self, params, lr=0.1):
        self.params, self.lr = params, lr
    def step(self):
        for p, g in self.params:
            p -= self.lr * g
def main():
    from sklearn.datasets import load_digits
    X, y = load_digits(return_X_y=True)
    model = Sequential(Linear(64, 32), ReLU(), Linear(32, 10))
    loss_fn = CrossEntropyLoss()
    opt = SGD(model.parameters(), lr=0.1)
    for epoch in range(30):
        perm = np.random.permutation(len(X))
        for i in range(0, len(X), 32):
            idx = perm[i:i + 32]
            loss = loss_fn.forward(model.forward(X[idx]), y[idx])
            model.zero_grad()
            model.backward(loss_fn.backward())
            opt.step()
if __name__ == "__main__":
    main()
"""


def judged(folder: Path, text: str, *pairs: tuple[str, str]) -> Result:
    """Return what is said of a file, after some of its parts were replaced."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "mine.py"
    path.write_text(text, encoding="utf-8")
    return starter_result(check_starter(path))


MEAN = (
    "        layers = apply(layers, grads(layers, X, Y), lr)\n",
    "        layers = apply(layers, grads(layers, X, Y), lr)\n        if s % 100 == 0:\n"
    "            print(s, mse(run(layers, X)[-1], Y))\n",
)
SHOWN = ("def apply", "def mse(p, Y):\n    return ((p - Y) ** 2).mean()\ndef apply")
SQUARES = ("    l2_delta", "    error = np.mean((y - l2) ** 2)\n    l2_delta")
HALF = ("    l2_delta", "    error = np.sum((y - l2) ** 2) / 2\n    l2_delta")
RIGHT: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "tuples": (TUPLES, (MEAN, SHOWN)),
    "loop": (LOOP, ()),
    "no biases": (NO_BIAS, (HALF,)),
    "modules": (MODULES, ()),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_training_agrees_whatever_its_weights_are_kept_in(
    kind: str, tmp_path: Path
) -> None:
    text, pairs = RIGHT[kind]
    result = judged(tmp_path, text, *pairs)
    assert result.exit_code == 0, result.sentence


@pytest.mark.parametrize(("text", "pairs"), [(TUPLES, ()), (NO_BIAS, (SQUARES,))])
def test_a_loss_that_was_not_declared_has_to_be_shown_by_the_training(
    text: str, pairs: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    assert judged(tmp_path, text, *pairs).exit_code == 3


def test_a_loss_that_was_declared_need_not_be_shown(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(NO_BIAS, encoding="utf-8")
    declared = {"loss": "mse", "output": "sigmoid", "activation": "sigmoid"}
    result = starter_result(check_starter(path, declared=declared))
    assert result.exit_code == 0, result.sentence


WRONG = {
    "a derivative that is a value": (
        LOOP, "(z1 > 0)", "a1", "value-for-derivative", "value where its derivative"),
    "a missing slope": (LOOP, " * (z1 > 0)", "", "mask-missing", "missing derivative"),
    "a bias averaged": (
        LOOP, "db1 = dz1.sum", "db1 = dz1.mean", "bias-averaged", "a mean, not a sum"),
    "a bias never moved": (
        LOOP, "b2 -= lr * db2", "pass", "parameter-never-updated", "b2"),
    "a rate left out": (
        LOOP, "b1 -= lr * db1", "b1 -= db1", "learning-rate-left-out", "b1"),
    "gradients that are added up": (
        MODULES, "            model.zero_grad()\n", "", "gradients-accumulate", "added up"),
    "targets that are not permuted": (
        MODULES, "y[idx])", "y[i:i + 32])", "targets-of-another-batch", "do not belong"),
    "a ReLU that is passed by": (
        MODULES, "return grad * self.mask", "return grad", "mask-missing", "missing derivative"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_training_is_named_by_what_its_steps_show(kind: str, tmp_path: Path) -> None:
    text, old, new, mistake, words = WRONG[kind]
    result = judged(tmp_path, text, (old, new))
    assert result.exit_code == 1, result.sentence
    assert any(mistake in one.mistake for one in result.diagnosis), result.sentence
    assert words in result.sentence


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("acts[i] * (1 - acts[i])", "acts[i] * (1 - acts[i - 1].mean())"),
        ("2 * (acts[-1] - Y)", "(acts[-1] - Y) ** 2"),
    ],
)
def test_a_training_whose_steps_are_none_of_a_network_is_not_called_right(
    old: str, new: str, tmp_path: Path
) -> None:
    assert judged(tmp_path, TUPLES, MEAN, SHOWN, (old, new)).exit_code != 0


@pytest.mark.parametrize(("divisor", "code"), [("Y.size", 0), ("len(Y)", 3)])
def test_steps_that_are_not_as_large_as_the_loss_that_is_shown_says_are_not_called_right(
    divisor: str, code: int, tmp_path: Path
) -> None:
    result = judged(tmp_path, TUPLES, MEAN, SHOWN, ("/ Y.size", f"/ {divisor}"))
    assert result.exit_code == code, result.sentence


def test_a_training_writes_reads_and_shows_nothing_while_it_is_run(tmp_path: Path) -> None:
    kept = tmp_path / "weights.npy"
    kept.write_bytes(b"theirs")
    outside = (
        f"    np.save({str(kept)!r}, W1)\n    with open({str(kept)!r}, 'w') as file:\n"
        f"        file.write('ours')\n    import os\n    os.remove({str(kept)!r})\n"
    )
    text = LOOP.replace("    W1 -= lr * dW1\n", f"{outside}    W1 -= lr * dW1\n")
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    seen = program_of(open_source(path)).run(Supply(form="column"))
    assert seen.steps
    assert kept.read_bytes() == b"theirs"


def test_a_global_generator_stands_where_it_stood_after_a_training(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(NO_BIAS, encoding="utf-8")
    before = str(np.random.get_state())  # noqa: NPY002  the training draws from it
    program_of(open_source(path)).run(Supply())
    assert str(np.random.get_state()) == before  # noqa: NPY002


@pytest.mark.parametrize(
    ("name", "role"),
    [("X_train", "x"), ("trainData", "x"), ("y_val", "y"), ("Ytest", "y"), ("labels", "y"),
     ("W1", ""), ("yhat", ""), ("x_test_raw", "x")],
)  # fmt: skip
def test_names_of_data_are_told_from_others(name: str, role: str) -> None:
    assert data_role(name) == role


def test_a_static_array_as_wide_as_a_layer_is_no_bias_that_is_never_moved(tmp_path: Path) -> None:
    without = (
        ("b2 = np.zeros((1, 1))\n", "scale = np.zeros(1)\n"), ("@ W2 + b2", "@ W2"),
        ("    db2 = dz2.sum(axis=0, keepdims=True)\n", ""), ("    b2 -= lr * db2\n", ""),
    )  # fmt: skip
    assert judged(tmp_path, LOOP, *without).exit_code != 1


def test_a_rate_of_its_own_for_one_layer_is_not_accused(tmp_path: Path) -> None:
    assert judged(tmp_path, LOOP, ("W1 -= lr * dW1", "W1 -= 0.3 * lr * dW1")).exit_code != 1


def test_dropout_that_is_switched_off_is_not_called_compared(tmp_path: Path) -> None:
    text = MODULES.replace(
        "class CrossEntropyLoss",
        """class Dropout:
    def __init__(self, keep_prob=1.0):
        self.keep_prob = keep_prob
    def forward(self, x):
        self.mask = (np.random.rand(*x.shape) < self.keep_prob) / self.keep_prob
        return x * self.mask
    def backward(self, grad):
        return grad
    def parameters(self):
        return []
class CrossEntropyLoss""",
    ).replace("ReLU(), Linear", "ReLU(), Dropout(), Linear")
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    assert starter_result(check_starter(path)).exit_code != 0


OUTSIDE = {
    "a method of that name": "class Net:\n    def save(self, path):\n        np.save(path, W1)\n"
    "Net().save({path!r})\n",
    "another name": "keep = np.save\nkeep({path!r}, W1)\n",
    "an import of that name": "from numpy import save as keep\nkeep({path!r}, W1)\n",
    "a module": "import os\nrm = os.remove\nrm({path!r})\n",
    "a map": "import os\nlist(map(os.remove, [{path!r}]))\n",
}


@pytest.mark.parametrize("how", OUTSIDE)
def test_no_other_way_leads_outside(how: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept.npy"
    kept.write_bytes(b"theirs")
    path = tmp_path / "mine.py"
    path.write_text(LOOP + OUTSIDE[how].format(path=str(kept)), encoding="utf-8")
    program_of(open_source(path)).run(Supply(form="column"))
    assert kept.read_bytes() == b"theirs"


def test_a_module_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(LOOP + "np.invented = 1\n", encoding="utf-8")
    program_of(open_source(path)).run(Supply(form="column"))
    assert not hasattr(np, "invented")


SUMMED = ("dz2 = (yhat - y) / n", "dz2 = yhat - y")


LOSSES = ["loss = ", "nll = ", "losses = []\n    losses.append", "curve = []\n    curve.append"]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_sum_beside_a_mean_is_not_called_right_whatever_the_loss_is_called(
    loss: str, tmp_path: Path
) -> None:
    line = "    loss = -np.mean(y * np.log(yhat) + (1 - y) * np.log(1 - yhat))\n"
    value = "-np.mean(y * np.log(yhat) + (1 - y) * np.log(1 - yhat))"
    written = f"    {loss}{value}\n" if loss.endswith("= ") else f"    {loss}({value})\n"
    assert judged(tmp_path, LOOP, SUMMED, (line, written)).exit_code != 0


def test_a_loss_is_told_by_its_value_in_a_list_of_any_name(tmp_path: Path) -> None:
    value = "-np.mean(y * np.log(yhat) + (1 - y) * np.log(1 - yhat))"
    kept = ("lr = 0.1\n", "lr = 0.1\ncurve = []\n")
    line = f"    loss = {value}\n"
    assert judged(tmp_path, LOOP, kept, (line, f"    curve.append({value})\n")).exit_code == 0
    other = value.replace("(1 - y) *", "2 * (1 - y) *")
    assert judged(tmp_path, LOOP, kept, (line, f"    curve.append({other})\n")).exit_code != 0


def test_biases_that_are_exchanged_are_told_by_the_step_after_the_first(tmp_path: Path) -> None:
    text = MODULES.replace("Linear(32, 10)", "Linear(32, 32), ReLU(), Linear(32, 10)")
    layers = "model.parameters(), lr=0.1)"
    swapped = text.replace(
        f"opt = SGD({layers}",
        "p = model.parameters()\n    p[1], p[3] = (p[1][0], p[3][1]), (p[3][0], p[1][1])\n"
        "    opt = SGD(p, lr=0.1)",
    )
    result = judged(tmp_path, swapped)
    assert result.exit_code == 1 and "is moved by the gradient of" in result.sentence
    assert judged(tmp_path, text).exit_code == 0


def test_equal_biases_that_are_told_apart_wrongly_accuse_nobody(tmp_path: Path) -> None:
    text = TUPLES.replace(
        "def init_layers(sizes):\n", "def init_layers(sizes):\n    sizes = [13, 9, 9, 3]\n"
    )
    assert judged(tmp_path, text).exit_code != 1

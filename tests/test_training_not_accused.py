"""What a training may do and is no mistake, and what names alone do not excuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare import Verdict
from compare.examine.starter.training.supply import is_aside
from tests.hand_ins import checked

HEAD = """import numpy as np
rng = np.random.default_rng(0)
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
"""
GRADIENTS = """        z1 = X @ W1 + b1
        a1 = np.maximum(0, z1)
        p = softmax(a1 @ W2 + b2)
        loss = -np.mean(np.sum(y * np.log(p), axis=1))
        dz2 = (p - y) / len(X)
        dz1 = (dz2 @ W2.T) * (z1 > 0)
        grads = {"W1": X.T @ dz1, "b1": dz1.sum(axis=0), "W2": a1.T @ dz2, "b2": dz2.sum(axis=0)}
"""
WEIGHTS = """    W1, b1 = rng.normal(size=(X.shape[1], 11)) * 0.3, np.zeros(11)
    W2, b2 = rng.normal(size=(11, y.shape[1])) * 0.3, np.zeros(y.shape[1])
"""
RATES = """        W1 = W1 - lr * grads["W1"]; b1 = b1 - lr * grads["b1"]
        W2 = W2 - lr * grads["W2"]; b2 = b2 - lr * grads["b2"]
"""
SIGNS = RATES.replace('grads["', 'signed["').replace(
    "        W1 =", "        signed = {k: np.where(g > 0, 1.0, -1.0) for k, g in grads.items()}\n"
    "        W1 =", 1,
)  # fmt: skip
RESTARTS = HEAD + """def train(X, y, restarts=3, lr=0.1):
    best = np.inf
    for _ in range(restarts):
{weights}        for epoch in range(4):
{gradients}{rates}        if loss < best:
            best, kept = loss, (W1, b1, W2, b2)
    return kept
""".format(
    weights="".join(f"    {line}\n" for line in WEIGHTS.splitlines()),
    gradients="".join(f"    {line}\n" for line in GRADIENTS.splitlines()),
    rates="".join(f"    {line}\n" for line in RATES.splitlines()),
)  # fmt: skip
TRAIN = HEAD + f"def train(X, y, epochs=20, lr=0.1):\n{WEIGHTS}    for epoch in range(epochs):\n"
LAST = "    return W1, b1, W2, b2\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", [TRAIN + GRADIENTS + SIGNS + LAST, RESTARTS], ids=["signs", "restarts"]
)
def test_what_is_another_training_and_no_mistake_is_not_accused(tmp_path: Path, text: str) -> None:
    assert checked(tmp_path, text).verdict is not Verdict.DISAGREES


@pytest.mark.slow
def test_a_momentum_with_its_shares_exchanged_is_not_right(tmp_path: Path) -> None:
    begun = "    v = {k: 0.0 for k in ('W1', 'b1', 'W2', 'b2')}\n    for epoch"
    right = "        v = {k: 0.9 * v[k] + 0.1 * g for k, g in grads.items()}\n"
    text = (TRAIN + GRADIENTS).replace("    for epoch", begun)
    wrong = right.replace("0.9 * v[k] + 0.1 * g", "(1 - 0.9) * v[k] + 0.9 * g")
    steps = RATES.replace("grads[", "v[") + LAST
    assert checked(tmp_path, text + wrong + steps).verdict is not Verdict.AGREES


@pytest.mark.parametrize("name", ["train_targets", "train_inputs", "all_targets", "X_train"])
def test_targets_and_inputs_are_no_test_sets_by_their_last_letters(name: str) -> None:
    assert not is_aside(name)


@pytest.mark.parametrize("name", ["X_test", "y_val", "xte", "yts", "dev_x", "test_labels", "X_va"])
def test_sets_that_nobody_trains_on_are_known_by_their_names(name: str) -> None:
    assert is_aside(name)


AT_P = (
    HEAD
    + """def grad_softmax_cross_entropy(p, y):
    return -y / p / len(y)
"""
)
OTHER = AT_P.replace("grad_softmax_cross_entropy", "cross_entropy_derivative") + (
    "def softmax_derivative(z):\n    return z * z\n"
)


@pytest.mark.slow
@pytest.mark.parametrize("text", [AT_P, OTHER])
def test_a_slope_at_p_is_not_excused_by_the_name_of_a_function(tmp_path: Path, text: str) -> None:
    assert checked(tmp_path, text).verdict is Verdict.DISAGREES


@pytest.mark.slow
def test_a_gradient_that_is_handed_class_numbers_less_one_counts_as_its_loss(
    tmp_path: Path,
) -> None:
    text = (
        HEAD
        + """def cross_entropy(p, y):
    return -np.mean(np.log(p[np.arange(len(y)), y - 1]))
def output_gradient(p, labels):
    d = p.copy()
    d[np.arange(len(labels)), labels] -= 1
    return d / len(labels)
def use(p, y):
    return output_gradient(p, y - 1)
"""
    )
    assert checked(tmp_path, text).verdict is not Verdict.DISAGREES
    alone = text[: text.index("def use")]
    assert checked(tmp_path, alone).verdict is Verdict.DISAGREES

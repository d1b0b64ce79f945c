"""Updates seen together: a weight left behind is named, nothing right accused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.class_updates import UPDATE, weights_after
from compare.examine.starter.construct import builders
from compare.examine.starter.expected import expected
from compare.examine.starter.loop_steps import loop_steps
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.recipe import Method, Recipe, methods_of
from compare.examine.starter.source import open_source
from compare.examine.starter.update_calls import left_where_they_were

DICTIONARY = """def update_parameters(parameters, grads, learning_rate=1.2):
    W1 = np.copy(parameters["W1"]); b1 = np.copy(parameters["b1"])
    W2 = np.copy(parameters["W2"]); b2 = np.copy(parameters["b2"])
    W1 = W1 - learning_rate * grads["dW1"]
    b1 = b1 - learning_rate * grads["db1"]
    W2 = W2 - learning_rate * grads["dW2"]
    b2 = b2 - learning_rate * grads["db2"]
    return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
"""
LAYERS = """def update(params, grads, lr):
    for l in range(1, len(params) // 2 + 1):
        params["W" + str(l)] -= lr * grads["dW" + str(l)]
        params[f"b{l}"] -= lr * grads[f"db{l}"]
    return params
"""
DECAY = """class Net:
    def update(self, lr=0.1, wd=1e-4):
        self.W1 -= lr * (self.dW1 + wd * self.W1)
        self.b1 -= lr * self.db1
"""
LOOP = """def train(W1, b1, W2, b2, X, Y, lr):
    for epoch in range(9):
        dW1 = f(X, Y, W1)
        db1 = f(X, Y, b1)
        dW2 = f(X, Y, W2)
        db2 = f(X, Y, b2)
        W1 -= lr * dW1; b1 -= lr * db1
        W2 -= lr * dW2; b2 -= lr * db2
    return W1, b1, W2, b2
"""
LISTS = """class Network:
    def update_mini_batch(self, mini_batch, eta, lmbda, n):
        nabla_b, nabla_w = self.summed(mini_batch)
        self.weights = [(1 - eta * (lmbda / n)) * w - (eta / len(mini_batch)) * nw
                        for w, nw in zip(self.weights, nabla_w)]
        self.biases = [b - (eta / len(mini_batch)) * nb for b, nb in zip(self.biases, nabla_b)]
"""
APART = """def update_params(W1, b1, W2, b2, dW1, db1, dW2, db2, alpha):
    W1 = W1 - alpha * dW1
    b1 = b1 - alpha * db1
    W2 = W2 - alpha * dW2
    b2 = b2 - alpha * db2
    return W1, b1, W2, b2
"""
PLACED = APART.replace("1 = W1 -", "1 -=").replace("1 = b1 -", "1 -=").replace(
    "2 = W2 -", "2 -=").replace("2 = b2 -", "2 -=").rpartition("    return")[0]  # fmt: skip
LETTERED = """def train(X, Y, W_h, b_h, W_o, b_o, lr):
    for epoch in range(9):
        S = X @ W_h + b_h
        P = np.exp(np.maximum(S, 0) @ W_o + b_o)
        d_o = (P / P.sum(axis=1, keepdims=True) - Y) / len(X)
        dW_o = np.maximum(S, 0).T @ d_o
        db_o = np.sum(d_o, axis=0)
        d_h = (d_o @ W_o.T) * (S > 0)
        dW_h = X.T @ d_h
        db_h = np.sum(d_h, axis=0)
        W_o = W_o - lr * dW_o
        W_h = W_h - lr * dW_h
        b_o = b_o - lr * db_o
        b_h = b_h - lr * db_h
    return W_h, b_h, W_o, b_o
"""
BARE = LETTERED.replace("- lr * d", "- d")
"""The rate stands in the errors, from where it goes into every gradient."""
STYLES = {
    "lettered": LETTERED,
    "bare": BARE,
    "apart": APART,
    "in place": PLACED,
    "dictionary": DICTIONARY,
    "layers": LAYERS,
    "decay": DECAY,
    "loop": LOOP,
    "lists": LISTS,
}
RIGHT = [
    ("dictionary", "", ""),
    ("dictionary", "b2 - learning_rate", "b2 - 2 * learning_rate"),
    ("dictionary", "b2 - learning_rate", "b2 - 0.1"),
    ("dictionary", 'return {"W1": W1,', 'parameters["W1"] = W1; return {"W1": parameters["W1"],'),
    ("layers", "", ""),
    ("layers", "params, grads", "grads, params"),
    ("apart", "", ""),
    ("in place", "", ""),
    ("decay", "", ""),
    ("decay", "-= lr * (self.dW1 + wd", "+= lr * (-self.dW1 - wd"),
    ("lists", "", ""),
    ("lists", "(1 - eta * (lmbda / n)) * w", "w * (1 - eta * (lmbda / n))"),
    ("lists", "(1 - eta * (lmbda / n))", "0.999"),
    ("loop", "", ""),
    ("loop", "db2 = f(X, Y, b2)", "db2 = lr * f(X, Y, b2)"),
    ("lettered", "", ""),
    ("lettered", "b_h - lr * db_h", "b_h - lr * np.sum(d_h, axis=0)"),
    ("lettered", "b_h = b_h - lr * db_h", "step = lr * d_h; b_h = b_h - np.sum(step, axis=0)"),
    ("bare", "d_o = (P", "d_o = lr * (P"),
]
WRONG = [
    ("dictionary", "b1 = b1 - learning_rate * grads", "b1 = b1 - grads", "without the learning"),
    ("dictionary", '{"W1": W1', '{"W1": parameters["W1"]', "the new W1 is kept nowhere"),
    ("decay", "self.dW1 + wd", "self.dW1 - wd", "a weight decay of the wrong sign"),
    ("decay", "(self.dW1 + wd", "(self.dW1 - 0.01", "a weight decay of the wrong sign"),
    ("lists", "* w - (eta", "* w + (eta", "a step up the gradient"),
    ("lists", "(1 - eta", "(1 + eta", "a weight decay of the wrong sign"),
    ("loop", "b2 -= lr * db2", "b2 -= db2", "db2 is taken without the learning rate"),
    ("lettered", "b_h - lr * db_h", "b_h - db_h", "db_h is taken without the learning rate"),
    ("lettered", "W_h - lr * dW_h", "W_h - dW_h", "dW_h is taken without the learning rate"),
    ("lettered", "W_o = W_o - lr * dW_o", "W_o -= dW_o", "dW_o is taken without the learning"),
]
LEFT = [
    ("dictionary", '    b1 = b1 - learning_rate * grads["db1"]\n', "", "leaves b1 where"),
    ("dictionary", '"b2": b2}', '"b2": parameters["b2"]}', "leaves b2 where"),
    ("apart", "    b1 = b1 - alpha * db1\n", "", "leaves b1 where"),
    ("in place", "    W2 -= alpha * dW2\n", "", "leaves W2 where"),
    ("layers", "// 2 + 1", "// 2", "leaves W3 and b3 where"),
    ("loop", "; b2 -= lr * db2", "", "db2 is computed and moves nothing"),
]


def said(folder: Path, text: str) -> list[tuple[Verdict, str]]:
    """What is found in a file's updates."""
    path = folder / "net.py"
    path.write_text("import numpy as np\n" + text)
    source = open_source(path)
    updates = loop_steps(source, (), {"train": True})
    found = [*updates.found, *left_where_they_were(source, sorted(updates.functions))]
    assert found or updates.right
    return [(one.verdict, one.sentence) for one in found]


@pytest.mark.parametrize(("style", "old", "new"), RIGHT)
def test_right_updates_are_all_right(style: str, old: str, new: str, tmp_path: Path) -> None:
    assert old in STYLES[style]
    text = STYLES[style].replace(old, new, 1)
    text = text.replace("b2 -= lr * db2", "b2 -= db2") if "lr * f" in text else text
    assert said(tmp_path, text) == []


@pytest.mark.parametrize(("style", "old", "new", "words"), WRONG)
def test_a_wrong_one_among_right_ones_disagrees(
    style: str, old: str, new: str, words: str, tmp_path: Path
) -> None:
    assert old in STYLES[style]
    (verdict, sentence), *more = said(tmp_path, STYLES[style].replace(old, new, 1))
    assert verdict is Verdict.DISAGREES and words in sentence
    assert all(other is Verdict.UNDECIDABLE for other, _ in more)


@pytest.mark.parametrize(("style", "old", "new", "words"), LEFT)
def test_a_weight_left_behind_is_undecidable_and_named(
    style: str, old: str, new: str, words: str, tmp_path: Path
) -> None:
    assert old in STYLES[style]
    found = said(tmp_path, STYLES[style].replace(old, new, 1))
    assert any(words in sentence for _, sentence in found)


class Net:
    """Gradients of weights alone matter here: its backward pass is none."""

    def __init__(self, F: int, H: int, K: int) -> None:
        self.p = {"W1": np.ones((F, H)), "b1": np.ones(H), "W2": np.ones((H, K)), "b2": np.ones(K)}
        self.last = 2

    def backward(self, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        return {key: np.ones_like(one) for key, one in self.p.items()}

    def update(self, grads: dict[str, np.ndarray], lr: float) -> None:
        for layer in range(1, self.last + 1):
            self.p[f"W{layer}"] = self.p[f"W{layer}"] - lr * grads[f"W{layer}"]
            self.p[f"b{layer}"] -= lr * grads[f"b{layer}"]


class Short(Net):
    """Leaves out a layer."""

    def __init__(self, F: int, H: int, K: int) -> None:
        super().__init__(F, H, K)
        self.last = 1


@pytest.mark.parametrize(("cls", "left"), [(Net, []), (Short, ["self.p.W2", "self.p.b2"])])
def test_an_update_of_an_object_moves_every_weight(cls: type, left: list[str]) -> None:
    recipe = Recipe(next(builders(cls)), (Method("backward", (("x", "x"), ("y", "y"))),))
    (update,) = [given for name, given in methods_of(cls, UPDATE) if name == "update"]
    _, stay = weights_after(recipe, expected(UNEQUAL, "mean", 0).point, "update", update)
    assert stay == left

"""A penalty is compared at a strength that is not 0; what ran without it is not called right."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.one_function import Declared
from compare.examine.starter.slots import is_strength, set_rate
from compare.examine.starter.source import open_source
from compare.examine.starter.starter import strengths_read
from compare.examine.starter.whole_check import class_together
from tests.hand_ins import checked

pytestmark = pytest.mark.slow

PENALISED = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def forward(X, W1, b1, W2, b2):
    h = np.maximum(X @ W1 + b1, 0)
    return h, softmax(h @ W2 + b2)
def loss(P, Y, W1, W2, lam):
    data = -np.mean(np.sum(Y * np.log(P), axis=1))
    return data + 0.5 * lam * (np.sum(W1**2) + np.sum(W2**2))
def backward(X, Y, h, P, W1, W2, lam):
    d = (P - Y) / len(X)
    dh = d @ W2.T * (h > 0)
    return X.T @ dh + lam * W1, dh.sum(0), h.T @ d + lam * W2, d.sum(0)
"""
CLASS = """
import numpy as np
class Net:
    def __init__(self, n_in, n_hidden, n_out):
        self.W1, self.b1 = np.random.randn(n_in, n_hidden), np.zeros(n_hidden)
        self.W2, self.b2 = np.random.randn(n_hidden, n_out), np.zeros(n_out)
    def forward(self, X):
        self.X, self.h = X, np.maximum(X @ self.W1 + self.b1, 0)
        s = self.h @ self.W2 + self.b2
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p
    def loss(self, y, reg):
        more = reg * (np.sum(self.W1 ** 2) + np.sum(self.W2 ** 2))
        return -np.mean(np.sum(y * np.log(self.p), axis=1)) + more
    def backward(self, y, reg):
        d = (self.p - y) / len(y)
        self.dW2, self.db2 = self.h.T @ d + 2 * reg * self.W2, d.sum(axis=0)
        dh = (d @ self.W2.T) * (self.h > 0)
        self.dW1, self.db1 = self.X.T @ dh + 2 * reg * self.W1, dh.sum(axis=0)
"""
LEFT_OUT = """
import numpy as np
class Net:
    def __init__(self, n_in, n_hidden, n_out, reg=0.0):
        self.params = {"W1": np.random.randn(n_in, n_hidden), "b1": np.zeros(n_hidden),
                       "W2": np.random.randn(n_hidden, n_out), "b2": np.zeros(n_out)}
        self.reg = reg
    def loss(self, X, y, reg=0.0):
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        h = np.maximum(X @ W1 + b1, 0)
        s = h @ W2 + b2
        s = s - s.max(axis=1, keepdims=True)
        p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
        loss = -np.mean(np.log(p[np.arange(len(X)), y]))
        loss += 0.5 * reg * ((W1**2).sum() + (W2**2).sum())
        d = p.copy()
        d[np.arange(len(X)), y] -= 1
        d /= len(X)
        dh = d @ W2.T * (h > 0)
        grads = {"W2": h.T @ d + reg * W2, "b2": d.sum(0)}
        grads.update({"W1": X.T @ dh + reg * W1, "b1": dh.sum(0)})
        return loss, grads
"""
DROPOUT = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def forward(X, W1, b1, W2, b2, keep_prob=1.0):
    h = np.maximum(X @ W1 + b1, 0)
    mask = (np.random.rand(*h.shape) < keep_prob) / keep_prob
    hd = h * mask
    return h, mask, hd, softmax(hd @ W2 + b2)
def backward(X, Y, h, mask, hd, P, W2, keep_prob=1.0):
    d = (P - Y) / len(X)
    dh = d @ W2.T * (h > 0) * keep_prob
    return X.T @ dh, dh.sum(0), hd.T @ d, d.sum(0)
"""


def changed(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


OF_OBJECT = changed(
    LEFT_OUT,
    (", reg=0.0):\n        W1", "):\n        W1"),
    ("* reg *", "* self.reg *"),
    ("+ reg *", "+ self.reg *"),
)
FIXED = changed(OF_OBJECT, ("n_out, reg=0.0):", "n_out):"), ("self.reg = reg", "self.reg = 0.01"))
WRITTEN = changed(
    PENALISED, ("import numpy as np", "import numpy as np\nlam = 0.01"), (", lam)", ")")
)
SETTINGS = changed(
    WRITTEN, ("lam = 0.01", "class Settings:\n    lam = 0.01"), ("* lam *", "* Settings.lam *"),
    ("+ lam *", "+ Settings.lam *"),
)  # fmt: skip
IDLE = changed(FIXED, ("self.reg = 0.01", "self.reg, self.decay = 0.01, 0.9"))
ROWS = (("0.5 * lam", "0.5 * lam / len(P)"), ("+ lam", "+ lam / len(X)"))
NOT_IN_LOSS = (("data + 0.5 * lam * (np.sum(W1**2) + np.sum(W2**2))", "data"),)
RIGHT = {
    "a half": PENALISED,
    "none": changed(PENALISED, ("0.5 * lam", "lam"), ("+ lam * W", "+ 2 * lam * W")),
    "over the rows": changed(PENALISED, *ROWS),
    "a default": changed(PENALISED, ("lam)", "lam=0.01)")),
    "a default of none": changed(PENALISED, ("lam)", "lam=0.0)")),
    "in a class": CLASS,
    "left out in a class": LEFT_OUT,
    "of the object": OF_OBJECT,
    "fixed in the object": FIXED,
    "written once": WRITTEN,
    "among settings": SETTINGS,
    "beside one that adds nothing": IDLE,
}  # fmt: skip
WRONG = {
    "its sign": changed(PENALISED, ("+ lam * W1", "- lam * W1")),
    "another power": changed(PENALISED, ("+ lam * W2", "+ lam * W2**3")),
    "a default": changed(PENALISED, ("lam)", "lam=0.01)"), ("+ lam * W2", "- 3 * lam * W2")),
    "left out in a class": changed(LEFT_OUT, ("+ reg * W2", "+ 2 * reg * W2")),
    "of the object": changed(OF_OBJECT, ("+ self.reg * W1", "")),
    "a tiny one of the object": changed(
        FIXED, ("self.reg = 0.01", "self.reg = 1e-12"), ("+ self.reg * W1", "")
    ),
    "beside one that adds nothing": changed(IDLE, ("+ self.reg * W1", "")),
    "written once": changed(WRITTEN, ("+ lam * W2", "+ 2 * lam * W2")),
    "fixed in the object": changed(FIXED, ("+ self.reg * W1", "")),
    "in a class": changed(CLASS, ("+ 2 * reg * self.W1", "- 2 * reg * self.W1")),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_the_derivative_of_a_penalty_is_compared(text: str, tmp_path: Path) -> None:
    found = checked(tmp_path, text)
    assert found.verdict is Verdict.AGREES, found.sentence
    assert "your loss has an l2 term" in " ".join(one.sentence for one in found.checks)


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_wrong_derivative_of_a_penalty_disagrees(text: str, tmp_path: Path) -> None:
    assert checked(tmp_path, text).verdict is Verdict.DISAGREES


@pytest.mark.parametrize("text", [LEFT_OUT, OF_OBJECT])
def test_a_declared_strength_is_that_of_a_class(text: str, tmp_path: Path) -> None:
    assert checked(tmp_path, text, l2=0.01).verdict is Verdict.AGREES
    unusual = changed(text, ("W2**2", "W2**4"))
    assert checked(tmp_path, unusual).verdict is Verdict.UNDECIDABLE


@pytest.mark.parametrize("factor", ["0.5 * lam", "lam"])
def test_a_declared_strength_is_passed(factor: str, tmp_path: Path) -> None:
    text = changed(PENALISED, ("0.5 * lam", factor))
    text = changed(text, ("+ lam * W", "+ 2 * lam * W")) if factor == "lam" else text
    assert checked(tmp_path, text, l2=0.01).verdict is Verdict.AGREES
    wrong = changed(text, ("+ lam * W1" if factor != "lam" else "+ 2 * lam * W1", ""))
    assert checked(tmp_path, wrong, l2=0.01).verdict is Verdict.DISAGREES


def test_a_penalty_that_the_loss_does_not_show_is_not_compared(tmp_path: Path) -> None:
    found = checked(tmp_path, changed(PENALISED, *NOT_IN_LOSS))
    assert found.verdict is Verdict.UNDECIDABLE
    assert "what lam adds to the gradients was not compared" in " ".join(found.not_compared)


def test_dropout_that_was_called_without_dropping_is_not_compared(tmp_path: Path) -> None:
    found = checked(tmp_path, DROPOUT)
    assert found.verdict is Verdict.UNDECIDABLE
    assert "its dropout was not compared" in " ".join(found.not_compared)


ALONE = """
import numpy as np
decay = 0.9
class Settings:
    reg = 0.1
def gradients(X, d):
    return X.T @ d
def decayed(X, d, W):
    return gradients(X, d) + decay * W
def penalised(X, d, W):
    return gradients(X, d) + Settings.reg * W
"""


def test_a_strength_excuses_only_the_gradient_that_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(ALONE)
    source = open_source(path)
    opened = source.load(source.definitions)
    read = {name: strengths_read(source, opened, name) for name in source.definitions}
    del read["Settings"]
    assert read == {"gradients": [], "decayed": ["decay"], "penalised": ["reg"]}


SELU = """
import numpy as np
def softmax(s):
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
class Net:
    def __init__(self, sizes):
        self.l1, self.l2, self.l3 = sizes
        self.lam, self.scale = 1.0507009873554805, 1.6732632423543772
        self.W1, self.b1 = np.random.randn(self.l1, self.l2), np.zeros(self.l2)
        self.W2, self.b2 = np.random.randn(self.l2, self.l3), np.zeros(self.l3)
    def forward(self, X):
        self.X, self.z = X, X @ self.W1 + self.b1
        self.h = np.zeros((len(X), self.l2)) + self.lam * np.where(
            self.z > 0, self.z, self.scale * (np.exp(self.z) - 1))
        self.p = softmax(self.h @ self.W2 + self.b2)
        return self.p
    def backward(self, y):
        d = (self.p - y) / len(y)
        self.dW2, self.db2 = self.h.T @ d, d.sum(axis=0)
        slope = np.where(self.z > 0, 1, self.scale * np.exp(self.z))
        dh = (d @ self.W2.T) * self.lam * slope
        self.dW1, self.db1 = self.X.T @ dh, dh.sum(axis=0)
"""


@pytest.mark.parametrize("wrong", [False, True])
def test_what_is_only_named_like_a_strength_is_left_alone(wrong: bool, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(changed(SELU, (" * self.lam * slope", " * slope")) if wrong else SELU)
    declared = Declared({"activation": "selu"}, 0, 20.0)
    found = class_together(open_source(path), "Net", declared)
    assert found is not None
    assert found.verdict.verdict is (Verdict.DISAGREES if wrong else Verdict.AGREES)


class Leaky:
    def __init__(self) -> None:
        self.alpha, self.lr = 0.01, 0.5

    def forward(self, z: float) -> float:
        return max(z, self.alpha * z)

    def step(self, d: float) -> float:
        return self.lr * d


def test_what_a_forward_pass_reads_is_no_learning_rate() -> None:
    net = Leaky()
    set_rate(net, 1.0)
    assert (net.alpha, net.lr) == (0.01, 1.0)


def test_a_strength_is_no_width_of_a_layer() -> None:
    numbers: dict[str, float] = {"l2": 64, "l2_units": 32, "l2_reg": 2, "reg": 1, "L2": 0.5}
    found = [name for name, value in numbers.items() if is_strength(name, value)]
    assert found == ["l2_reg", "reg", "L2"]

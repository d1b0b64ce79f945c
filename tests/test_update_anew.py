"""Velocities and means that begin anew, and a t of Adam that goes up with every weight: named in
somebody's training, and nobody accused who begins another training there."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.loop_steps import Updates, loop_steps
from compare.examine.starter.source import open_source

pytestmark = pytest.mark.slow

TRAIN = """def train(x, y, epochs=9, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8):
    params = begin()
{first}
    for epoch in range(epochs):
{epoch}        for xb, yb in batches(x, y):
            grads = backward(params, xb, yb)
{batch}            for k in params:
{update}    return params
"""
MOMENTUM = """                v[k] = 0.9 * v[k] - lr * grads[k]
                params[k] += v[k]
"""
RMSPROP = """                v[k] = 0.9 * v[k] + 0.1 * grads[k] ** 2
                params[k] -= lr * grads[k] / (np.sqrt(v[k]) + eps)
"""
ADAM = """                m[k] = beta1 * m[k] + (1 - beta1) * grads[k]
                v[k] = beta2 * v[k] + (1 - beta2) * grads[k] ** 2
                m_hat, v_hat = m[k] / (1 - beta1 ** t), v[k] / (1 - beta2 ** t)
                params[k] -= lr * m_hat / (np.sqrt(v_hat) + eps)
"""
V, T = "v = {k: np.zeros_like(w) for k, w in params.items()}", "t = 0"
M = V.replace("v =", "m =")
LOOSE = """for epoch in range(9):
    v = np.zeros_like(W1)
    dW1 = backward(W1, x)
    v = 0.9 * v - lr * dW1
    W1 += v
"""
LOCAL = """def update(params, grads, lr):
    v = {k: np.zeros_like(w) for k, w in params.items()}
    for k in params:
        v[k] = 0.9 * v[k] - lr * grads[k]
        params[k] += v[k]
def train(params, grads):
    for i in range(9):
        update(params, grads, 0.1)
"""


def indented(lines: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in lines.splitlines())


def training(update: str, first: str = "", epoch: str = "", batch: str = "") -> str:
    parts = indented(first, 4), indented(epoch, 8), indented(batch, 12)
    return TRAIN.format(first=parts[0], epoch=parts[1], batch=parts[2], update=update)


COUNT = "t += 1"
BY_RATE = training(MOMENTUM, "", f"params = begin()\n{V}").replace(
    "for epoch in range(epochs)", "for lr in (0.1, 0.2)"
)
RIGHT = {
    "momentum": training(MOMENTUM, V),
    "RMSprop": training(RMSPROP, V),
    "Adam": training(ADAM, f"{M}\n{V}\n{T}", "", COUNT),
    "another training": training(MOMENTUM, "", f"params = begin()\n{V}"),
    "other rates": BY_RATE,
    "if there is none": training(MOMENTUM, "v = None", f"if v is None:\n    {V}"),
    "at a plateau": training(MOMENTUM, V, f"if epoch % 10 == 0:\n    {V}"),
}
ANEW = {
    "momentum, epoch": (training(MOMENTUM, "", V), "velocities that begin anew in every epoch"),
    "momentum, update": (
        training(MOMENTUM, "", "", V), "velocities that begin anew at every update"
    ),
    "RMSprop, epoch": (training(RMSPROP, "", V), "running means that begin anew in every epoch"),
    "Adam, epoch": (
        training(ADAM, T, f"{M}\n{V}", COUNT), "running means that begin anew in every epoch"
    ),
    "Adam, all, epoch": (
        training(ADAM, "", f"{M}\n{V}\n{T}", COUNT), "running means that begin anew in every epoch"
    ),
    "in the function": (LOCAL, "velocities that begin anew at every update"),
}  # fmt: skip


def updates(folder: Path, text: str) -> Updates:
    path = folder / "net.py"
    path.write_text("import numpy as np\n" + text)
    return loop_steps(open_source(path), ())


def names(found: Updates) -> list[str]:
    assert all(one.verdict is Verdict.DISAGREES for one in found.found), found.found
    return [each.mistake for one in found.found for each in one.diagnosis]


@pytest.mark.parametrize("case", RIGHT)
def test_what_is_carried_on_is_right(case: str, tmp_path: Path) -> None:
    found = updates(tmp_path, RIGHT[case])
    assert found.right == 1 and not found.found, found.found


@pytest.mark.parametrize("case", ANEW)
def test_what_begins_anew_is_named(case: str, tmp_path: Path) -> None:
    text, title = ANEW[case]
    found = updates(tmp_path, text)
    assert names(found) == ["velocity-reset"]
    assert found.found[0].diagnosis[0].title == title


def test_a_count_that_begins_anew_alone_is_named_and_no_mean_is(tmp_path: Path) -> None:
    found = updates(tmp_path, training(ADAM, f"{M}\n{V}", T, COUNT))
    assert names(found) == ["adam-t-reset"]
    assert found.found[0].diagnosis[0].title == "a t of Adam that begins anew in every epoch"


def test_zeros_that_a_loose_loop_puts_in_are_named(tmp_path: Path) -> None:
    assert names(updates(tmp_path, LOOSE)) == ["velocity-reset"]


OPTIMISER = """class Momentum:
    def __init__(self, lr=0.1):
        self.lr, self.v = lr, {}

    def update(self, params, grads):
        for k in params:
            self.v[k] = 0.9 * self.v.get(k, 0) - self.lr * grads[k]
            params[k] += self.v[k]

def train(params, x, y):
@0    for epoch in range(9):
@1        for xb, yb in batches(x, y):
@2            opt.update(params, backward(params, xb, yb))
"""
MADE = ("    ", "        ", "            ")


@pytest.mark.parametrize("where", range(3))
def test_an_optimiser_that_is_made_in_the_loop_is_named(where: int, tmp_path: Path) -> None:
    text = OPTIMISER
    for place, spaces in enumerate(MADE):
        text = text.replace(f"@{place}", f"{spaces}opt = Momentum()\n" if place == where else "")
    found = updates(tmp_path, text)
    assert names(found) == (["velocity-reset"] if where else [])
    assert found.right == (where == 0)


KEYED = """class Adam:
    def __init__(self, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t = 0
        self.m, self.v = {}, {}

    def step(self, key, w, dw):
        self.t += 1
        self.m[key] = self.beta1 * self.m.get(key, 0) + (1 - self.beta1) * dw
        self.v[key] = self.beta2 * self.v.get(key, 0) + (1 - self.beta2) * dw ** 2
        m_hat = self.m[key] / (1 - self.beta1 ** self.t)
        v_hat = self.v[key] / (1 - self.beta2 ** self.t)
        return w - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)

def train(params, opt):
    for i in range(9):
        grads = backward(params)
@        for k in params:
            params[k] = opt.step(k, params[k], grads[k])
"""
LOOP = KEYED[KEYED.index("@        for k") :]
IN_A_ROW = '        params["W1"] = opt.step("W1", params["W1"], grads["W1"])\n'
IN_A_ROW += IN_A_ROW.replace("1", "2")
HANDED = """def adam(w, dw, m, v, t, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw ** 2
    return w - lr * (m / (1 - beta1 ** t)) / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v

def train(params, m, v):
    t = 0
    for i in range(9):
        grads = backward(params)
@        for k in params:
#            params[k], m[k], v[k] = adam(params[k], grads[k], m[k], v[k], t)
"""
UNROLLED = """t = 0
mW1 = vW1 = mW2 = vW2 = 0
for i in range(9):
    dW1, dW2 = backward(W1, W2)
    t += 1
    mW1 = 0.9 * mW1 + 0.1 * dW1
    vW1 = 0.999 * vW1 + 0.001 * dW1 ** 2
    W1 -= 0.01 * (mW1 / (1 - 0.9 ** t)) / (np.sqrt(vW1 / (1 - 0.999 ** t)) + 1e-8)
@    mW2 = 0.9 * mW2 + 0.1 * dW2
    vW2 = 0.999 * vW2 + 0.001 * dW2 ** 2
    W2 -= 0.01 * (mW2 / (1 - 0.9 ** t)) / (np.sqrt(vW2 / (1 - 0.999 ** t)) + 1e-8)
"""
OWN = "        self.t[key] = self.t.get(key, 0) + 1\n"
INLINE = training(ADAM, f"{M}\n{V}\n{T}")
COUNTS: dict[str, tuple[str, int]] = {
    "keyed": (KEYED.replace("@", ""), 0),
    "keyed, in a row": (KEYED.replace(LOOP, IN_A_ROW), 0),
    "keyed, outside": (
        KEYED.replace("        self.t += 1\n", "").replace("@", "        opt.t += 1\n"), 1
    ),
    "keyed, each its own": (
        KEYED.replace("@", "").replace("        self.t += 1\n", OWN)
        .replace("** self.t)", "** self.t[key])").replace("self.t = 0", "self.t = {}"), 1
    ),
    "keyed, at the first": (
        KEYED.replace("@", "").replace(
            "        self.t += 1\n", "        if key == 'W1':\n            self.t += 1\n"
        ), 1
    ),
    "handed": (HANDED.replace("@", "").replace("#", "            t += 1\n"), 0),
    "handed, once": (HANDED.replace("@", "        t += 1\n").replace("#", ""), 1),
    "unrolled": (UNROLLED.replace("@", "    t += 1\n"), 0),
    "unrolled, once": (UNROLLED.replace("@", ""), 2),
}  # fmt: skip


def test_a_t_that_stays_0_is_never_advanced(tmp_path: Path) -> None:
    assert names(updates(tmp_path, INLINE)) == ["adam-t-never-advanced"]


@pytest.mark.parametrize("case", COUNTS)
def test_a_t_that_goes_up_with_every_weight_is_named(case: str, tmp_path: Path) -> None:
    text, right = COUNTS[case]
    found = updates(tmp_path, text)
    assert found.right == right, found.found
    assert set(names(found)) == (set() if right else {"adam-t-per-weight"})

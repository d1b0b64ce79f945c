"""Velocities that a training hands to the function that updates: named where they begin anew around
its calls, and nobody accused who begins another training there."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.loop_steps import Updates, loop_steps
from compare.examine.starter.source import open_source

MOMENTUM = """def update(params, grads, v, lr=0.1, mu=0.9):
    for k in params:
        v[k] = mu * v[k] - lr * grads[k]
        params[k] = params[k] + v[k]
    return params, v
"""
RMSPROP = """def update(params, grads, v, lr=0.1, mu=0.9):
    for k in params:
        v[k] = mu * v[k] + (1 - mu) * grads[k] ** 2
        params[k] = params[k] - lr * grads[k] / (np.sqrt(v[k]) + 1e-8)
    return params, v
"""
METHOD = """class Net:
    def update(self, v, W, dW):
        v = 0.9 * v - 0.1 * dW
        return W + v, v
def fit(x, y):
    net, W = Net(), begin()
{0}    for epoch in range(9):
{1}        for xb, yb in batches(x, y):
            W, kept = net.update(kept, dW=backward(W, xb, yb), W=W)
"""
TRAIN = """def train(x, y, epochs=9):
    params = begin()
{0}    for epoch in range(epochs):
{1}        for xb, yb in batches(x, y):
            grads = backward(params, xb, yb)
{2}            params, s = update(params, grads, s)
    return params
"""
ZEROS, AGAIN = "s = {k: np.zeros_like(w) for k, w in params.items()}\n", "params = begin()\n"
KEPT = "kept = np.zeros((4, 3))\n"
ADVANCED = "s = {k: 0.5 * w for k, w in s.items()}\n"


def updates(folder: Path, text: str) -> Updates:
    path = folder / "net.py"
    path.write_text("import numpy as np\n" + text)
    return loop_steps(open_source(path), ())


def training(first: str = "", epoch: str = "", batch: str = "") -> str:
    lines = (first and f"    {first}", epoch and f"        {epoch}", batch and f"{' ' * 12}{batch}")
    return TRAIN.format(*lines)


RIGHT = {
    "momentum": MOMENTUM + training(ZEROS),
    "RMSprop": RMSPROP + training(ZEROS),
    "another training": MOMENTUM + training("", f"{AGAIN}        {ZEROS}"),
    "other rates": MOMENTUM
    + training("", ZEROS).replace("epoch in range(epochs)", "trial in range(3)"),
    "a share of it": MOMENTUM + training(ZEROS, ADVANCED),
    "method": METHOD.format(f"    {KEPT}", ""),
}
ANEW = {
    "momentum": (MOMENTUM + training("", ZEROS), "velocities that begin anew in every epoch"),
    "RMSprop": (RMSPROP + training("", ZEROS), "running means that begin anew in every epoch"),
    "update": (MOMENTUM + training("", "", ZEROS), "velocities that begin anew at every update"),
    "method": (
        METHOD.format("", f"        {KEPT}"), "velocities that begin anew in every epoch"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_what_is_handed_on_is_right(case: str, tmp_path: Path) -> None:
    found = updates(tmp_path, RIGHT[case])
    assert found.right == 1 and not found.found, found.found


@pytest.mark.parametrize("case", ANEW)
def test_what_is_handed_anew_is_named(case: str, tmp_path: Path) -> None:
    text, title = ANEW[case]
    (found,) = updates(tmp_path, text).found
    assert found.verdict is Verdict.DISAGREES
    assert [(one.mistake, one.title) for one in found.diagnosis] == [("velocity-reset", title)]

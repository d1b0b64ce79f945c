"""A training that is handed its first weights is run with weights of ours; its momentum counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.one_function import Declared
from compare.examine.starter.source import open_source
from compare.examine.starter.training.rehearsal import Rehearsed, rehearse
from compare.guard.guard import Guard

TEXT = """import numpy as np
def scores(net, x):
    a = np.tanh(x @ net["w1"] + net["b1"])
    z = a @ net["w2"] + net["b2"]
    e = np.exp(z - z.max(1, keepdims=True))
    return a, e / e.sum(1, keepdims=True)
def slopes(net, x, t):
    a, p = scores(net, x)
    d = (p - t) / len(x)
    u = d @ net["w2"].T * (1 - a * a)
    return {"w2": a.T @ d, "b2": d.sum(0), "w1": x.T @ u, "b1": u.sum(0)}
def advance(net, g, speed, eta, momentum=0.8):
    for key in net:
        speed[key] = momentum * speed[key] - eta * g[key]
        net[key] = net[key] + speed[key]
    return net, speed
def learn(net, inputs, targets, rounds=3, size=16, eta=0.1):
    speed = {key: np.zeros_like(one) for key, one in net.items()}
    for _ in range(rounds):
        order = np.random.permutation(len(inputs))
        x, t = inputs[order], targets[order]
        for at in range(0, len(x), size):
            xb, tb = x[at:at + size], t[at:at + size]
            g = slopes(net, xb, tb)
            net, speed = advance(net, g, speed, eta)
            cost = -np.mean(np.sum(tb * np.log(scores(net, xb)[1]), 1))
        print(cost)
    return net
"""
ZEROS = "{key: np.zeros_like(one) for key, one in net.items()}"
METHODS = TEXT.replace("        speed[key] =", "        if momentum < 0:\n            speed[key] =")
METHODS = METHODS.replace("+ speed[key]\n", "- eta * g[key]\n")


def shown(folder: Path, text: str) -> Rehearsed:
    """What the training of a text shows."""
    path = folder / "mine.py"
    path.write_text(text, "utf-8")
    source = open_source(path, guard=Guard(timeout=20.0))
    found = rehearse(source, Declared({"reduction": "mean"}, 0, 20.0))
    assert found is not None
    return found


@pytest.mark.slow
@pytest.mark.parametrize("text", [TEXT, METHODS], ids=["momentum", "a momentum that is not asked"])
def test_a_training_that_is_handed_its_weights_is_run(text: str, tmp_path: Path) -> None:
    found = shown(tmp_path, text).verdict
    assert (found.name, found.verdict) == ("learn", Verdict.AGREES), found.sentence


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("targets[order]", "targets", "targets-of-another-batch"),
        ("net, speed = advance(net, g, speed,", f"net, _ = advance(net, g, {ZEROS},",
         "velocity-reset"),
        ("            g = slopes", f"            speed = {ZEROS}\n            g = slopes",
         "velocity-reset"),
    ],
)  # fmt: skip
def test_a_fault_of_its_loop_is_named(old: str, new: str, mistake: str, tmp_path: Path) -> None:
    assert old in TEXT
    found = shown(tmp_path, TEXT.replace(old, new)).verdict
    assert [one.mistake for one in found.diagnosis] == [mistake], found.sentence

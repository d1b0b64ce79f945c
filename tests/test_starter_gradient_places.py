"""Of several arrays of one shape the gradient of a bias is the one that is named like it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from compare.examine.starter.slots import gradient_slots, weight_slots
from compare.examine.starter.starter import check_starter
from compare.judge import naming

DUE = {"w1": np.ones((3, 4)), "b1": np.ones(4)}

NORMALISED = """\
import numpy as np

class Scale:
    def __init__(self, n):
        self.gamma, self.beta = np.full(n, 2.0), np.full(n, 0.5)
        self.dgamma, self.dbeta = np.zeros(n), np.zeros(n)

    def backward(self, d, z):
        self.dgamma, self.dbeta = (d * z).sum(0), d.sum(0)
        return d * self.gamma

class Net:
    def __init__(self, n_in, n_hidden, n_out):
        self.W1, self.b1 = np.random.randn(n_in, n_hidden), np.zeros(n_hidden)
        self.scale = Scale(n_hidden)
        self.W2, self.b2 = np.random.randn(n_hidden, n_out), np.zeros(n_out)

    def forward(self, x):
        self.x, self.z = x, x @ self.W1 + self.b1
        self.h = np.maximum(self.scale.gamma * self.z + self.scale.beta, 0)
        s = self.h @ self.W2 + self.b2
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p

    def backward(self, y):
        d = (self.p - y) / len(y)
        self.dW2, self.db2 = self.h.T @ d, d.sum(0)
        dz = self.scale.backward(d @ self.W2.T * (self.h > 0), self.z)
        self.dW1, self.db1 = self.x.T @ dz, dz.sum(0)
"""


def test_a_bias_has_its_own_gradient_and_not_that_of_a_shift_of_its_shape() -> None:
    shift = SimpleNamespace(beta=np.zeros(4), dbeta=np.ones(4))
    thing = SimpleNamespace(
        W1=np.ones((3, 4)), b1=np.ones(4), bn=shift, dW1=np.ones((3, 4)), db1=np.ones(4)
    )
    found = gradient_slots(thing, DUE, weight_slots(thing, DUE))
    assert {name: one.way for name, one in found.items()} == {"w1": ("dW1",), "b1": ("db1",)}


def test_in_a_dictionary_it_is_told_by_its_name_alone() -> None:
    grads = {"dscale": np.ones(4), "W1": np.ones((3, 4)), "b1": np.ones(4)}
    thing = SimpleNamespace(params={"W1": np.ones((3, 4)), "b1": np.ones(4)}, grads=grads)
    found = gradient_slots(thing, DUE, weight_slots(thing, DUE))
    assert {name: one.way for name, one in found.items()} == {
        "w1": ("grads", "W1"),
        "b1": ("grads", "b1"),
    }


def test_no_mistake_is_looked_for_in_a_class_whose_numbers_are_no_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "named_anywhere", lambda *_: pytest.fail("looked for"))
    (tmp_path / "net.py").write_text(NORMALISED)
    (found,) = check_starter(tmp_path / "net.py").functions
    assert "depend on scale.gamma, scale.beta" in found.sentence

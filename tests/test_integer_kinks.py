"""On integer data units stand at exactly 0 in many samples: what is wrong is not excused by that.

A kink explains a difference by slopes that an implementation takes: 0, 1 or one common value. Each
planted gradient that is accepted must be such a subgradient, found here by trying all of them.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import check
from compare.allowance import Arithmetic
from compare.checks.same_point import SamePoint
from torch_reference import Reference

pytestmark = pytest.mark.slow

Array = NDArray[np.float64]
Arrays = dict[str, Array]
FEW = 10
"""Zeros of a unit up to which every choice of slopes is tried."""


def drawn(generator: np.random.Generator) -> tuple[Arrays, Array, Array]:
    """Return an integer point with some units at 0 in some samples."""
    while True:
        inputs, hidden, classes, rows = generator.integers((2, 2, 2, 4), (6, 9, 5, 40))
        w1 = generator.integers(-1, 2, (inputs, hidden)).astype(float)
        x = generator.integers(-2, 3, (rows, inputs)).astype(float)
        zeros = (x @ w1 == 0).sum(axis=0)
        if 0 < zeros.max() <= FEW and zeros.sum() < 40 and w1.any(axis=0).all():
            break
    w2 = generator.integers(-2, 3, (hidden, classes)).astype(float)
    weights = {"w1": w1, "b1": np.zeros(hidden), "w2": w2, "b2": np.zeros(classes)}
    return weights, x, np.eye(classes)[generator.integers(classes, size=rows)]


def subgradients(unit: int, weights: Arrays, x: Array, targets: Array) -> Array:
    """Return what slopes of 0 and 1 at the zeros of a unit add to its db1 and dw1, all 1 last."""
    z = x @ weights["w1"]
    e = np.exp(np.maximum(z, 0) @ weights["w2"])
    dh = (e / e.sum(axis=1, keepdims=True) - targets) @ weights["w2"].T / len(x)
    at = np.flatnonzero(z[:, unit] == 0)
    both = np.concatenate([np.ones((len(at), 1)), x[at]], axis=1) * dh[at, unit, None]
    chosen = np.array(list(product((0.0, 1.0), repeat=len(at))))
    return np.asarray(chosen @ both)


def is_one(change: Array, possible: Array) -> bool:
    """Whether a change is among the possible ones, or a share of the last, which takes all."""
    whole = possible[-1]
    share = float(np.clip(change @ whole / (whole @ whole or 1.0), 0, 1))
    tried = np.concatenate([possible, share * whole[None]])
    return bool((np.abs(tried - change).max(axis=1) < 1e-12).any())


@pytest.mark.parametrize("factor", [0.0, 0.9, 0.95, 1.05, 1.1])
def test_no_scaled_bias_gradient_is_excused_that_is_no_subgradient(factor: float) -> None:
    generator, tried = np.random.default_rng(11), 0
    for _ in range(12):
        weights, x, targets = drawn(generator)
        sizes: Any = (len(weights["w1"]), *weights["w2"].shape)
        reference = Reference(sizes)
        loss, gradients, _ = reference.loss_and_gradients(weights, x, targets, intermediates=True)
        check = SamePoint(reference, Arithmetic.of("float64"), "relu", "mean")
        for unit in np.flatnonzero(np.abs(gradients["b1"]) > 1e-9):
            wrong = {name: array.copy() for name, array in gradients.items()}
            wrong["b1"][unit] *= factor
            tried += 1
            if not check(weights, x, targets, loss, wrong).agrees:
                continue
            change = np.zeros(1 + len(weights["w1"]))
            change[0] = (factor - 1) * gradients["b1"][unit]
            assert is_one(change, subgradients(int(unit), weights, x, targets))
    assert tried > 20


@pytest.mark.parametrize("hidden", [(7,), (7, 6)], ids=["two layers", "three"])
@pytest.mark.parametrize(
    ("slope", "names"),
    [(2.0, ["slope-at-zero"]), (-0.3, ["slope-at-zero"]), (1.0, []), (0.5, []), (0.0, [])],
)
def test_a_slope_at_zero_that_is_none_is_named_and_others_agree(
    hidden: tuple[int, ...], slope: float, names: list[str]
) -> None:
    r = np.random.default_rng(0)
    sizes = (5, *hidden, 4)
    w: Arrays = {}
    for layer, (a, b) in enumerate(pairwise(sizes), start=1):
        w[f"w{layer}"] = r.integers(-2, 3, (a, b)).astype(float)
        w[f"b{layer}"] = r.integers(-1, 2, b).astype(float)
    x, targets = r.integers(-2, 3, (12, 5)).astype(float), np.eye(4)[r.integers(4, size=12)]

    def code(w: Arrays, x: Array, t: Array) -> Any:
        last = len(w) // 2
        h, z = {0: x}, {}
        for i in range(1, last + 1):
            z[i] = h[i - 1] @ w[f"w{i}"] + w[f"b{i}"]
            h[i] = np.maximum(z[i], 0)
        s = z[last] - z[last].max(axis=1, keepdims=True)
        log_p = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
        found: Arrays = {}
        d = (np.exp(log_p) - t) / len(x)
        for i in range(last, 0, -1):
            found |= {f"w{i}": h[i - 1].T @ d, f"b{i}": d.sum(axis=0)}
            if i > 1:
                d = d @ w[f"w{i}"].T * np.where(z[i - 1] == 0, slope, z[i - 1] > 0)
        return -(t * log_p).sum() / len(x), {name: found[name] for name in w}

    result = check(code, parameters=w, x=x, targets=targets)
    assert [one.mistake for one in result.diagnosis] == names
    assert (result.verdict == "agrees") is (not names)

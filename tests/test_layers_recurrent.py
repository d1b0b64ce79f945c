"""Plain recurrences of many steps: their roundings grow together, and what fades away may be wrong.

Every right one has a wrong twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from compare.contracts.result import Verdict
from compare.layers.check import check_layer

N, F, H = 4, 3, 5


def reference(x: Any, w: Any, u: Any, b: Any) -> Any:
    h, found = torch.zeros_like(x[0] @ w), []
    for row in x:
        h = torch.tanh(row @ w + h @ u + b)
        found.append(h)
    return torch.stack(found)


def last(**inputs: Any) -> Any:
    return reference(**inputs)[-1]


def recurrence(inputs: Any, dy: Any, *, factor: float = 1.0, first: int = 0) -> Any:
    """Backwards through time; `factor` on what is carried, nothing before step `first`."""
    x, w, u, b = (inputs[name] for name in "xwub")
    states = [np.zeros_like(x[0] @ w)]
    for row in x:
        states.append(np.tanh(row @ w + states[-1] @ u + b))
    dx, dw, du, db = (np.zeros_like(a) for a in (x, w, u, b))
    dh = np.zeros_like(states[0])
    dys = dy if dy.ndim == 3 else [0.0] * (len(x) - 1) + [dy]
    for t in range(len(x) - 1, first - 1, -1):
        dh = dh + dys[t]
        dz = dh * (1 - states[t + 1] ** 2)
        dx[t], dh = dz @ w.T, x.dtype.type(factor) * (dz @ u.T)
        dw, du, db = dw + x[t].T @ dz, du + states[t].T @ dz, db + dz.sum(0)
    return np.stack(states[1:]) if dy.ndim == 3 else states[-1], dict(
        x=dx, w=dw, u=du, b=db
    )  # fmt: skip


def drawn(steps: int, scale: float, form: str, seed: int) -> Any:
    random = np.random.default_rng(seed)
    inputs = {
        "x": random.normal(size=(steps, N, F)),
        "w": random.normal(size=(F, H)) * 0.5,
        "u": scale * random.normal(size=(H, H)) / np.sqrt(H),
        "b": random.normal(size=H) * 0.1,
    }
    return {name: values.astype(form) for name, values in inputs.items()}


LONG = [
    (20, 2.5, "float64", True), (60, 1.0, "float64", False), (100, 0.6, "float32", False),
    (100, 1.0, "float64", False), (100, 1.5, "float32", True),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("steps, scale, form, every", LONG)
def test_a_right_recurrence_agrees_however_its_roundings_grow(
    steps: int, scale: float, form: str, every: bool
) -> None:
    result = check_layer(
        recurrence, reference if every else last, drawn(steps, scale, form, seed=1)
    )
    assert result.verdict is Verdict.AGREES and result.kind is None, result.sentence


@pytest.mark.parametrize("form, off", [("float64", 1e-10), ("float32", 1e-2)])
def test_a_factor_on_what_is_carried_is_seen_all_the_same(form: str, off: float) -> None:
    def wrong(inputs: Any, dy: Any) -> Any:
        return recurrence(inputs, dy, factor=1 + off)

    result = check_layer(wrong, last, drawn(30, 1.0, form, seed=1))
    assert result.verdict is Verdict.DISAGREES, result.sentence


@pytest.mark.slow
@pytest.mark.parametrize("form, scale", [("float32", 0.1), ("float64", 0.1), ("float32", 0.5)])
def test_what_has_faded_away_is_not_called_clipped_where_it_may_be_cut_short(
    form: str, scale: float
) -> None:
    def cut_short(inputs: Any, dy: Any) -> Any:
        return recurrence(inputs, dy, first=5)

    result = check_layer(cut_short, last, drawn(30, scale, form, seed=1))
    assert result.verdict is Verdict.UNDECIDABLE
    assert "no more than a clipped tail would" in result.sentence
    assert check_layer(recurrence, last, drawn(30, scale, form, seed=1))

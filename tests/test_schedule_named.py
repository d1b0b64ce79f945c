"""A rate that falls by a curve is said to be a schedule; another one is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike

from compare import check
from compare.contracts.experiment import Experiment
from compare.diagnosis.scheduled import on_schedule
from manual_mlp import Record, loss_and_gradients

Arrays = dict[str, np.ndarray[Any, Any]]
RATE = 0.1
CURVES: dict[str, tuple[Callable[[int], float], str]] = {
    "Keras": (lambda t: 1 / (1 + 0.01 * t), "0.1 / (1 + 0.01 t)"),
    "Keras, later": (lambda t: 1 / (1 + 0.2 * (t + 3)), "0.1 / (1 + 0.2 t)"),
    "power": (lambda t: 0.95**t, "0.1 times 0.95**t"),
    "one over": (lambda t: 1 / (t + 1), "0.1 / (1 + 1 t)"),
    "root": (lambda t: (t + 1) ** -0.5, "0.1 / sqrt(1 + 1 t)"),
}
NONE: dict[str, Callable[[int], float]] = {
    "another": lambda t: 0.5,
    "declared": lambda t: 1.0,
    "any": lambda t: (1, 0.8, 0.75, 0.3, 0.29, 0.1)[t],
    "rising": lambda t: 1 + 0.1 * t,
}
WAYS = ("velocity", "buffer", "adam")


def written(share: Callable[[int], float], way: str, dtype: DTypeLike, *, seed: int = 0) -> Any:
    """Records of six updates of momentum or Adam by hand, without rates in them."""
    generator = np.random.default_rng(seed)
    shapes = {"w1": (6, 5), "b1": (5,)}
    drawn = {k: np.asarray(generator.normal(size=shape)) for k, shape in shapes.items()}
    w: Arrays = {k: a.astype(dtype) for k, a in drawn.items()}
    v: Arrays = {k: np.zeros_like(a) for k, a in w.items()}
    s: Arrays = {k: np.zeros_like(a) for k, a in w.items()}
    found = []
    for t in range(7):
        g: Arrays = {k: np.asarray(generator.normal(size=a.shape), dtype) for k, a in w.items()}
        found.append(Record(t, 0, np.arange(1), 0.0, g, w, {}, None))
        rate = RATE * share(min(t, 5))
        if way == "adam":
            v = {k: 0.9 * v[k] + 0.1 * g[k] for k in w}
            s = {k: 0.999 * s[k] + 0.001 * g[k] ** 2 for k in w}
            root = {k: np.sqrt(s[k] / (1 - 0.999 ** (t + 1))) + 1e-8 for k in w}
            w = {k: w[k] - rate * v[k] / (1 - 0.9 ** (t + 1)) / root[k] for k in w}
        elif way == "velocity":
            v = {k: 0.9 * v[k] + rate * g[k] for k in w}
            w = {k: w[k] - v[k] for k in w}
        else:
            v = {k: 0.9 * v[k] + g[k] for k in w}
            w = {k: w[k] - rate * v[k] for k in w}
        w = {k: a.astype(dtype) for k, a in w.items()}
    return found


def asked(way: str, dtype: str = "float64") -> Experiment:
    declared = {"optimiser": "adam"} if way == "adam" else {"momentum_form": way}
    return Experiment(learning_rate=RATE, dtype=dtype, **declared)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CURVES)
def test_a_schedule_is_said_with_its_curve(name: str, way: str, dtype: str) -> None:
    share, words = CURVES[name]
    found = on_schedule([written(share, way, dtype)], asked(way, dtype))
    assert found is not None and found.mistake == "learning-rate-on-a-schedule"
    assert words in found.sentence and "no mistake" in found.sentence


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NONE)
def test_what_is_no_falling_curve_is_no_schedule(name: str, way: str) -> None:
    assert on_schedule([written(NONE[name], way, "float64")], asked(way)) is None


def test_a_slip_beside_a_falling_rate_is_no_schedule() -> None:
    records = written(CURVES["Keras"][0], "velocity", "float64")
    assert on_schedule([records], asked("buffer")) is None


def test_a_check_says_that_it_is_a_schedule() -> None:
    count = {"updates": 0}

    def step(p: Arrays, g: Arrays, state: Arrays, *, learning_rate: float, momentum: float) -> Any:
        rate = learning_rate / (1 + 0.01 * count["updates"])
        count["updates"] += 1
        v = {k: momentum * state.get(f"v_{k}", 0 * p[k]) + rate * g[k] for k in p}
        return {k: p[k] - v[k] for k in p}, {f"v_{k}": a for k, a in v.items()}

    result = check(loss_and_gradients, step=step, learning_rate=RATE, hidden=(7,))
    assert [one.mistake for one in result.diagnosis] == ["learning-rate-on-a-schedule"]
    assert result.kind == "convention" and result.exit_code == 1

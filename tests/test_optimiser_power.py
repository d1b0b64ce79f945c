"""What an update of any optimiser shows as a whole, and which updates are weak for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare import Experiment
from compare.checks.optimiser_replay import OptimiserReplay
from compare.checks.optimiser_step import OptimiserStep
from compare.checks.step_power import StepPower
from compare.checks.weak import PROMISED
from compare.examine.optimisers import our_rule
from manual_mlp import Record
from manual_mlp.optimisers import update
from tests.faults import SMALL, side_by_side

U = {"float64": 2.0**-53, "float32": 2.0**-24}
OPTIMISERS: dict[str, dict[str, Any]] = {
    "nesterov": {"nesterov": True, "momentum_form": "buffer"},
    "adam": {"optimiser": "adam"},
    "amsgrad": {"optimiser": "amsgrad"},
    "rmsprop": {"optimiser": "rmsprop", "centred": True, "alpha": 0.9, "momentum": 0.9},
    "adagrad": {"optimiser": "adagrad"},
}


def transition(asked: Experiment, size: float, seed: int) -> tuple[Record, Record]:
    """The fourth update of an optimiser, from recorded buffers."""
    generator = np.random.default_rng(seed)
    dtype = np.dtype(asked.dtype)
    w = {"w1": generator.normal(size=(9, 7)).astype(dtype)}
    state: dict[str, Any] = {}
    records = []
    for number in range(5):
        g = {"w1": (size * generator.normal(size=(9, 7))).astype(dtype)}
        records.append(Record(number, 0, np.arange(3), 1.0, g, w, state, None))
        w, state = update(our_rule(asked), w, g, state)
    return records[3], records[4]


def slipped(after: Record, before: Record, factor: str, wrong: float) -> Record:
    """The record after an update with a relative error in its change or in a buffer."""
    share = after.parameters["w1"].dtype.type(1 + wrong)
    if factor == "change":
        w = before.parameters["w1"]
        return replace(after, parameters={"w1": w + (after.parameters["w1"] - w) * share})
    key = f"{factor}_w1"
    return replace(after, state=after.state | {key: after.state[key] * share})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("rate", [1e-9, 1e-5, 1e-2])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_error_of_the_promised_size_is_seen_unless_the_update_is_weak_for_it(
    name: str, rate: float, size: float, dtype: str
) -> None:
    asked = Experiment(**OPTIMISERS[name], learning_rate=rate, dtype=dtype)
    before, after = transition(asked, size, 1)
    power, check = StepPower(dtype), OptimiserReplay(OptimiserStep.of(asked))
    honest = check(before, after, power)
    assert max(one.ratio for one in honest.values()) <= 0.5, honest
    weak = {factor.removeprefix("no ") for factor, _ in power.short}
    factors = ["change", *(key[0] for key in after.state if key != "t")]
    for factor in factors:
        if factor in weak or {f"fed {factor}", f"carried {factor}"} & weak:
            continue
        wrong = slipped(after, before, factor, PROMISED[dtype])
        found = OptimiserReplay(OptimiserStep.of(asked))(before, wrong, None)
        assert not all(one.agrees for one in found.values()), (factor, weak)


def test_the_projection_sees_a_factor_that_every_entry_hides() -> None:
    asked = Experiment(optimiser="adam", learning_rate=1e-3)
    generator = np.random.default_rng(0)
    sign = generator.choice([-1.0, 1.0], size=(300, 200))
    w = {"w1": sign * generator.uniform(1, 2, size=(300, 200))}
    g = {"w1": generator.normal(size=(300, 200))}
    before = Record(0, 0, np.arange(3), 1.0, g, w, {}, None)
    _, state = update(our_rule(asked), w, g, {})
    wide = g["w1"].astype(np.longdouble)  # the slip is made before the entries are rounded
    step = np.longdouble(1e-3) * (1 + 3e-14) * wide / (np.abs(wide) + np.longdouble(1e-8))
    wrong = {"w1": (w["w1"] - step).astype(np.float64)}
    after = Record(1, 0, np.arange(3), 1.0, g, wrong, state, None)
    found = OptimiserReplay(OptimiserStep.of(asked))(before, after)
    assert found["w1"].worst.ratio <= 1 and not found["w1 projection"].agrees


WEAK: list[tuple[dict[str, Any], Callable[[str], bool]]] = [
    ({"optimiser": "adam", "learning_rate": 1e-18}, lambda why: "w1" in why and "change" in why),
    ({"optimiser": "adam"}, lambda why: "every m was zero everywhere before" in why),
]


@pytest.mark.parametrize(("settings", "told"), WEAK)
def test_a_run_says_which_updates_are_weak(
    settings: dict[str, Any], told: Callable[[str], bool]
) -> None:
    result = side_by_side(replace(SMALL, activation="tanh", **settings))
    reasons = [weak.reason for weak in result.weak if weak.check == "step"]
    assert any(map(told, reasons)), reasons


def test_entries_without_a_gradient_are_compared_too() -> None:
    """The root of 0 is no reason to allow anything."""
    asked = Experiment(optimiser="adam", learning_rate=0.01)
    w, g = {"w1": np.ones((3, 2))}, {"w1": np.zeros((3, 2))}
    before = Record(0, 0, np.arange(3), 1.0, g, w, {}, None)
    moved, state = update(our_rule(asked), w, g, {})
    check = OptimiserReplay(OptimiserStep.of(asked))
    right = Record(1, 0, np.arange(3), 1.0, g, moved, state, None)
    assert all(one.agrees for one in check(before, right).values())
    wrong = replace(right, parameters={"w1": moved["w1"] + 1e-12})
    assert not OptimiserReplay(OptimiserStep.of(asked))(before, wrong)["w1"].agrees

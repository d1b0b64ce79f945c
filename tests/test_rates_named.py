"""Another rate than that of an update is named where the rate changes; right ones are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from compare.checks.optimiser_replay import OptimiserReplay
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.experiment import Experiment
from compare.diagnosis.rates import at_other_rates
from manual_mlp import Record

RATES = (0.1, 0.08, 0.05, 0.05, 0.02)
Arrays = dict[str, np.ndarray[Any, Any]]


def written(
    used: Callable[[int], float], *, form: str = "buffer", rates: tuple[float, ...] = RATES,
    state: bool = True, adam: bool = False,
) -> list[Record]:  # fmt: skip
    """Records of momentum or Adam by hand: `rates` are recorded, `used` are taken."""
    generator = np.random.default_rng(5)
    w: Arrays = {k: generator.normal(size=s) for k, s in (("w1", (6, 5)), ("b1", 5))}
    v: Arrays = {k: np.zeros_like(a) for k, a in w.items()}
    s: Arrays = {k: np.zeros_like(a) for k, a in w.items()}
    found = []
    for t, recorded in enumerate((*rates, 0.1)):
        g: Arrays = {k: np.asarray(generator.normal(size=a.shape)) for k, a in w.items()}
        shown = {f"v_{k}": a for k, a in v.items()} if state and not adam else {}
        found.append(Record(t, 0, np.arange(1), 0.0, g, w, shown, None, learning_rate=recorded))
        rate = used(min(t, len(rates) - 1))
        if adam:
            v = {k: 0.9 * v[k] + 0.1 * g[k] for k in w}
            s = {k: 0.999 * s[k] + 0.001 * g[k] ** 2 for k in w}
            root = {k: np.sqrt(s[k] / (1 - 0.999 ** (t + 1))) + 1e-8 for k in w}
            w = {k: w[k] - rate * v[k] / (1 - 0.9 ** (t + 1)) / root[k] for k in w}
        elif form == "velocity":
            v = {k: 0.9 * v[k] + rate * g[k] for k in w}
            w = {k: w[k] - v[k] for k in w}
        else:
            v = {k: 0.9 * v[k] + g[k] for k in w}
            w = {k: w[k] - rate * v[k] for k in w}
    return found


WRONG: dict[str, tuple[Callable[[int], float], str]] = {
    "before": (lambda t: RATES[max(t - 1, 0)], "the learning rate of the update before"),
    "after": (lambda t: (*RATES, 0.1)[t + 1], "the learning rate of the update after"),
    "first": (lambda t: RATES[0], "a learning rate that stays at 0.1"),
    "twice": (lambda t: 2 * RATES[t], "a learning rate that is 2 times the one of its update"),
    "squared": (lambda t: RATES[t] ** 2, "a learning rate that is squared"),
}
WAYS: dict[str, dict[str, Any]] = {
    "velocity": {"form": "velocity"},
    "buffer": {},
    "not recorded": {"state": False},
    "adam": {"adam": True},
}


def asked(way: dict[str, Any]) -> Experiment:
    if way.get("adam"):
        return Experiment(optimiser="adam", learning_rate=0.1)
    return Experiment(learning_rate=0.1, momentum_form=way.get("form", "buffer"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", WRONG)
def test_another_rate_is_named_in_every_optimiser(name: str, way: str) -> None:
    used, title = WRONG[name]
    records, multiples = [written(used, **WAYS[way])], name == "twice"
    found = at_other_rates(records, asked(WAYS[way]), multiples=multiples)
    assert found is not None and found.title == title
    assert found.ratio_after <= 1 < found.ratio_before


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_said_of_right_rates_and_of_one_that_no_rule_makes(way: str) -> None:
    of = WAYS[way]
    assert at_other_rates([written(RATES.__getitem__, **of)], asked(of)) is None
    odd = (0.1, 0.0731, 0.0512, 0.0411, 0.0317)
    assert at_other_rates([written(odd.__getitem__, **of)], asked(of)) is None


@pytest.mark.parametrize("form", ["velocity", "buffer", "negative_velocity"])
@pytest.mark.parametrize("state", [True, False], ids=["recorded", "not recorded"])
def test_a_rate_of_zero_stops_the_gradient_and_not_the_velocity(form: str, state: bool) -> None:
    rates = (0.0, 0.1, 0.0, 0.05)
    sign = -1 if form == "negative_velocity" else 1
    written_as = "buffer" if form == "buffer" else "velocity"
    records = written(rates.__getitem__, form=written_as, rates=rates, state=state)
    for record in records if sign < 0 else ():
        record.state.update({k: -v for k, v in record.state.items()})
    declared = Experiment(learning_rate=0.1, momentum_form=form, weight_decay=1e-30)
    replay = OptimiserReplay(OptimiserStep.of(declared))
    for before, after in pairwise(records):
        assert max(one.ratio for one in replay(before, after).values()) <= 0.5
    moved = records[3].parameters["w1"] - records[2].parameters["w1"]
    assert form == "buffer" or np.abs(moved).max() > 0  # the velocity goes on


def test_a_gradient_weighted_in_a_recorded_buffer_is_no_multiple_of_the_rate() -> None:
    records = written(lambda t: 0.1 * RATES[t])
    weighted = [replace(one, state={k: v * 0.1 for k, v in one.state.items()}) for one in records]
    wanted = asked({})
    assert at_other_rates([records], wanted, multiples=True) is not None
    assert at_other_rates([weighted], wanted, multiples=True) is None

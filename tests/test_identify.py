"""An update is told by what it does to the weights: by its option, or by the mistake in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike

from compare import check
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.errors import UserCodeError
from compare.contracts.experiment import Experiment
from compare.diagnosis.identity import Identity
from compare.diagnosis.optimiser import identify
from compare.mistakes.catalogue import OTHER_STEP
from compare.mistakes.optimiser_mistake import OptimiserMistake
from manual_mlp import Record, loss_and_gradients
from manual_mlp.optimisers import SGD, Adagrad, Adam, RMSprop, Rule, update

RATE = 0.01
Step = Callable[..., Any]


def walked(step: Rule, dtype: DTypeLike, seed: int, updates: int = 6) -> list[Record]:
    """Records of a few updates with random gradients, from the first one on."""
    generator = np.random.default_rng(seed)
    now = {"w1": generator.normal(size=(7, 5)).astype(dtype)}
    now["b1"] = generator.normal(size=5).astype(dtype)
    state: dict[str, Any] = {}
    found = []
    for number in range(updates + 1):
        drawn = {name: generator.normal(scale=0.1, size=w.shape) for name, w in now.items()}
        gradients = {name: g.astype(dtype) for name, g in drawn.items()}
        found.append(Record(number, 0, np.arange(1), 0.0, gradients, now, {}, None))
        with np.errstate(invalid="ignore"):  # a mistake may take the root of what is negative
            now, state = update(step, now, gradients, state)
        now = {name: w.astype(dtype) for name, w in now.items()}
    return found


def planted(mistake: OptimiserMistake, asked: Experiment) -> Rule:
    """The rule with the mistake in it; which weight it is called with it is not told."""
    rule, of = mistake.rule(asked.optimiser), OptimiserStep.of(asked).settings

    def step(w: Any, g: Any, state: Any, t: int, /) -> Any:
        return rule(w, g, state, t, of)

    return step


CASES = [(mistake, name) for mistake in OTHER_STEP for name in mistake.of
         if "of.place" not in mistake.slip]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("mistake", "name"), CASES, ids=[f"{m.name}, {n}" for m, n in CASES])
def test_every_mistake_is_named_in_every_optimiser_it_is_of(
    mistake: OptimiserMistake, name: str, dtype: str
) -> None:
    asked = Experiment(optimiser=name, learning_rate=RATE, dtype=dtype, **dict(mistake.needs))
    found = identify(walked(planted(mistake, asked), dtype, 0), asked)
    assert isinstance(found, Identity) and found.mistake is mistake, found
    assert found.after <= 1 < found.before


ANOTHER: list[tuple[dict[str, Any], Rule, str]] = [
    ({}, Adam(RATE), "--optimiser adam"),
    ({}, Adam(RATE, amsgrad=True), "--optimiser amsgrad"),
    ({}, RMSprop(RATE), "--optimiser rmsprop --momentum 0"),
    ({}, Adagrad(RATE), "--optimiser adagrad"),
    ({}, SGD(RATE, 0.9, nesterov=True), "--nesterov true"),
    ({}, SGD(RATE, 0.9, dampening=0.5), "--dampening 0.5"),
    ({}, SGD(RATE, 0.9, weight_decay=0.02), "--weight-decay 0.02"),
    ({}, SGD(RATE, 0.9, weight_decay=0.02, decoupled=True), "--decoupled true --weight-decay 0.02"),
    ({"optimiser": "adam"}, Adam(RATE, epsilon=1e-6), "--eps 1e-06"),
    ({"optimiser": "adam"}, Adam(RATE, 0.9, 0.99), "--betas 0.9,0.99"),
    ({"optimiser": "adam"}, Adam(RATE, weight_decay=0.01), "--weight-decay 0.01"),
    (
        {"optimiser": "adam"}, Adam(RATE, weight_decay=0.03, decoupled=True),
        "--decoupled true --weight-decay 0.03",
    ),
    ({"optimiser": "amsgrad"}, Adam(RATE), "--optimiser adam"),
    ({"optimiser": "rmsprop", "momentum": 0.0}, RMSprop(RATE, 0.9), "--alpha 0.9"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "rule", "words"), ANOTHER, ids=[w for *_, w in ANOTHER])
def test_what_was_not_declared_is_told_by_its_option(
    declared: dict[str, Any], rule: Rule, words: str
) -> None:
    found = identify(walked(rule, "float64", 1), Experiment(learning_rate=RATE, **declared))
    assert found is not None and found.mistake is None
    assert sorted(found.words.split("--")) == sorted(words.split("--")), found


def test_what_was_declared_and_what_nobody_knows_is_not_told() -> None:
    asked = Experiment(optimiser="adam", learning_rate=RATE)
    assert identify(walked(Adam(RATE), "float64", 2), asked) is None
    unknown = walked(lambda w, g, state, t: (w - RATE * np.cbrt(g), {}), "float64", 2)
    assert identify(unknown, asked) is None


@pytest.mark.parametrize("form", ["velocity", "buffer"])
def test_the_bound_of_a_clipped_velocity_is_read_off_the_largest_step(form: str) -> None:
    asked = Experiment(learning_rate=RATE, momentum_form=form)
    bound = 0.05 if form == "buffer" else 0.05 * RATE

    def step(w: Any, g: Any, state: Any, t: int) -> Any:
        v = np.clip(0.9 * state.get("v", 0 * w) + g, -0.05, 0.05)
        return w - RATE * v, {"v": v}

    found = identify(walked(step, "float64", 3), asked)
    assert found is not None and found.mistake is not None
    assert found.mistake.name == "velocity-clipped"
    assert f"between {-bound:.4g} and {bound:.4g}" in found.sentence


def test_the_decay_of_adamw_is_not_said_to_be_decoupled() -> None:
    (late,) = (one for one in OTHER_STEP if one.name == "decay-without-rate")
    asked = Experiment(optimiser="adamw", learning_rate=RATE, weight_decay=0.1)
    found = identify(walked(planted(late, asked), "float64", 0), asked)
    assert found is not None and found.mistake is late and not found.options


def own_adam(parameters: Any, gradients: Any, state: Any, *, learning_rate: float, **_: Any) -> Any:
    t, after, kept = state.get("t", 0) + 1, {}, {}
    for k, w in parameters.items():
        m = kept[f"m_{k}"] = 0.9 * state.get(f"m_{k}", 0 * w) + 0.1 * gradients[k]
        s = kept[f"s_{k}"] = 0.999 * state.get(f"s_{k}", 0 * w) + 0.001 * gradients[k] ** 2
        after[k] = w - learning_rate * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
    return after, {**kept, "t": t}


def test_adam_that_was_not_declared_is_told_by_its_option_where_its_state_is_refused() -> None:
    with pytest.raises(UserCodeError, match="your update is Adam's: `--optimiser adam` declares"):
        check(loss_and_gradients, step=own_adam, learning_rate=RATE, hidden=(7,))


def test_a_check_names_the_mistake_of_a_declared_optimiser() -> None:
    def without_t(w: Any, g: Any, state: Any, *, learning_rate: float, **_: float) -> Any:
        after, kept = {}, {"t": state.get("t", 0) + 1}
        for k in w:
            m = kept[f"m_{k}"] = 0.9 * state.get(f"m_{k}", 0 * w[k]) + 0.1 * g[k]
            s = kept[f"s_{k}"] = 0.999 * state.get(f"s_{k}", 0 * w[k]) + 0.001 * g[k] ** 2
            after[k] = w[k] - learning_rate * m / (np.sqrt(s) + 1e-8)
        return after, kept

    result = check(loss_and_gradients, step=without_t, optimiser="adam", hidden=(7,))
    assert [one.mistake for one in result.diagnosis] == ["adam-without-t"]
    assert result.sentence.startswith("disagrees (update): Adam without its correction by t: w1[")


def test_a_form_that_could_be_declared_is_a_convention() -> None:
    def nesterov(w: Any, g: Any, state: Any, *, learning_rate: float, momentum: float) -> Any:
        v = {f"v_{k}": momentum * state[f"v_{k}"] + learning_rate * g[k] for k in w}
        return {k: w[k] - learning_rate * g[k] - momentum * v[f"v_{k}"] for k in w}, v

    result = check(loss_and_gradients, step=nesterov, hidden=(7,))
    assert result.kind == "convention"
    assert result.diagnosis[0].mistake == "nesterov"
    assert "`--nesterov true` declares it" in result.diagnosis[0].sentence
    assert check(loss_and_gradients, step=nesterov, hidden=(7,), nesterov=True)


def clipped(each: bool, norm: float) -> list[Record]:
    """Records of plain momentum with gradients clipped together or each by itself."""
    generator = np.random.default_rng(3)
    now = {"w1": generator.normal(size=(7, 5)), "b1": generator.normal(size=5)}
    state: dict[str, Any] = {}
    found = []
    for number in range(5):
        g = {name: generator.normal(size=w.shape) for name, w in now.items()}
        found.append(Record(number, 0, np.arange(1), 0.0, g, now, {}, None))
        together = np.sqrt(sum((a * a).sum() for a in g.values()))
        taken = {
            n: a * min(1.0, norm / ((np.linalg.norm(a) if each else together) + 1e-6))
            for n, a in g.items()
        }
        now, state = update(SGD(RATE, 0.9), now, taken, state)
    return found


def test_gradients_clipped_one_by_one_are_told_from_gradients_clipped_together() -> None:
    asked = Experiment(learning_rate=RATE, momentum_form="buffer", clip_norm=0.5)
    assert identify(clipped(False, 0.5), asked) is None
    found = identify(clipped(True, 0.5), asked)
    assert found is not None and found.mistake is not None
    assert found.mistake.name == "clip-norm-of-each"


def test_a_declared_clipping_that_is_left_out_is_named() -> None:
    found = identify(
        walked(SGD(RATE, 0.9), "float64", 5),
        Experiment(learning_rate=RATE, momentum_form="buffer", clip_norm=0.1),
    )
    assert found is not None and found.mistake is not None
    assert found.mistake.name == "clipping-left-out"


def test_parameters_that_never_change_are_named_where_the_others_are_right() -> None:
    records = walked(RMSprop(RATE), "float64", 5)
    first = records[0].parameters["b1"]
    still = [replace(one, parameters=one.parameters | {"b1": first}) for one in records]
    asked = Experiment(learning_rate=RATE, optimiser="rmsprop", momentum=0.0)
    found = identify(still, asked)
    assert found is not None
    assert found.sentence.startswith("Never updated: b1.")

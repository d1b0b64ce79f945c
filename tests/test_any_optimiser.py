"""A `step` of any optimiser is held against torch.optim: right ones agree, slips are seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compare import check
from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.experiment import Experiment
from compare.contracts.result import Result, Verdict
from manual_mlp import loss_and_gradients
from manual_mlp.optimisers import SGD, Adagrad, Adam, RMSprop, Rule, update
from torch_reference import Recipe
from torch_reference.optimisers import optimiser_step

HONEST = 0.5
RATE = 0.01
Settings = dict[str, Any]
RIGHT: dict[str, tuple[Settings, Rule]] = {
    "sgd, nesterov": (
        {"nesterov": True, "momentum_form": "buffer"}, SGD(RATE, 0.9, nesterov=True)
    ),
    "sgd, nesterov inside": (
        {"nesterov": True}, SGD(RATE, 0.9, form="velocity", nesterov=True)
    ),
    "sgd, negative": (
        {"momentum_form": "negative_velocity"}, SGD(RATE, 0.9, form="negative_velocity")
    ),
    "sgd, dampened": (
        {"dampening": 0.3, "momentum_form": "buffer"}, SGD(RATE, 0.9, dampening=0.3)
    ),
    "sgd, decay": (
        {"weight_decay": 0.1, "momentum_form": "buffer"}, SGD(RATE, 0.9, weight_decay=0.1)
    ),
    "adam": ({"optimiser": "adam"}, Adam(RATE)),
    "adam, decay": ({"optimiser": "adam", "weight_decay": 0.1}, Adam(RATE, weight_decay=0.1)),
    "adam, betas and eps": (
        {"optimiser": "adam", "betas": (0.8, 0.95), "eps": 1e-4}, Adam(RATE, 0.8, 0.95, 1e-4)
    ),
    "adamw": (
        {"optimiser": "adamw", "weight_decay": 0.1}, Adam(RATE, weight_decay=0.1, decoupled=True)
    ),
    "amsgrad": ({"optimiser": "amsgrad"}, Adam(RATE, amsgrad=True)),
    "rmsprop": ({"optimiser": "rmsprop", "momentum": 0}, RMSprop(RATE)),
    "rmsprop, centred": (
        {"optimiser": "rmsprop", "centred": True, "alpha": 0.9, "momentum": 0.9,
         "weight_decay": 0.1},
        RMSprop(RATE, 0.9, momentum=0.9, centred=True, weight_decay=0.1),
    ),
    "adagrad": ({"optimiser": "adagrad"}, Adagrad(RATE)),
}  # fmt: skip
FORMATS = ("float64", "float32")


def step_of(rule: Rule) -> Callable[..., Any]:
    def step(
        parameters: Any, gradients: Any, state: Any, *, learning_rate: float, momentum: float
    ) -> Any:
        assert learning_rate == RATE
        after, kept = update(rule, parameters, gradients, state)
        if "t" not in state and not isinstance(rule, Adam):
            del kept["t"]
        return after, kept

    return step


def checked(step: Callable[..., Any], **settings: Any) -> Result:
    return check(loss_and_gradients, step=step, learning_rate=RATE, hidden=(7,), **settings)


def step_check(result: Result) -> Any:
    return next(one for one in result.checks if one.check == "step")


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_step_agrees_within_half_of_its_allowance(name: str, dtype: str, seed: int) -> None:
    settings, rule = RIGHT[name]
    result = checked(step_of(rule), dtype=dtype, seed=seed, **settings)
    assert result.verdict is Verdict.AGREES, result
    assert step_check(result).made == 6
    assert step_check(result).worst_ratio <= HONEST


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "slip"), [("float64", 1e-12), ("float32", 1e-4)])
@pytest.mark.parametrize("what", ["movement", "buffers"])
@pytest.mark.parametrize("name", RIGHT)
def test_a_small_factor_on_movement_or_buffers_is_seen(
    name: str, what: str, dtype: str, slip: float
) -> None:
    settings, rule = RIGHT[name]

    def slipping(w: Any, g: Any, state: Any, t: int) -> Any:
        after, kept = rule(w, g, state, t)
        if what == "movement":
            return w + (after - w) * w.dtype.type(1 + slip), kept
        return after, {key: a * w.dtype.type(1 + slip) for key, a in kept.items()}

    result = checked(step_of(slipping), dtype=dtype, **settings)
    assert result.verdict is Verdict.DISAGREES
    assert result.kind == "update"


def own_state(parameters: Any, gradients: Any, state: Any, *, learning_rate: float) -> Any:
    """Adam that keeps dictionaries in its state."""
    state = state or {"n": 0, "first": dict.fromkeys(parameters, 0.0), "second": {}}
    n, first, second, new = state["n"] + 1, {}, {}, {}
    for k, w in parameters.items():
        first[k] = 0.9 * state["first"][k] + 0.1 * gradients[k]
        second[k] = 0.999 * state["second"].get(k, 0.0) + 0.001 * gradients[k] ** 2
        root = np.sqrt(second[k] / (1 - 0.999**n)) + 1e-8
        new[k] = w - learning_rate * (first[k] / (1 - 0.9**n)) / root
    return new, {"n": n, "first": first, "second": second}


@pytest.mark.parametrize("dtype", FORMATS)
def test_state_under_names_of_ones_own_is_seen_by_what_it_does(dtype: str) -> None:
    result = checked(own_state, optimiser="adam", dtype=dtype)
    assert result.verdict is Verdict.AGREES
    assert step_check(result).worst_ratio <= HONEST
    assert any("keeps its state in its own way" in note for note in result.notes)


def test_state_of_ones_own_that_is_not_carried_disagrees() -> None:
    def forgetting(parameters: Any, gradients: Any, state: Any, *, learning_rate: float) -> Any:
        return own_state(parameters, gradients, None, learning_rate=learning_rate)

    assert checked(forgetting, optimiser="adam").verdict is Verdict.DISAGREES


@pytest.mark.parametrize(
    ("declared", "rule"),
    [
        ({"optimiser": "adam"}, Adam(RATE, weight_decay=0.1)),
        ({"optimiser": "adam", "weight_decay": 0.1}, Adam(RATE, weight_decay=0.1, decoupled=True)),
        ({"optimiser": "amsgrad"}, Adam(RATE)),
        ({"nesterov": True}, SGD(RATE, 0.9, form="velocity")),
        ({"dampening": 0.9}, SGD(RATE, 0.9, form="velocity")),
    ],
)
def test_another_optimiser_than_the_declared_one_never_agrees(
    declared: Settings, rule: Rule
) -> None:
    assert checked(step_of(rule), **declared).verdict is Verdict.DISAGREES


def test_a_step_that_misses_a_key_is_told_the_documented_ones() -> None:
    def step(parameters: Any, gradients: Any, state: Any, *, learning_rate: float) -> Any:
        return parameters, {"mean": state["mean"]}

    with pytest.raises(UserCodeError, match=r"zeros under the keys of adam: m_w1, .*, t\)"):
        checked(step, optimiser="adam")


def test_a_step_without_momentum_is_asked_to_declare_that() -> None:
    def step(parameters: Any, gradients: Any, state: Any, *, learning_rate: float) -> Any:
        return parameters, state

    with pytest.raises(BadInput, match=r"takes no momentum, and rmsprop has one of 0\.9"):
        checked(step, optimiser="rmsprop", momentum=0.9)


def rms(parameters: Any, gradients: Any, state: Any, *, learning_rate: float, decay: float) -> Any:
    after, kept = {}, {}
    for name, w in parameters.items():
        dw = gradients[name]
        s = kept[f"s_{name}"] = decay * state.get(f"s_{name}", 0 * w) + (1 - decay) * dw**2
        after[name] = w - learning_rate * dw / (np.sqrt(s) + 1e-8)
    return after, kept


@pytest.mark.parametrize(("decay", "verdict"), [(0.99, Verdict.AGREES), (0.98, Verdict.DISAGREES)])
def test_rmsprop_has_no_momentum_unless_one_is_declared(decay: float, verdict: Verdict) -> None:
    def step(parameters: Any, gradients: Any, state: Any, *, learning_rate: float) -> Any:
        return rms(parameters, gradients, state, learning_rate=learning_rate, decay=decay)

    assert checked(step, optimiser="rmsprop").verdict is verdict
    assert Experiment(optimiser="rmsprop").momentum == 0 and Experiment().momentum == 0.9


def test_a_momentum_of_rmsprop_that_is_not_declared_is_told_by_its_option() -> None:
    step = step_of(RMSprop(RATE, momentum=0.9))
    result = checked(step, optimiser="rmsprop")
    assert (result.kind, result.verdict) == ("convention", Verdict.DISAGREES)
    assert "--momentum 0.9" in result.sentence


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(("late", "verdict"), [(0, Verdict.AGREES), (1, Verdict.DISAGREES)])
@pytest.mark.parametrize("starts", [False, True], ids=["from nothing", "from zeros"])
def test_the_count_of_adam_is_a_plain_number(
    dtype: str, late: int, verdict: Verdict, starts: bool
) -> None:
    def step(
        parameters: Any, gradients: Any, state: Any, *, learning_rate: float, betas: Any, eps: float
    ) -> Any:
        t = (state["t"] if starts else state.get("t", 0)) + 1
        after, kept = {}, {"t": t}
        for name, w in parameters.items():
            dw = gradients[name]
            m = kept[f"m_{name}"] = betas[0] * state.get(f"m_{name}", 0 * w) + (1 - betas[0]) * dw
            s = kept[f"s_{name}"] = (
                betas[1] * state.get(f"s_{name}", 0 * w) + (1 - betas[1]) * dw**2
            )
            root = np.sqrt(s / (1 - betas[1] ** (t + late))) + eps
            after[name] = w - learning_rate * (m / (1 - betas[0] ** (t + late))) / root
        return after, kept

    assert checked(step, optimiser="adam", dtype=dtype).verdict is verdict


def test_a_count_that_a_step_keeps_as_an_array_comes_back_as_one() -> None:
    rule = Adam(RATE)

    def step(parameters: Any, gradients: Any, state: Any, *, learning_rate: float) -> Any:
        if state:
            assert isinstance(state["t"], np.ndarray)
        return update(rule, parameters, gradients, state)

    assert checked(step, optimiser="adam").verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"betas": (0.9,)}, "betas: must be two numbers"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov: needs a momentum"),
        ({"nesterov": True, "dampening": 0.1}, "nesterov: needs a momentum"),
    ],
)
def test_settings_that_torch_does_not_have_are_refused(settings: Settings, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Experiment(**settings)


@pytest.mark.parametrize("name", ["adagrad", "rmsprop"])
def test_a_buffer_that_does_not_start_at_zero_counts_before_any_update(name: str) -> None:
    w, dw, s = np.array([[1.0]]), np.array([[2.0]]), np.array([[0.5]])
    recipe = Recipe(name, 0.1, alpha=0.9, eps=0.0)
    after, state = optimiser_step(recipe, {"w1": w}, {"w1": dw}, {"s_w1": s})
    due = s + dw**2 if name == "adagrad" else 0.9 * s + 0.1 * dw**2
    assert state["s_w1"] == pytest.approx(due)
    assert after["w1"] == pytest.approx(w - 0.1 * dw / np.sqrt(due))


def test_buffers_of_momentum_that_are_not_handed_over_are_zero() -> None:
    recipe = Recipe("rmsprop", 0.1, momentum=0.9, alpha=0.9, eps=0.0)
    one = np.array([[1.0]])
    _, state = optimiser_step(recipe, {"w1": one}, {"w1": one}, {"s_w1": one})
    assert state["v_w1"] == pytest.approx(one)


def test_a_step_that_takes_any_keyword_takes_all_settings() -> None:
    def step(parameters: Any, gradients: Any, state: Any, **settings: Any) -> Any:
        rate, momentum = settings["learning_rate"], settings["momentum"]
        buffers = {n: momentum * state.get(f"v_{n}", 0) + g for n, g in gradients.items()}
        stepped = {
            n: w - rate * (gradients[n] + momentum * buffers[n]) for n, w in parameters.items()
        }
        return stepped, {f"v_{n}": v for n, v in buffers.items()}

    assert check(loss_and_gradients, step=step, momentum_form="buffer", nesterov=True)

"""The diagnosis of updates, curves and initial weights: named from records, with proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import manual_mlp
from compare import run_training
from compare.contracts.result import Diagnosis
from compare.diagnosis.curves import diagnose_curves
from compare.diagnosis.records import diagnose_records
from compare.diagnosis.start import diagnose_start
from compare.diagnosis.step import diagnose_step
from compare.diagnosis.track import Settings
from compare.diagnosis.updates import diagnose_updates
from compare.examine.sides import our_manual
from compare.handbook.plain_run import PICKS, run
from compare.handbook.planting import planted_step
from compare.mistakes.catalogue import STEP, named
from compare.mistakes.step_mistake import StepMistake
from compare.textbook import plain
from tests.faults import SMALL, small_data

Arrays = dict[str, NDArray[Any]]


def only(found: tuple[Diagnosis, ...]) -> Diagnosis:
    """Return the one finding there is."""
    (one,) = found
    return one


@dataclass(frozen=True)
class Record:
    """Where training stood before an update."""

    update: int
    parameters: Arrays
    gradients: Arrays
    state: Arrays


WIDTHS = (5, 4)


def records(
    step: Callable[..., Any], *, state: bool = True, first: int = 0, widths: Sequence[int] = WIDTHS
) -> list[Record]:
    """Return four consecutive records of a step with random gradients."""
    generator = np.random.default_rng(0)
    parameters: Arrays = {}
    for layer, shape in enumerate(pairwise(widths), 1):
        parameters[f"w{layer}"] = generator.normal(size=shape)
        parameters[f"b{layer}"] = generator.normal(size=shape[1])
    velocity: Arrays = {}
    made = []
    for update in range(4):
        gradients = {name: generator.normal(size=w.shape) for name, w in parameters.items()}
        made.append(Record(update, parameters, gradients, velocity if state else {}))
        parameters, velocity = step(
            parameters, gradients, velocity, learning_rate=0.2, momentum=0.7
        )
    return made[first:]


def mixed(parameters: Arrays, gradients: Arrays, state: Arrays, **rates: float) -> Any:
    """Weights by Nesterov's momentum, biases up the gradient."""
    w, v = planted_step(named("nesterov"))(parameters, gradients, state, **rates)
    b, u = planted_step(named("gradient-ascent"))(parameters, gradients, state, **rates)
    return {"w1": w["w1"], "b1": b["b1"]}, {"v_w1": v["v_w1"], "v_b1": u["v_b1"]}


@pytest.mark.parametrize("state", [True, False], ids=["state recorded", "state unknown"])
@pytest.mark.parametrize(
    "name", ["biases-without-momentum", "nesterov", "weight-decay", "dampened"]
)
def test_a_mistake_in_the_update_is_named_from_records(name: str, state: bool) -> None:
    made = records(planted_step(named(name)), state=state)
    assert only(diagnose_step(made, learning_rate=0.2, momentum=0.7)).mistake == name


@pytest.mark.parametrize("state", [True, False], ids=["state recorded", "state unknown"])
@pytest.mark.parametrize("mistake", [one for one in STEP if one.free], ids=lambda one: one.name)
def test_a_constant_is_found_where_several_updates_show_it(
    mistake: StepMistake, state: bool
) -> None:
    made = records(planted_step(mistake), state=state or mistake.convention)
    found = only(diagnose_step(made, learning_rate=0.2, momentum=0.7))
    assert mistake.name in (found.mistake, *found.also)


def test_records_of_a_right_update_name_nothing() -> None:
    made = records(manual_mlp.velocity_step)
    assert diagnose_step(made, learning_rate=0.2, momentum=0.7) == ()
    assert diagnose_step(made[2:], learning_rate=0.2, momentum=0.7) == ()


def test_the_other_momentum_form_is_a_convention_that_the_state_shows() -> None:
    made = records(manual_mlp.buffer_step)
    found = only(diagnose_step(made, learning_rate=0.2, momentum=0.7))
    assert found.mistake == "other-momentum-form"
    assert diagnose_step(made, learning_rate=0.2, momentum=0.7, form="buffer") == ()


def test_mistakes_in_weights_and_in_biases_are_both_named() -> None:
    found = only(diagnose_step(records(mixed), learning_rate=0.2, momentum=0.7))
    assert set(found.mistake.split(" + ")) == {"nesterov", "gradient-ascent"}
    weights, biases = found.sentence.split(" (Only the weights.)")
    if "Nesterov" not in weights:
        biases, weights = found.sentence.split(" (Only the biases.)")
    assert "Nesterov" in weights and "Nesterov" not in biases
    assert found.sentence.count("(Only the ") == 2


def two_at_once(parameters: Arrays, gradients: Arrays, state: Arrays, **rates: float) -> Any:
    """Keras's running average for the velocity, and a step up the gradient."""
    _, velocity = planted_step(named("dampened"))(parameters, gradients, state, **rates)
    return {name: w + velocity[f"v_{name}"] for name, w in parameters.items()}, velocity


def test_two_mistakes_in_the_same_parameters_are_both_named() -> None:
    found = only(diagnose_step(records(two_at_once), learning_rate=0.2, momentum=0.7))
    assert {"dampened", "gradient-ascent"} <= set(found.mistake.split(" + "))
    assert found.sentence.startswith("Two mistakes together. ")


def test_a_constant_is_fitted_beside_another_mistake_of_the_update() -> None:
    def decayed(parameters: Arrays, gradients: Arrays, state: Arrays, **rates: float) -> Any:
        gradients = {name: g + 0.02 * parameters[name] for name, g in gradients.items()}
        _, v = planted_step()(parameters, gradients, state, **rates)
        return {name: w + v[f"v_{name}"] for name, w in parameters.items()}, v

    found = only(diagnose_step(records(decayed), learning_rate=0.2, momentum=0.7))
    assert set(found.mistake.split(" + ")) == {"weight-decay", "gradient-ascent"}
    assert found.constant == 0.02


def test_weights_that_store_nothing_and_biases_that_are_their_own_velocity_are_named() -> None:
    def forgetful(parameters: Arrays, gradients: Arrays, state: Arrays, **rates: float) -> Any:
        state = state or {f"v_{name}": np.ones_like(w) for name, w in parameters.items()}
        old = {name: w if name[0] == "b" else state[f"v_{name}"] for name, w in parameters.items()}
        rate, momentum = rates["learning_rate"], rates["momentum"]
        moved = {name: momentum * old[name] + rate * g for name, g in gradients.items()}
        return {name: w - moved[name] for name, w in parameters.items()}, state

    found = only(diagnose_step(records(forgetful, first=1), learning_rate=0.2, momentum=0.7))
    names = {"velocity-not-stored", "parameter-as-velocity-not-stored"}
    assert set(found.mistake.split(" + ")) == names


def falling(rates: tuple[float, ...]) -> list[Record]:
    """Return right updates with a rate of its own for each."""
    one_by_one = iter(rates)

    def step(parameters: Arrays, gradients: Arrays, state: Arrays, **declared: float) -> Any:
        rate = declared | {"learning_rate": next(one_by_one)}
        return planted_step()(parameters, gradients, state, **rate)

    return records(step)


def test_what_begins_in_the_middle_is_a_learning_rate_that_falls_and_no_dampening() -> None:
    made = falling((0.2, 0.2, 0.06, 0.06))
    settings = Settings(0.2, 0.7, "velocity", {})
    wrong, right = [(made[2], made[3])], [(made[1], made[2])]
    found, *_ = diagnose_updates(wrong, settings, right)
    assert (found.mistake, found.constant) == ("another-learning-rate", 0.06)
    found, *_ = diagnose_updates(wrong, settings)
    assert found.mistake == "dampened"  # 0.06 is (1 - 0.7) 0.2: without the update before


def test_only_the_parameters_that_are_wrong_are_blamed() -> None:
    def stuck(parameters: Arrays, *rest: Any, **rates: float) -> Any:
        after, state = planted_step()(parameters, *rest, **rates)
        return after | {"b1": parameters["b1"]}, state

    found = only(diagnose_step(records(stuck), learning_rate=0.2, momentum=0.7))
    assert found.mistake == "parameter-never-updated"
    assert found.sentence.endswith("(Only the biases.)")


@pytest.mark.parametrize(
    ("forgotten", "mistake", "where"),
    [
        (("b1",), "velocity-not-carried", "b1"),
        (("w2",), "velocity-not-carried", "w2"),
        (("w1", "b1"), "velocity-not-carried", "w1, b1"),
        (("b1", "b2"), "biases-without-momentum", ""),
        (("w1", "w2"), "weights-without-momentum", ""),
        (("w1", "b1", "w2", "b2"), "velocity-not-carried", ""),
    ],
)
def test_momentum_that_some_parameters_lack_is_said_to_lack_in_them(
    forgotten: Sequence[str], mistake: str, where: str
) -> None:
    def forgets(parameters: Arrays, gradients: Arrays, state: Arrays, **rates: float) -> Any:
        left = {key: v for key, v in state.items() if key.removeprefix("v_") not in forgotten}
        return planted_step()(parameters, gradients, left, **rates)

    right = records(planted_step(), widths=(5, 4, 3))
    assert diagnose_step(right, learning_rate=0.2, momentum=0.7) == ()
    made = records(forgets, widths=(5, 4, 3))
    found = only(diagnose_step(made, learning_rate=0.2, momentum=0.7))
    assert found.mistake == mistake
    assert found.sentence.partition(" (Only ")[2] == (f"{where}.)" if where else "")
    assert found.title.partition(", in ")[2] == (f"{where} only" if where else "")


def test_a_wrong_first_velocity_is_named_with_its_size() -> None:
    made = records(planted_step(named("velocity-starts-elsewhere")), state=False)
    found = only(diagnose_step(made, learning_rate=0.2, momentum=0.7))
    assert (found.mistake, found.constant) == ("velocity-starts-elsewhere", 1e-5)


def test_a_validation_curve_after_the_update_is_named() -> None:
    train, validation = np.linspace(2, 1, 8) ** 2, np.linspace(2, 1.2, 8)
    right = {"train_loss": train, "validation_loss": validation}
    drawn = {"train_loss": train[:-1], "validation_loss": validation[1:]}
    cut = {name: curve[:-1] for name, curve in right.items()}
    found = only(diagnose_curves(drawn, cut))
    assert found.mistake == "validation-after-update"
    assert diagnose_curves(cut, cut) == ()


def test_a_curve_of_which_a_mistake_says_nothing_is_not_explained_by_it() -> None:
    right = {"train_loss": [2.0], "train_accuracy": [0.5], "validation_loss": [1.0]}
    assert diagnose_curves(right | {"validation_loss": [0.3]}, right) == ()


def test_a_curve_within_the_given_allowance_is_right() -> None:
    right = {"train_loss": np.full(5, 2.0), "validation_loss": np.full(5, 1.0)}
    drawn = {"train_loss": np.full(5, 1.0), "validation_loss": np.full(5, 2.0)}
    assert only(diagnose_curves(drawn, right)).mistake == "curves-swapped"
    assert diagnose_curves(drawn, right, {"train_loss": 2.0, "validation_loss": 2.0}) == ()


@pytest.mark.parametrize("known", [True, False], ids=["same draws", "unknown draws"])
def test_a_variance_used_as_standard_deviation_is_named(known: bool) -> None:
    right = manual_mlp.initial_parameters((64, 48, 10), np.random.default_rng(0))
    wrong = {name: w * np.sqrt(2 / sum(w.shape)) if w.ndim == 2 else w for name, w in right.items()}
    found = only(diagnose_start(wrong, reference=right if known else None))
    assert found.mistake == "variance-as-standard-deviation"
    assert diagnose_start(right, reference=right if known else None) == ()


@pytest.mark.parametrize("known", [True, False], ids=["same draws", "unknown draws"])
@pytest.mark.parametrize(
    ("drawn", "declared", "name", "variance"),
    [
        ("xavier", "he", "xavier-drawn", "2 / fan_in"),
        ("he", "xavier", "fan-in-only", "2 / (fan_in + fan_out)"),
        ("uniform", "he", "uniform-drawn", "2 / fan_in"),
        ("xavier", "uniform", "xavier-drawn", "1 / (3 * fan_in)"),
    ],
)
def test_another_scheme_than_the_declared_one_is_named_with_both(
    drawn: str, declared: str, name: str, variance: str, known: bool
) -> None:
    made, right = (
        manual_mlp.initial_parameters((64, 48, 10), np.random.default_rng(0), scheme=scheme)
        for scheme in (drawn, declared)
    )
    found = only(diagnose_start(made, scheme=declared, reference=right if known else None))
    assert found.mistake == name
    assert f"where {variance} was declared" in found.sentence


def test_the_variance_used_as_standard_deviation_is_that_of_the_declared_scheme() -> None:
    right = manual_mlp.initial_parameters((64, 48, 10), np.random.default_rng(0), scheme="he")
    wrong = {name: w * np.sqrt(2 / len(w)) for name, w in right.items()}
    found = only(diagnose_start(wrong, scheme="he", reference=right))
    assert found.mistake == "variance-as-standard-deviation"
    assert "The declared variance 2 / fan_in is used" in found.sentence


@pytest.mark.parametrize("name", ["weights-stepped-first", "values-of-earlier-update", *PICKS])
def test_a_mistake_about_batches_and_order_is_named_from_the_records_of_a_run(name: str) -> None:
    generator = np.random.default_rng(1)
    data = generator.normal(size=(15, 7)), np.eye(4)[generator.integers(4, size=15)]
    parameters = manual_mlp.initial_parameters((7, 6, 4), generator)
    order = np.split(generator.permutation(15), 3)
    found = only(diagnose_records(run(named(name), data, parameters, order), data))
    assert (found.mistake, found.also) == (name, ())
    assert diagnose_records(run(named("nesterov"), data, parameters, order), data) == ()


def test_batches_in_natural_order_are_named_from_records_that_begin_within_an_epoch() -> None:
    generator = np.random.default_rng(1)
    data = generator.normal(size=(14, 7)), np.eye(4)[generator.integers(4, size=14)]
    parameters = manual_mlp.initial_parameters((7, 6, 4), generator)
    order = np.split(generator.permutation(14), (4, 8, 12))
    made = run(named("batches-not-shuffled"), data, parameters, order)
    assert only(diagnose_records(made[1:], data)).mistake == "batches-not-shuffled"


def remembering(kept: str) -> Callable[..., Any]:
    """Return a program that computes `kept` once for every batch: h, h going back only, or all."""
    memory: Arrays = {}

    def loss_and_gradients(parameters: Arrays, x: NDArray[Any], y: NDArray[Any]) -> Any:
        own = np.maximum(x @ parameters["w1"] + parameters["b1"], 0)
        h = memory.setdefault(f"h {x.tobytes()!r}", own)
        logits = (own if kept == "back" else h) @ parameters["w2"] + parameters["b2"]
        if kept == "all":
            logits = memory.setdefault(f"z {x.tobytes()!r}", logits)
        loss = -(y * plain.log_softmax(logits)).sum() / len(x)
        dlogits = (plain.softmax(logits) - y) / len(x)
        dz = (dlogits @ parameters["w2"].T) * (h > 0)
        w = {"w1": x.T @ dz, "w2": h.T @ dlogits}
        return loss, w | {"b1": dz.sum(axis=0), "b2": dlogits.sum(axis=0)}

    return loss_and_gradients


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["back", "h", "all"])
def test_values_kept_since_the_first_update_of_a_run_are_named(kept: str) -> None:
    manual = replace(our_manual(SMALL), loss_and_gradients=remembering(kept))
    result = run_training(SMALL, manual=manual, data=small_data())
    assert only(result.diagnosis).mistake == "values-of-earlier-update"
    assert only(result.diagnosis).also == ()

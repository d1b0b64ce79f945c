"""Networks declared with another loss, output, reduction or penalty: agreed with, or accused."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

import manual_mlp
from compare import check
from compare.allowance.rules import ACTIVATION_RULES, ActivationRule
from compare.contracts.errors import BadInput
from compare.contracts.experiment import ACTIVATION_NAMES, Experiment
from compare.contracts.objective import LOSS_NAMES, OUTPUT_NAMES, Objective
from compare.examine.sides import build_reference
from compare.examine.training import run_training
from compare.judge.point import PointJudge
from compare.points.probe import draw_probes
from compare.textbook import Pass, Point
from compare.textbook.losses import LOSS_RULES, OUTPUT_RULES
from manual_mlp.activations import ACTIVATIONS as FUNCTIONS
from manual_mlp.activations import Activation, find
from manual_mlp.losses import LOSSES
from manual_mlp.outputs import OUTPUTS
from tests.equations import same
from torch_reference import activations
from torch_reference.activations import activation_module

Array = NDArray[Any]
SMALL: dict[str, Any] = {"inputs": 6, "hidden": (7,), "classes": 3}
DECLARED: dict[str, dict[str, Any]] = {
    "squared error": {"loss": "mse"},
    "half squared error": {"loss": "mse", "reduction": "batch_mean", "loss_factor": 0.5},
    "sum of squares": {"loss": "mse", "reduction": "sum"},
    "squared error behind a sigmoid": {"loss": "mse", "output": "sigmoid"},
    "squared error behind a softmax": {"loss": "mse", "output": "softmax"},
    "squared error behind tanh": {"loss": "mse", "output": "tanh"},
    "squared error behind a relu": {"loss": "mse", "output": "relu"},
    "absolute error": {"loss": "l1"},
    "huber": {"loss": "huber"},
    "hinge": {"loss": "hinge", "reduction": "batch_mean"},
    "binary cross-entropy": {"loss": "bce", "reduction": "batch_mean"},
    "cross-entropy behind tanh": {"output": "tanh"},
    "label smoothing": {"label_smoothing": 0.1},
    "class weights": {"class_weights": (1.0, 2.0, 0.5)},
    "ignored rows": {"ignore_index": 1},
    "L2": {"l2": 0.05},
    "L2 over the rows": {"l2": 0.5, "penalty_over": "rows"},
    "L1 and L2 of everything": {"l2": 0.05, "l1": 0.01, "penalise": "all"},
    "no biases": {"bias": False},
}
every_network = pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)


def by_hand(**declared: Any) -> Callable[..., tuple[Any, ...]]:
    """The hand-derived network of these settings."""
    above = {k: v for k, v in declared.items() if k in ABOVE}
    below = {k: v for k, v in declared.items() if k in ("l1", "l2", "penalise", "penalty_over")}
    return partial(
        manual_mlp.declared.loss_and_gradients,
        criterion=manual_mlp.Criterion(**above),
        penalty=manual_mlp.Penalty(**below),
    )


ABOVE = manual_mlp.Criterion.__dataclass_fields__


def test_the_tables_of_both_sides_and_of_the_judge_have_the_same_entries() -> None:
    assert set(LOSS_NAMES) == set(LOSSES) == set(LOSS_RULES)
    assert set(OUTPUT_NAMES) == set(OUTPUTS) == set(OUTPUT_RULES)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@every_network
def test_a_declared_network_agrees_within_half_its_allowance(
    declared: dict[str, Any], dtype: str
) -> None:
    result = check(by_hand(**declared), dtype=dtype, **SMALL, **declared)
    assert result.verdict == "agrees", result.sentence
    assert result.checks[0].worst_ratio <= 0.5


@every_network
def test_a_slip_of_a_millionth_anywhere_in_a_declared_network_disagrees(
    declared: dict[str, Any],
) -> None:
    experiment = Experiment(hidden=(7,), **declared)
    judge = PointJudge(experiment=experiment, reference=build_reference(experiment, (6, 7, 3)))
    probe = draw_probes(
        (6, 7, 3), activation="relu", dtype="float64", seed=0, objective=experiment.objective,
        bias=experiment.bias,
    )[0]  # fmt: skip
    point = probe.parameters, probe.x, probe.targets
    loss, gradients, _ = by_hand(**declared)(*point)
    assert judge.same_point(*point, loss, gradients).agrees
    assert not judge.same_point(*point, loss * (1 + 1e-6), gradients).agrees
    for name, gradient in gradients.items():
        slipped = gradients | {name: gradient * (1 + 1e-6)}
        assert not judge.same_point(*point, loss, slipped).agrees


@every_network
def test_the_textbook_computes_what_the_derivation_does(declared: dict[str, Any]) -> None:
    generator = np.random.default_rng(0)
    parameters = manual_mlp.initial_parameters((6, 7, 3), generator)
    parameters |= {"b1": generator.normal(size=7), "b2": generator.normal(size=3)}
    if not declared.get("bias", True):
        parameters = {name: w for name, w in parameters.items() if name[0] == "w"}
    x, targets = generator.normal(size=(5, 6)), np.eye(3)[[0, 1, 2, 0, 1]]
    objective = Objective(**{k: v for k, v in declared.items() if k != "bias"})
    point = Point(parameters, x, targets, objective=objective, reduction=objective.reduction)
    loss, gradients, _ = by_hand(**declared)(parameters, x, targets)
    textbook = Pass(point)
    same(textbook.named("loss").value, loss)
    for name, gradient in gradients.items():
        same(textbook.named(f"d{name}").value, gradient)


@every_network
def test_a_run_trains_and_compares_what_is_declared(declared: dict[str, Any]) -> None:
    if "class_weights" in declared:
        declared = {"class_weights": tuple(range(1, 11))}
    result = run_training(Experiment(epochs=4, hidden=(5,), batch_size=500, **declared))
    assert result.verdict == "agrees", result.sentence
    assert max(one.worst_ratio for one in result.checks) <= 0.5
    assert {name: result.settings[name] for name in declared} == declared


def test_one_output_is_a_network() -> None:
    for loss in ("bce", "mse"):
        result = check(by_hand(loss=loss), inputs=6, hidden=(7,), classes=1, loss=loss)
        assert result.verdict == "agrees", result.sentence


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"output": "softmax"}, "cross_entropy takes logits and has the softmax inside"),
        ({"loss": "mse", "label_smoothing": 0.1}, "belong to the loss cross_entropy, not to mse"),
        ({"loss": "mae"}, "loss: must be one of cross_entropy, bce, mse, .*, not 'mae'"),
        ({"l2": -1.0}, "l2: must be a finite number from 0, not -1.0"),
        ({"class_weights": (1.0,)}, "class_weights has 1 numbers; there are 3 classes"),
    ],
)
def test_settings_that_make_no_sense_are_bad_input(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        check(by_hand(), **SMALL, **declared)


ACTIVATIONS = (*ACTIVATION_NAMES, "leaky_relu:0.2", "elu:0.3")


def test_every_activation_has_its_entry_on_each_side() -> None:
    assert set(ACTIVATION_NAMES) == set(FUNCTIONS) == {k for k in ACTIVATION_RULES if ":" not in k}
    for name in ACTIVATIONS:
        activation_module(name)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_judge_knows_the_function_its_slope_and_its_kinks(activation: str) -> None:
    rule, function = ACTIVATION_RULES[activation], find(activation)
    z = np.concatenate([np.linspace(-9, 9, 181), np.array(list(rule.kinks), dtype=float)])
    h = function.value(z)
    np.testing.assert_allclose(rule.f(z), h, rtol=1e-12, atol=1e-14)
    slope = rule.slope(z if rule.of_z else h)
    np.testing.assert_allclose(slope, function.derivative(z, h), rtol=1e-10, atol=1e-12)
    for kink, (below, above) in rule.kinks.items():
        left, right = np.array([kink - 1e-9, kink + 1e-9]).reshape(2, 1)
        assert function.derivative(left, function.value(left))[0] == pytest.approx(below, rel=1e-6)
        assert function.derivative(right, function.value(right))[0] == pytest.approx(above)
    if rule.bend is not None:
        away = z[np.abs(z) > 0.05]
        step = 1e-5
        up, down = away + step, away - step
        bend = np.abs(
            function.derivative(up, function.value(up))
            - function.derivative(down, function.value(down))
        ) / (2 * step)
        through = away if rule.of_z else function.value(away)
        scale = 1.0 if rule.of_z else np.abs(function.derivative(away, function.value(away)))
        np.testing.assert_allclose(rule.bend(through) * scale, bend, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_agrees_within_half_its_allowance(activation: str, dtype: str) -> None:
    right = partial(manual_mlp.declared.loss_and_gradients, activation=activation)
    for hidden in ((7,), (9, 7)):
        result = check(
            right, inputs=6, hidden=hidden, classes=3, activation=activation, dtype=dtype
        )
        assert result.verdict == "agrees", result.sentence
        assert result.checks[0].worst_ratio <= 0.5


@pytest.mark.parametrize("activation", ["gelu", "leaky_relu:0.2", "selu", "relu6"])
def test_a_run_trains_and_compares_every_kind_of_activation(activation: str) -> None:
    result = run_training(Experiment(activation=activation, epochs=3, hidden=(9, 7)))
    assert result.verdict == "agrees", result.sentence
    assert max(one.worst_ratio for one in result.checks) <= 0.5


def test_an_invented_activation_in_the_public_tables_trains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Softsign(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return z / (1 + z.abs())

    def value(z: Array) -> Array:
        h: Array = z / (1 + np.abs(z))
        return h

    def slope(h: Array) -> Array:
        found: Array = np.square(1 - np.abs(h))
        return found

    rule = ActivationRule(
        slope=slope,
        steepest=lambda h: 1.0,
        value=2.0,
        bend=lambda h: 2 * (1 - np.abs(h)),
        steepest_bend=2.0,
        slope_rounding=2.0,
        kinks={},
        f=value,
        entrywise=True,
    )
    monkeypatch.setitem(FUNCTIONS, "softsign", Activation(value, lambda z, h: slope(h)))
    monkeypatch.setitem(ACTIVATION_RULES, "softsign", rule)
    monkeypatch.setitem(activations.ACTIVATIONS, "softsign", Softsign)
    result = run_training(Experiment(activation="softsign", epochs=3, hidden=(9, 7)))
    assert result.verdict == "agrees", result.sentence
    wrong = partial(manual_mlp.declared.loss_and_gradients, activation="tanh")
    assert check(wrong, activation="softsign", **SMALL).verdict == "disagrees"


def test_code_without_biases_is_told_how_to_declare_that() -> None:
    def without(parameters: Any, x: Array, targets: Array) -> tuple[float, dict[str, Array]]:
        loss, gradients = manual_mlp.loss_and_gradients(parameters, x, targets)
        return loss, {name: g for name, g in gradients.items() if name[0] == "w"}

    with pytest.raises(BadInput, match=r"without b1, b2; .*declared by --bias false"):
        check(without, **SMALL)

"""The third witness, and what the three say together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import manual_mlp
from compare import Experiment, Result, check
from compare.checks.referee import Belongs, Taylor, joint_test, kind_of, taylor_test
from compare.contracts.arrays import Arrays
from compare.contracts.result import ExitCode
from compare.examine.sides import our_manual
from tests.faults import SMALL, Array, Function, hooked, side_by_side, with_function
from tests.kinked import Kinked, kinked

pytestmark = pytest.mark.rounding

OURS = our_manual(SMALL)


def right(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
    return manual_mlp.loss_and_gradients(parameters, x, targets)


def asked(
    name: str,
    wrong: Callable[[Array], Array],
    *,
    point: Kinked | None = None,
    function: Function = right,
) -> Taylor:
    """The referee's answer about one gradient, held against the right one."""
    at = point or kinked([], dtype="float64")
    gradient = right(at.parameters, at.x, at.targets)[1][name]
    shown = wrong(gradient)
    return taylor_test(function, at.parameters, at.x, at.targets, name, shown, shown - gradient)


@pytest.mark.parametrize("name", ["w1", "b1", "w2", "b2", "w3", "b3"])
@pytest.mark.parametrize("error", [1.0, 1e-2, 1e-4, 1e-6])
def test_a_wrong_derivative_has_slope_one(error: float, name: str) -> None:
    taylor = asked(name, lambda gradient: gradient * (1 + error))
    assert taylor.belongs is Belongs.NO
    assert taylor.power < taylor.error


@pytest.mark.parametrize("error", [1e-10, 1e-12])
def test_an_error_below_its_power_is_left_undecided(error: float) -> None:
    taylor = asked("w1", lambda gradient: gradient * (1 + error))
    assert taylor.belongs is Belongs.UNDECIDED
    assert taylor.power > taylor.error / 4
    assert str(taylor.belongs) == "undecided"


def doubled(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
    loss, gradients = right(parameters, x, targets)
    return 2 * loss, {name: 2 * gradient for name, gradient in gradients.items()}


def test_the_gradient_of_another_loss_has_slope_two() -> None:
    taylor = asked("w1", lambda gradient: 2 * gradient, function=doubled)
    assert taylor.belongs is Belongs.YES
    assert taylor.slope == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("factor", [3.0, 2.1, 1.5, -2.0])
def test_another_loss_excuses_no_gradient_but_its_own(factor: float) -> None:
    taylor = asked("w1", lambda gradient: factor * gradient, function=doubled)
    assert taylor.belongs is Belongs.NO
    assert taylor.slope == pytest.approx(1, abs=0.2)


def test_differences_of_denormals_are_no_division_by_zero() -> None:
    at = kinked([], dtype="float64")
    gradient = right(at.parameters, at.x, at.targets)[1]["w1"]
    away = np.full_like(gradient, 1e-310)
    taylor = taylor_test(right, at.parameters, at.x, at.targets, "w1", gradient, away)
    assert taylor.belongs is Belongs.UNDECIDED
    assert 0 < taylor.error < 1e-300


def test_gradients_in_float32_are_tested_in_float64() -> None:
    point = kinked([], dtype="float32")
    assert asked("w2", lambda g: g * np.float32(1.01), point=point).belongs is Belongs.NO
    assert (
        asked("w2", lambda g: np.float32(2) * g, point=point, function=doubled).belongs
        is Belongs.YES
    )


def joint(gradients: Callable[[Arrays], Arrays], function: Function) -> Taylor:
    at = kinked([], dtype="float64")
    reference = right(at.parameters, at.x, at.targets)[1]
    shown = gradients(reference)
    away = {name: shown[name] - gradient for name, gradient in reference.items()}
    return joint_test(function, at.parameters, at.x, at.targets, shown, away)


def test_the_joint_test_sees_what_one_tensor_does_not_show() -> None:
    twice = joint(lambda g: {name: 2 * gradient for name, gradient in g.items()}, doubled)
    assert twice.belongs is Belongs.YES
    one_wrong = joint(
        lambda g: {name: (3 if name == "w1" else 2) * gradient for name, gradient in g.items()},
        doubled,
    )
    assert one_wrong.belongs is Belongs.NO
    assert one_wrong.parameter == "all parameters"


def squared_error(whole: bool) -> Function:
    """Softmax, then the mean squared error over all entries; with the whole Jacobian or its
    diagonal only. Its gradients are far smaller than those of the cross-entropy.
    """

    def implementation(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        values = manual_mlp.forward(parameters, x, activation="sigmoid")
        p = manual_mlp.softmax(values["logits"])
        dp = 2 * (p - targets) / p.size
        inner = (dp * p).sum(axis=1, keepdims=True) if whole else dp * p
        dlogits = p * (dp - inner)
        dz1 = (dlogits @ parameters["w2"].T) * values["h1"] * (1 - values["h1"])
        gradients = {"w1": x.T @ dz1, "b1": dz1.sum(axis=0)}
        gradients |= {"w2": values["h1"].T @ dlogits, "b2": dlogits.sum(axis=0)}
        return float(np.mean((p - targets) ** 2)), gradients

    return implementation


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(4))
def test_a_small_gradient_is_held_against_its_own_size(seed: int, dtype: str) -> None:
    """Beside the difference from another loss's gradient all of it would be negligible."""
    for whole, says, kind, slope in (
        (True, Belongs.YES, "convention", 2),
        (False, Belongs.NO, "loss and derivative", 1),
    ):
        result = check(squared_error(whole), activation="sigmoid", seed=seed, dtype=dtype)
        assert result.referee is not None and result.referee["belongs"] == str(says)
        assert result.kind == kind
        assert abs(result.referee["slope"] - slope) < 0.5


def bent(power: float) -> Function:
    """A loss that grows as |w2[0, 0] - its start| to some power, and a gradient of 1 for it."""

    def implementation(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        gradients = {name: np.zeros_like(array) for name, array in parameters.items()}
        away = float(parameters["w2"][0, 0])
        return away + abs(away) ** power, gradients

    return implementation


@pytest.mark.parametrize(
    ("power", "belongs"),
    [(2.0, Belongs.YES), (1.0, Belongs.NO), (1.5, Belongs.UNDECIDED), (3.0, Belongs.UNDECIDED)],
)
def test_the_words_come_from_the_slope_that_was_measured(power: float, belongs: Belongs) -> None:
    gradient = np.zeros((2, 2))
    gradient[0, 0] = 1.0
    parameters = {"w2": np.zeros((2, 2))}
    empty = np.zeros((1, 1))
    taylor = taylor_test(bent(power), parameters, empty, empty, "w2", gradient, gradient)
    assert taylor.belongs is belongs
    assert taylor.slope == pytest.approx(power, abs=0.01)


@given(st.floats(-1, 1), st.integers(0, 1000))
def test_a_gradient_of_this_size_of_error_is_never_cleared(exponent: float, seed: int) -> None:
    point = kinked([], dtype="float64", seed=seed)
    taylor = asked("w2", lambda gradient: gradient * (1 + 1e-3 * 10**exponent), point=point)
    assert taylor.belongs is not Belongs.YES


@pytest.mark.parametrize(
    ("loss", "gradients", "belongs", "factor", "kind"),
    [
        (True, False, Belongs.NO, None, "derivative"),
        (True, False, Belongs.UNDECIDED, None, "derivative"),
        (False, True, Belongs.UNDECIDED, None, "loss"),
        (False, False, Belongs.YES, 23.0, "convention"),
        (False, False, Belongs.YES, None, "function"),
        (False, False, Belongs.NO, None, "loss and derivative"),
    ],
)
def test_the_truth_table_of_the_three_witnesses(
    loss: bool, gradients: bool, belongs: Belongs, factor: float | None, kind: str
) -> None:
    assert kind_of(loss, gradients, belongs, factor) == kind


def scaled(loss_by: float, gradients_by: dict[str, float]) -> Function:
    """Our implementation with loss and gradients multiplied; "" is every other gradient."""

    def implementation(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        loss, gradients = right(parameters, x, targets)
        factors = {name: gradients_by.get(name, gradients_by[""]) for name in gradients}
        return loss_by * loss, {
            name: (factors[name] * gradient).astype(gradient.dtype)
            for name, gradient in gradients.items()
        }

    return implementation


def run(function: Function, experiment: Experiment = SMALL) -> Result:
    return side_by_side(experiment, manual=with_function(OURS, function))


RUNS: dict[str, tuple[Function, str, str | None]] = {
    "derivative": (scaled(1, {"": 1.5}), "derivative", "slope 1"),
    "loss": (scaled(1.5, {"": 1}), "loss", None),
    "convention": (scaled(1.5, {"": 1.5}), "convention", "slope 2"),
    "loss and derivative, apart": (scaled(2, {"": 3}), "loss and derivative", "slope 1"),
    "loss and derivative, signs": (scaled(1.5, {"": -1.5}), "loss and derivative", "slope 1"),
    "convention and one derivative": (
        scaled(1.5, {"": 1.5, "w1": 2.0}), "loss and derivative", "slope 1",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_given_its_kind_by_the_three_witnesses(name: str, dtype: str) -> None:
    function, kind, says = RUNS[name]
    result = run(function, replace(SMALL, dtype=dtype))
    assert (result.exit_code, result.kind) == (1, kind), result.referee
    if says is None:
        assert result.referee is None
    else:
        assert result.referee is not None and result.referee["belongs"].startswith(says)
        assert {"h", "remainder", "used", "slope", "power", "error"} <= set(result.referee)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_sum_where_a_mean_is_expected_is_a_convention(dtype: str) -> None:
    manual = our_manual(replace(SMALL, reduction="sum"))
    result = side_by_side(replace(SMALL, dtype=dtype), manual=manual)
    assert (result.exit_code, result.kind) == (1, "convention")
    assert result.referee is not None and result.referee["belongs"] == str(Belongs.YES)


@pytest.mark.slow
def test_another_activation_is_a_convention_that_can_be_declared() -> None:
    manual = our_manual(replace(SMALL, activation="tanh"))
    result = side_by_side(manual=manual)
    assert (result.exit_code, result.kind) == (1, "convention")
    assert "it agrees with `--activation tanh`" in result.sentence


@pytest.mark.parametrize("at", [0, 3])
def test_the_referee_judges_the_gradient_that_was_recorded(at: int) -> None:
    """Asked again, the implementation is right."""
    function: Any = scaled(1, {"": 1, "w2": 1.01})
    result = side_by_side(manual=with_function(OURS, function, at))
    assert result.referee is not None and result.referee["belongs"].startswith("slope 1")


def test_a_gradient_that_only_torch_contradicts_is_undecidable() -> None:
    """Equal losses, different gradients, slope 2: torch itself is made wrong here."""
    wrong = hooked(SMALL, "w2", lambda gradient: 1.01 * gradient)
    result = side_by_side(torch_trains=wrong, torch_judges=wrong)
    assert result.exit_code == ExitCode.UNDECIDABLE
    assert result.kind is None
    assert result.sentence.startswith("undecidable: the three witnesses contradict each other")
    assert "dw2" in result.sentence
    assert result.referee is not None and result.referee["belongs"] == str(Belongs.YES)


def test_nobody_is_refereed_where_nothing_is_wrong() -> None:
    assert side_by_side().referee is None

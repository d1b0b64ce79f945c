"""The hand-derived backward pass against values by hand and against its own loss."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manual_mlp import ACTIVATIONS, evaluate, forward, grad_ce, loss_and_gradients, softmax
from manual_mlp.arrays import Array, Arrays

SIZES = [(5, 3), (6, 5, 3), (4, 7, 6, 3), (3, 6, 5, 4, 2)]
Problem = tuple[Arrays, Array, Array]


def problem(sizes: tuple[int, ...], rows: int = 9, seed: int = 0, scale: float = 1.0) -> Problem:
    """Random weights, biases off zero, soft targets."""
    generator = np.random.default_rng(seed)
    parameters = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        parameters[f"w{layer}"] = generator.normal(0, fan_in**-0.5, (fan_in, fan_out))
        parameters[f"b{layer}"] = generator.normal(0, 0.3, fan_out)
    x = generator.normal(0, scale, (rows, sizes[0]))
    return parameters, x, generator.dirichlet(np.ones(sizes[-1]), rows)


def cast(point: Problem, dtype: str) -> Problem:
    parameters, x, targets = point
    return (
        {k: v.astype(dtype) for k, v in parameters.items()},
        x.astype(dtype),
        targets.astype(dtype),
    )


def test_gradients_of_a_network_worked_by_hand() -> None:
    """One row, x = (1, 2): z1 = (1, -1), h1 = (1, 0), logits = (log 3, 0), p = (3/4, 1/4)."""
    parameters = {
        "w1": np.array([[1.0, 1.0], [0.0, -1.5]]),
        "b1": np.array([0.0, 1.0]),
        "w2": np.array([[np.log(3), 0.0], [7.0, 8.0]]),
        "b2": np.array([0.0, 0.0]),
    }
    loss, gradients = loss_and_gradients(parameters, np.array([[1.0, 2.0]]), np.array([[0.0, 1.0]]))
    assert loss == pytest.approx(np.log(4))
    dz1 = 0.75 * float(np.log(3))  # dlogits = (3/4, -3/4); the second unit is inactive
    np.testing.assert_allclose(gradients["b2"], [0.75, -0.75])
    np.testing.assert_allclose(gradients["w2"], [[0.75, -0.75], [0.0, 0.0]])
    np.testing.assert_allclose(gradients["b1"], [dz1, 0.0])
    np.testing.assert_allclose(gradients["w1"], [[dz1, 0.0], [2 * dz1, 0.0]])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_slope_of_the_loss_is_the_gradient(
    sizes: tuple[int, ...], activation: str, reduction: str
) -> None:
    """(L(θ + h d) - L(θ - h d)) / 2h = <g, d> up to h^2, for each parameter on its own."""
    parameters, x, targets = problem(sizes)

    def loss_at(name: str, direction: Array, h: float) -> float:
        moved = parameters | {name: parameters[name] + h * direction}
        return evaluate(moved, x, targets, activation=activation, reduction=reduction)[0]

    _, gradients = loss_and_gradients(
        parameters, x, targets, activation=activation, reduction=reduction
    )
    for name, gradient in gradients.items():
        direction = np.random.default_rng(1).normal(size=gradient.shape)
        slope = float(np.sum(gradient * direction))
        h = 1e-5
        measured = (loss_at(name, direction, h) - loss_at(name, direction, -h)) / (2 * h)
        assert measured == pytest.approx(slope, rel=1e-7, abs=1e-8), name


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_remainder_of_the_taylor_slope_falls_with_the_square_of_the_step(activation: str) -> None:
    parameters, x, targets = problem((4, 7, 6, 3))
    loss, gradients = loss_and_gradients(parameters, x, targets, activation=activation)
    generator = np.random.default_rng(2)
    direction = {name: generator.normal(size=g.shape) for name, g in gradients.items()}
    slope = sum(float(np.sum(gradients[name] * direction[name])) for name in gradients)

    def remainder(h: float) -> float:
        moved = {name: parameters[name] + h * direction[name] for name in parameters}
        return abs(evaluate(moved, x, targets, activation=activation)[0] - loss - h * slope)

    quotients = [remainder(h) / remainder(h / 2) for h in (1e-2, 5e-3, 2.5e-3)]
    np.testing.assert_allclose(quotients, 4, rtol=0.1)


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5).map(tuple),
    rows=st.integers(1, 20),
    scale=st.floats(1e-2, 30),
    dtype=st.sampled_from(["float32", "float64"]),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
)
def test_gradients_have_the_keys_shapes_and_dtype_of_the_parameters(
    seed: int, sizes: tuple[int, ...], rows: int, scale: float, dtype: str, activation: str
) -> None:
    parameters, x, targets = cast(problem(sizes, rows, seed, scale), dtype)
    before = [array.copy() for array in (*parameters.values(), x, targets)]
    loss, gradients, shown = loss_and_gradients(
        parameters, x, targets, activation=activation, intermediates=True
    )
    assert type(loss) is float
    assert list(gradients) == list(parameters)
    assert all(gradients[name].shape == w.shape for name, w in parameters.items())
    assert {a.dtype for a in (*gradients.values(), *shown.values())} == {np.dtype(dtype)}
    arguments = (*parameters.values(), x, targets)
    for argument, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(argument, copy)


def test_float32_gradients_are_those_of_float64_up_to_rounding() -> None:
    point = problem((6, 5, 3))
    exact = loss_and_gradients(*point)[1]
    for name, gradient in loss_and_gradients(*cast(point, "float32"))[1].items():
        np.testing.assert_allclose(gradient, exact[name], rtol=1e-4, atol=1e-6)


def test_gradient_of_the_sum_is_that_of_the_mean_times_the_rows() -> None:
    parameters, x, targets = problem((6, 5, 3), rows=8)  # 8 is a power of two: no rounding
    loss, mean = loss_and_gradients(parameters, x, targets)
    total, summed = loss_and_gradients(parameters, x, targets, reduction="sum")
    assert total == 8 * loss
    for name in mean:
        np.testing.assert_array_equal(summed[name], 8 * mean[name])


def test_intermediates_name_everything_on_the_way_and_fit_together() -> None:
    parameters, x, targets = problem((4, 7, 6, 3))
    _, gradients, shown = loss_and_gradients(parameters, x, targets, intermediates=True)
    names = "z1 h1 z2 h2 logits p dlogits dh2 dz2 dh1 dz1"
    assert set(shown) == set(names.split())
    np.testing.assert_array_equal(shown["h1"], np.maximum(shown["z1"], 0))
    np.testing.assert_array_equal(shown["p"], softmax(shown["logits"]))
    np.testing.assert_array_equal(shown["dlogits"], grad_ce(targets, shown["logits"]))
    np.testing.assert_allclose(shown["dh2"], shown["dlogits"] @ parameters["w3"].T)
    np.testing.assert_array_equal(shown["dz1"], shown["dh1"] * (shown["z1"] > 0))
    np.testing.assert_allclose(gradients["w1"], x.T @ shown["dz1"])


def test_asking_for_intermediates_changes_no_number() -> None:
    point = problem((4, 7, 6, 3))
    loss, gradients = loss_and_gradients(*point)
    for wanted in (True, ("logits",)):
        same_loss, same, shown = loss_and_gradients(*point, intermediates=wanted)
        assert same_loss == loss
        np.testing.assert_equal(same, gradients)
    assert list(shown) == ["logits"]


def test_an_unknown_intermediate_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown intermediate 'a1': choose one of z1, h1, logits"):
        loss_and_gradients(*problem((6, 5, 3)), intermediates=["a1"])


def test_loss_of_the_gradient_pass_is_the_evaluated_loss() -> None:
    point = problem((6, 5, 3))
    assert loss_and_gradients(*point)[0] == evaluate(*point)[0]


def test_accuracy_counts_rows_whose_largest_logit_is_the_target() -> None:
    parameters = {"w1": np.eye(3), "b1": np.zeros(3)}
    x = np.array([[2.0, 1, 0], [0, 1, 0], [0, 0, 1], [5, 0, 1]])
    targets = np.array([[0.9, 0.1, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]])
    assert evaluate(parameters, x, targets)[1] == 0.75


def test_two_calls_give_the_same_numbers_in_arrays_of_their_own() -> None:
    point = problem((6, 5, 3))
    _, first, shown = loss_and_gradients(*point, intermediates=True)
    kept = {name: array.copy() for name, array in first.items()}
    _, second = loss_and_gradients(*point)
    for name in first:
        np.testing.assert_array_equal(first[name], kept[name])
        np.testing.assert_array_equal(first[name], second[name])
        assert not np.shares_memory(first[name], second[name])
        assert not any(np.shares_memory(first[name], array) for array in shown.values())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_comes_out_as_not_finite_and_without_a_warning(bad: float) -> None:
    parameters, x, targets = problem((6, 5, 3))
    x[0, 0] = bad
    loss, gradients = loss_and_gradients(parameters, x, targets)
    assert np.isnan(loss)
    assert not np.isfinite(gradients["w2"]).all()
    assert np.isnan(evaluate(parameters, x, targets)[0])


def test_one_layer_is_softmax_regression() -> None:
    parameters, x, targets = problem((5, 3))
    assert list(forward(parameters, x)) == ["logits"]
    _, gradients = loss_and_gradients(parameters, x, targets)
    dlogits = (softmax(x @ parameters["w1"] + parameters["b1"]) - targets) / len(x)
    np.testing.assert_allclose(gradients["w1"], x.T @ dlogits)


@pytest.mark.parametrize("function", [forward, loss_and_gradients, evaluate])
def test_an_unknown_activation_is_refused_with_the_known_ones(
    function: Callable[..., object],
) -> None:
    parameters, x, targets = problem((6, 5, 3))
    arguments = (parameters, x) if function is forward else (parameters, x, targets)
    with pytest.raises(ValueError, match="unknown activation 'celu': choose one of relu, tanh"):
        function(*arguments, activation="celu")

"""The report's functions on values worked by hand, at their edges, and tied to each other."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from manual_mlp import (
    ACTIVATIONS,
    average_ce,
    compute_layer,
    cross_entropy,
    grad_ce,
    relu,
    softmax,
)
from manual_mlp.arrays import Array
from manual_mlp.smooth import sigmoid

DTYPES = ["float32", "float64"]
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(DTYPES)


def soft_rows(generator: np.random.Generator, rows: int, classes: int) -> Array:
    return generator.dirichlet(np.ones(classes), rows)


def test_relu_of_values_worked_by_hand() -> None:
    x = np.array([[-2.0, -0.0, 0.0, 3.5]])
    np.testing.assert_array_equal(relu(x), [[0, 0, 0, 3.5]])


def test_relu_passes_nan_and_infinity_on() -> None:
    np.testing.assert_array_equal(relu(np.array([np.nan, np.inf, -np.inf])), [np.nan, np.inf, 0])


def test_slope_of_relu_at_exactly_zero_is_zero() -> None:
    z = np.array([-1.0, 0.0, 1e-300])
    slope = ACTIVATIONS["relu"].derivative(z, relu(z))
    np.testing.assert_array_equal(slope, [0, 0, 1])


def test_softmax_of_values_worked_by_hand() -> None:
    x = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 3.0]])
    np.testing.assert_allclose(softmax(x), [[1 / 8, 2 / 8, 5 / 8], [1 / 3] * 3], rtol=1e-15)


def test_softmax_takes_the_maximum_of_each_row_not_of_the_whole_array() -> None:
    p = softmax(np.array([[1e4, 0.0], [-1e4, -1e4]], np.float32))
    np.testing.assert_array_equal(p, np.array([[1, 0], [0.5, 0.5]], np.float32))


def test_layer_of_values_worked_by_hand() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0], [0.0, -1.0]])
    w = np.array([[1.0], [10.0]])
    np.testing.assert_array_equal(compute_layer(x, w, np.array([0.5])), [[21.5], [43.5], [-9.5]])


def test_layer_takes_the_bias_of_the_report_with_its_row_axis() -> None:
    x, w, b = np.ones((4, 3)), np.ones((3, 2)), np.array([1.0, 2.0])
    np.testing.assert_array_equal(compute_layer(x, w, b[None]), compute_layer(x, w, b))


@pytest.mark.parametrize("shape", [(1,), (3,), (4, 1), (4, 2), (2, 1)])
def test_layer_refuses_a_bias_that_would_broadcast_to_something_else(shape: tuple[int]) -> None:
    with pytest.raises(ValueError, match=r"a bias for w \(3, 2\) has shape \(2,\), got"):
        compute_layer(np.ones((4, 3)), np.ones((3, 2)), np.ones(shape))


def test_average_ce_of_values_worked_by_hand() -> None:
    target = np.array([[0, 1, 0], [0.5, 0.5, 0]])
    prediction = np.array([[0.25, 0.25, 0.5], [0.5, 0.25, 0.25]])
    by_hand = (math.log(4) + 0.5 * math.log(2) + 0.5 * math.log(4)) / 2
    assert average_ce(target, prediction) == pytest.approx(by_hand, rel=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
def test_average_ce_of_a_confident_right_answer_is_exactly_zero(dtype: str) -> None:
    rows = np.eye(3, dtype=dtype)
    assert str(average_ce(rows, rows)) == "0.0"


@pytest.mark.parametrize("dtype", DTYPES)
def test_average_ce_of_an_impossible_answer_is_infinite(dtype: str) -> None:
    target, prediction = np.array([[0, 1]], dtype), np.array([[1, 0]], dtype)
    assert average_ce(target, prediction) == math.inf


def test_average_ce_does_not_hide_nan_behind_a_zero_target() -> None:
    assert math.isnan(average_ce(np.array([[0.0, 1.0]]), np.array([[np.nan, 1.0]])))


def test_average_ce_takes_integers() -> None:
    target = np.array([[0, 1]])
    assert average_ce(target, np.array([[0.5, 0.5]])) == pytest.approx(math.log(2))
    assert average_ce(target, target) == 0


def test_cross_entropy_of_values_worked_by_hand() -> None:
    logits = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 3.0]])
    targets = np.array([[1.0, 0, 0], [0.25, 0.25, 0.5]])
    total = math.log(8) + math.log(3)
    assert cross_entropy(logits, targets) == pytest.approx(total / 2, rel=1e-15)
    assert cross_entropy(logits, targets, reduction="sum") == pytest.approx(total, rel=1e-15)


def test_gradient_at_the_logits_of_values_worked_by_hand() -> None:
    logits = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 3.0]])
    target = np.array([[1.0, 0, 0], [0.25, 0.25, 0.5]])
    total = np.array([[-7 / 8, 2 / 8, 5 / 8], [1 / 12, 1 / 12, -1 / 6]])
    np.testing.assert_allclose(grad_ce(target, logits), total / 2, rtol=1e-14)
    np.testing.assert_allclose(grad_ce(target, logits, reduction="sum"), total, rtol=1e-14)


def test_reduction_must_be_mean_or_sum() -> None:
    with pytest.raises(ValueError, match="unknown reduction 'total': choose one of mean, sum"):
        cross_entropy(np.ones((1, 2)), np.ones((1, 2)), reduction="total")


@pytest.mark.parametrize("function", [average_ce, cross_entropy, grad_ce])
def test_shapes_that_would_broadcast_are_refused(function: object) -> None:
    assert callable(function)
    with pytest.raises(
        ValueError, match=r"shapes must be equal, got \w+ \(3, 1\) and \w+ \(3, 2\)"
    ):
        function(np.ones((3, 1)), np.ones((3, 2)))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_overflows_or_warns_at_logits_of_ten_thousand(dtype: str, sign: int) -> None:
    logits = np.array([[1e4, -1e4, 0], [-1e4, -1e4, 1e4]], dtype) * sign
    targets = np.eye(3, dtype=dtype)[:2]
    one_or_two = np.array([1, 2]) if sign == -1 else np.array([1, 1])
    assert np.isfinite(softmax(logits)).all()
    assert np.isfinite(grad_ce(targets, logits)).all()
    expected = {1: (0 + 2e4) / 2, -1: (2e4 + math.log(2)) / 2}[sign]
    assert cross_entropy(logits, targets) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal((softmax(logits) > 0).sum(axis=1), one_or_two)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_is_exact_to_rounding_in_its_tails(dtype: str) -> None:
    z = np.array([-1e4, -80.0, -1.0, 0.0, 1.0, 80.0, 1e4], dtype)
    exact = [0, math.exp(-80), 1 / (1 + math.e), 0.5, math.e / (1 + math.e), 1, 1]
    np.testing.assert_allclose(
        sigmoid(z), exact, rtol=4 * float(np.finfo(dtype).eps), atol=float(np.finfo(dtype).tiny)
    )


@pytest.mark.slow
@given(seeds, st.integers(1, 40), st.integers(1, 20), st.floats(1e-3, 30), dtypes)
def test_average_ce_of_the_softmax_is_the_cross_entropy_of_the_logits(
    seed: int, rows: int, classes: int, scale: float, dtype: str
) -> None:
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, scale, (rows, classes)).astype(dtype)
    targets = soft_rows(generator, rows, classes).astype(dtype)
    p = softmax(logits)
    assume(p.min() >= np.finfo(dtype).tiny)  # a subnormal p has lost digits of its logarithm
    # Each row's loss carries an error of a few u times (1 + its largest |logit|), in both forms.
    error = 8 * float(np.finfo(dtype).eps) * (1 + 2 * float(np.abs(logits).max()))
    assert average_ce(targets, p) == pytest.approx(cross_entropy(logits, targets), abs=error)


@given(seeds, st.integers(1, 12), st.integers(1, 8), st.floats(1e-2, 20), dtypes)
def test_softmax_rows_sum_to_one_and_the_gradient_rows_to_zero(
    seed: int, rows: int, classes: int, scale: float, dtype: str
) -> None:
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, scale, (rows, classes)).astype(dtype)
    targets = soft_rows(generator, rows, classes).astype(dtype)
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(softmax(logits).sum(axis=1), 1, atol=4 * eps)
    np.testing.assert_allclose(grad_ce(targets, logits).sum(axis=1), 0, atol=4 * eps)


@given(seeds, dtypes, st.sampled_from(sorted(ACTIVATIONS)))
def test_functions_keep_the_dtype_and_leave_their_arguments_alone(
    seed: int, dtype: str, activation: str
) -> None:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(5, 3)).astype(dtype)
    w, b = generator.normal(size=(3, 4)).astype(dtype), generator.normal(size=4).astype(dtype)
    targets = soft_rows(generator, 5, 3).astype(dtype)
    arguments = [x, w, b, targets]
    before = [argument.copy() for argument in arguments]
    act = ACTIVATIONS[activation]
    results = [softmax(x), compute_layer(x, w, b), grad_ce(targets, x)]
    results += [act.value(x), x * act.derivative(x, act.value(x))]
    assert {result.dtype for result in results} == {np.dtype(dtype)}
    assert not any(np.shares_memory(result, x) for result in results)
    assert type(average_ce(targets, softmax(x))) is type(cross_entropy(x, targets)) is float
    for argument, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(argument, copy)

"""What rounding may explain: each rule against closed forms, and against sums that really round."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import manual_mlp
from compare.allowance import (
    LAMBDA,
    Arithmetic,
    Batch,
    squares,
)
from compare.allowance.dense import Dense
from compare.allowance.lowrank import LowRank
from compare.allowance.softmax import (
    sample_loss_allowance,
    softmax_allowance,
    softmax_rows,
    target_slack,
)
from compare.checks.same_point import SamePoint
from tests.allowed import BIASES_LIKE_WEIGHTS, DTYPES, Array, allowed, network
from torch_reference import Reference

pytestmark = pytest.mark.rounding

ACTIVATIONS = ("relu", "tanh", "sigmoid", "identity")
U = {name: float(np.finfo(name).eps) / 2 for name in DTYPES}


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_unit_is_lambda_roundoffs(dtype: str) -> None:
    arithmetic = Arithmetic.of(dtype)
    assert arithmetic.roundoff == pytest.approx(U[dtype], abs=0.0)
    assert arithmetic.unit == pytest.approx(LAMBDA * U[dtype], abs=0.0)


@pytest.mark.slow
@given(
    depth=st.integers(1, 4),
    rows=st.integers(1, 80),
    activation=st.sampled_from(ACTIVATIONS),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60)
@BIASES_LIKE_WEIGHTS
def test_factors_of_low_rank_are_never_below_the_entries_they_replace(
    depth: int, rows: int, activation: str, dtype: str, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    sizes = tuple(int(n) for n in generator.integers(2, 50, size=depth + 1))
    drawn = network(sizes, rows, seed=seed, dtype=dtype)
    exact, wider = (allowed(drawn, activation, form=form) for form in (Dense, LowRank))
    slack = 1 - 1e-5  # float32 squares are summed in float32
    for name, entries in exact.gradients.items():
        assert (wider.gradients[name] >= slack * entries).all(), name
        assert wider.projections[name] >= slack * exact.projections[name], name
    for one, other in ((exact.dz, wider.dz), (exact.forward.z, wider.forward.z)):
        for layer, spread in one.items():
            assert (other[layer].entries() >= slack**2 * spread.entries()).all(), layer


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_every_number_of_a_pass_is_within_half_of_its_allowance(
    activation: str, dtype: str, scale: float
) -> None:
    drawn = network((20, 30, 25, 7), 60, dtype=dtype, scale=scale)
    parameters, x, targets = drawn
    right = manual_mlp.loss_and_gradients(
        parameters, x, targets, activation=activation, intermediates=True
    )
    wide = manual_mlp.loss_and_gradients(
        {name: array.astype(np.longdouble) for name, array in parameters.items()},
        x.astype(np.longdouble), targets.astype(np.longdouble),
        activation=activation, intermediates=True,
    )  # fmt: skip
    found = allowed(drawn, activation)
    flipped = activation == "relu" and any(
        ((right[2][name] > 0) != (wide[2][name] > 0)).any() for name in ("z1", "z2")
    )
    assert not flipped, "choose another seed"
    assert abs(right[0] - wide[0]) <= 0.5 * found.forward.loss
    for name, gradient in right[1].items():
        assert (np.abs(gradient - wide[1][name]) <= 0.5 * found.gradients[name]).all(), name
    for name, values in right[2].items():
        allowance = found.intermediate(name)
        assert allowance is not None, name
        assert (np.abs(values - wide[2][name]) <= 0.5 * allowance).all(), name


def test_an_unknown_intermediate_has_no_allowance() -> None:
    found = allowed(network((5, 4, 3), 8), "relu")
    assert found.intermediate("z7") is None
    assert found.intermediate("dz9") is None
    assert found.intermediate("velocity") is None


def test_a_power_of_two_in_front_of_the_inputs_passes_through_a_linear_layer() -> None:
    parameters, x, targets = network((6, 4), 20)
    parameters["w1"] *= 2.0**-40
    parameters["b1"][:] = 0
    small, large = (
        allowed((parameters | {"w1": parameters["w1"] / factor}, factor * x, targets), "identity")
        for factor in (1.0, 2.0**40)
    )
    np.testing.assert_allclose(large.gradients["w1"], 2.0**40 * small.gradients["w1"], rtol=1e-9)


def test_moved_logits_move_probabilities_by_no_more_than_their_allowance() -> None:
    generator = np.random.default_rng(0)
    for size in (1e-9, 1e-3, 0.3, 5.0):
        z = 3 * generator.normal(size=(50, 6))
        moved = z + size * generator.uniform(-1, 1, size=z.shape)
        p, shifted = softmax_rows(z)
        allowance = softmax_allowance(p, shifted, np.full(z.shape, size), 1e-16)
        assert (np.abs(softmax_rows(moved)[0] - p) <= allowance + 1e-15).all()
        assert (allowance <= 1).all()


def test_moved_logits_move_a_loss_in_its_minimum_by_no_more_than_the_second_order() -> None:
    # Where p = y the first order is zero: all that moves the loss is the curvature.
    generator = np.random.default_rng(0)
    for size in (1e-3, 0.3, 5.0):
        moved = size * generator.uniform(-1, 1, size=(50, 6))
        loss = np.log(np.exp(moved).mean(axis=1)) - moved.mean(axis=1)
        largest, zero = np.full(50, size), np.zeros(50)
        allowance = sample_loss_allowance(
            np.zeros((6, 50)), np.full((6, 50), size), largest, zero, 1e-16, True
        )
        assert (loss > 1e-3 * size**2).all()
        assert (loss <= allowance).all()


def test_a_saturated_softmax_does_not_round() -> None:
    p, shifted = softmax_rows(np.array([[0.0, -900.0, -900.0]]))
    assert softmax_allowance(p, shifted, np.zeros((1, 3)), 1e-16)[0, 0] < 1e-25


def test_one_hot_targets_have_no_slack_and_rounded_ones_what_they_miss() -> None:
    assert target_slack(Batch(np.zeros((3, 1)), np.eye(3)), 1e-16) is None
    soft = np.array([[0.5, 0.25, 0.25], [0.2, 0.3, 0.4]])
    slack = target_slack(Batch(np.zeros((2, 1)), soft), 1e-16)
    assert slack is not None
    assert slack[0] < 1e-14 and slack[1] < 1e-14
    smoothed = (np.full((2, 3), 0.1) + 0.7 * np.eye(3)[:2]).astype(np.float32).astype(np.float64)
    missed = np.abs(smoothed.sum(axis=1) - 1)
    slack = target_slack(Batch(np.zeros((2, 1)), smoothed), 1e-16)
    assert slack is not None
    np.testing.assert_allclose(slack, np.sqrt(2) * missed, rtol=1e-6)


def test_no_row_of_targets_has_more_slack_than_a_few_digits_of_its_format() -> None:
    kept = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.125]])
    slack = target_slack(Batch(np.zeros((2, 1)), kept), 1e-16)  # as in float32: 1/8 is missing
    assert slack is not None
    assert slack[0] < 1e-14 and 6e-8 < slack[1] < 8 * np.finfo(np.float32).eps


def one_after_the_other(h: Array, dz: Array) -> Array:
    """`h.T @ dz` with the samples added up one after the other."""
    total = np.zeros((h.shape[1], dz.shape[1]), h.dtype)
    for row, error in zip(h, dz, strict=True):
        total += row[:, None] * error
    return total


def worst_of_last_layer(drawn: tuple[dict[str, Array], Array, Array], activation: str) -> float:
    """The largest ratio of dw of the last layer, summed one sample after the other."""
    parameters, x, targets = drawn
    wide = {name: array.astype(np.float64) for name, array in parameters.items()}
    exact = manual_mlp.loss_and_gradients(
        wide, x.astype(np.float64), targets.astype(np.float64), activation=activation
    )
    _, _, values = manual_mlp.loss_and_gradients(
        parameters, x, targets, activation=activation, intermediates=True
    )
    last = len(parameters) // 2
    h = values[f"h{last - 1}"] if last > 1 else x
    found = one_after_the_other(h, values["dlogits"])
    allowance = allowed(drawn, activation).gradients[f"w{last}"]
    return float((np.abs(found - exact[1][f"w{last}"]) / allowance).max())


@pytest.mark.parametrize("order", ["sorted", "mixed"])
@pytest.mark.parametrize("groups", [1, 3, 30])
@pytest.mark.parametrize("noise", [0.0, 1e-5])
def test_groups_of_equal_or_nearly_equal_rows_stay_within_half(
    groups: int, noise: float, order: str
) -> None:
    generator = np.random.default_rng(0)
    parameters, x, targets = network((8, 8, 3), groups, dtype="float32")
    picked = np.sort(generator.integers(groups, size=3000))
    if order == "mixed":
        generator.shuffle(picked)
    x = x[picked] * (1 + noise * generator.normal(size=(3000, 8))).astype(np.float32)
    assert worst_of_last_layer((parameters, x, targets[picked]), "tanh") <= 0.5


@pytest.mark.parametrize("signs", ["blank", "of both signs"])
def test_rows_that_cancel_unlike_the_others_stay_within_half(signs: str) -> None:
    generator = np.random.default_rng(0)
    parameters, _, targets = network((1000, 5), 80, dtype="float32")
    parameters["w1"] = np.abs(parameters["w1"])
    x = generator.random((80, 1000)).astype(np.float32)
    x[::10] = 0 if signs == "blank" else generator.normal(size=(8, 1000))
    right = manual_mlp.loss_and_gradients(parameters, x, targets, intermediates=True)
    wide = manual_mlp.loss_and_gradients(
        {name: array.astype(np.float64) for name, array in parameters.items()},
        x.astype(np.float64),
        targets.astype(np.float64),
    )
    found = allowed((parameters, x, targets), "identity")
    for name, gradient in right[1].items():
        assert (np.abs(gradient - wide[1][name]) <= 0.5 * found.gradients[name]).all(), name


def test_tiny_float32_values_have_finite_allowances_in_factors_of_low_rank() -> None:
    parameters, x, targets = network((40, 60, 50, 5), 300, dtype="float32")
    parameters["w3"] *= np.float32(1e-25)
    found = allowed((parameters, x, targets), "relu", form=LowRank)
    for name, entries in found.gradients.items():
        assert np.isfinite(entries).all(), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_both_forms_find_the_same_units_within_reach_of_a_kink(dtype: str) -> None:
    drawn = network((6, 300, 4), 200, dtype=dtype, scale=1e-3)
    drawn[0]["b1"][:] = 0
    drawn[0]["w1"] *= 1e-6  # most units are near 0
    _, _, values = manual_mlp.loss_and_gradients(*drawn, intermediates=True)
    z, spread = values["z1"], allowed(drawn, "relu", form=LowRank).forward.z[1]
    z = np.where(np.random.default_rng(0).random(z.shape) < 0.9, z, 0.9 * np.sqrt(spread.entries()))
    z[17] = 0
    found = spread.reaching((0.0,), z.astype(dtype))
    expected = Dense(spread.entries()).reaching((0.0,), z.astype(dtype))
    assert len(found[0]) > 300
    for one, other in zip(found, expected, strict=True):
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize("form", [Dense, LowRank])
@pytest.mark.parametrize("repeated", [False, True])
def test_allowances_do_not_depend_on_where_blocks_of_a_gradient_end(
    form: type[Dense] | type[LowRank], repeated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters, x, targets = network((30, 20, 5), 100)
    if repeated:
        x[50:], targets[50:] = x[:50], targets[:50]
    whole = allowed((parameters, x, targets), "relu", form=form)
    monkeypatch.setattr(
        squares, "BLOCK_BYTES", 20 * 8 * 7
    )  # 7 rows of dw1 at a time, and 2 at the end
    pieces = allowed((parameters, x, targets), "relu", form=form)
    for name, entries in whole.gradients.items():
        np.testing.assert_allclose(pieces.gradients[name], entries, rtol=1e-9)
        assert pieces.projections[name] == pytest.approx(whole.projections[name], rel=1e-9, abs=0.0)


def test_a_batch_that_comes_again_is_not_read_again_and_another_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parameters, x, targets = network((6, 5, 3), 40)
    read = mock.Mock(side_effect=Dense.read)
    monkeypatch.setattr(Dense, "read", read)

    def seen_by(check: SamePoint, *batch: Any) -> tuple[list[Array], int]:
        read.reset_mock()
        found = check.expect(parameters, *batch).point.allowances.gradients
        return list(found.values()), sum(call.args[0] is batch[0] for call in read.mock_calls)

    def fresh() -> SamePoint:
        return SamePoint(Reference((6, 5, 3)), Arithmetic.of("float64"), "relu", "mean")

    check, twice = fresh(), np.arange(40) // 2
    batches = [(x, targets, None), (8 * x, targets, None), (x, targets[::-1], None)]
    for batch in [*batches, (x, targets, twice), (x, targets, twice)]:
        one, other = seen_by(check, *batch), seen_by(fresh(), *batch)
        assert all(map(np.array_equal, one[0], other[0]))
        assert other[1] == 1
    assert one[1] == 0  # the last came twice

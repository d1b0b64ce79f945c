"""The judge takes a large batch by blocks of rows, and comes to the numbers of the whole batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest

import manual_mlp
import torch_reference.blocks as blocks
from compare.allowance import Arithmetic, at_kinks
from compare.allowance.alike import row_identities
from compare.allowance.batch import Batch
from compare.allowance.lowrank import LowRankCarried
from compare.allowance.operands import MANY
from compare.allowance.spread import Stacked
from compare.allowance.swept import learnt_from, looked_at
from compare.checks import same_point
from compare.checks.examined import Expected
from compare.checks.same_point import SamePoint
from compare.checks.slopes import candidates
from compare.checks.stages import first_wrong_stage, not_compared
from compare.checks.swept import Swept
from tests.allowed import DTYPES, Array, network
from torch_reference import Reference

ROWS = 1_500
NETWORKS = [((20, 40, 5), "relu"), ((12, 40, 36, 5), "tanh"), ((9, 20, 12), "silu")]


@contextmanager
def small_blocks() -> Iterator[None]:
    """Blocks of few rows, and no batch so small that it is kept whole."""
    with (
        mock.patch.object(blocks, "BLOCK_BYTES", 1 << 10),
        mock.patch.object(same_point, "WHOLE", 0),
    ):
        yield


def both_ways(
    drawn: tuple[dict[str, Array], Array, Array], activation: str
) -> tuple[SamePoint, Expected, Expected]:
    parameters, x, targets = drawn
    sizes = (x.shape[1], *(len(parameters[f"b{i}"]) for i in range(1, len(parameters) // 2 + 1)))
    reference = Reference(sizes, activation=activation, dtype=x.dtype)
    check = SamePoint(reference, Arithmetic.of(x.dtype), activation, "mean")
    identities = row_identities(x)
    whole = check.expect(parameters, x, targets, identities)
    with small_blocks():
        by_blocks = check.expect(parameters, x, targets, identities)
    assert isinstance(by_blocks.point.values, Swept)
    assert not isinstance(whole.point.values, Swept)
    return check, whole, by_blocks


def assert_same_allowances(one: Expected, other: Expected, rtol: float) -> None:
    ours, theirs = one.point.allowances, other.point.allowances
    assert theirs.forward.loss == pytest.approx(ours.forward.loss, rel=rtol)
    for name, entries in ours.gradients.items():
        np.testing.assert_allclose(theirs.gradients[name], entries, rtol=rtol, err_msg=name)
        assert theirs.projections[name] == pytest.approx(ours.projections[name], rel=0.01), name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("sizes", "activation"), NETWORKS)
def test_allowances_added_up_by_blocks_are_those_of_the_whole_batch(
    sizes: tuple[int, ...], activation: str, dtype: str
) -> None:
    _, whole, by_blocks = both_ways(network(sizes, ROWS, dtype=dtype), activation)
    assert_same_allowances(whole, by_blocks, rtol=0.02)


def test_equal_rows_that_lie_in_different_blocks_count_as_often_as_they_occur() -> None:
    parameters, x, targets = network((20, 40, 5), ROWS)
    x[::7], targets[::7] = x[0], targets[0]
    _, whole, by_blocks = both_ways((parameters, x, targets), "relu")
    assert_same_allowances(whole, by_blocks, rtol=1e-3)


def test_a_dead_layer_makes_all_rows_alike_whatever_their_block() -> None:
    parameters, x, targets = network((20, 40, 5), ROWS)
    parameters["b1"][:] = -1e3
    _, whole, by_blocks = both_ways((parameters, x, targets), "relu")
    head = by_blocks.point.allowances.forward.head
    assert head.weights is not None and head.weights.min() == ROWS
    assert_same_allowances(whole, by_blocks, rtol=1e-3)


def test_saturated_rows_of_all_blocks_are_counted_together() -> None:
    drawn = network((20, 40, 5), ROWS, dtype="float32", scale=60.0)
    _, whole, by_blocks = both_ways(drawn, "relu")
    assert (
        np.concatenate([*whole.point.allowances.forward.probabilities]).max(axis=1) > 1 - 1e-7
    ).mean() > 0.2
    assert_same_allowances(whole, by_blocks, rtol=0.02)


def test_a_unit_that_changed_sides_is_found_and_explained_in_any_block() -> None:
    parameters, x, targets = network((20, 40, 5), ROWS, dtype="float32")
    row, unit = 1_234, 17
    z = x[row] @ parameters["w1"][:, unit]
    parameters["b1"][unit] = -z  # up to rounding
    check, whole, by_blocks = both_ways((parameters, x, targets), "relu")
    for expected in (whole, by_blocks):
        rows, units = candidates(expected.point)[1]
        assert (row, unit) in zip(rows.tolist(), units.tolist(), strict=True)
    values = whole.point.values
    on = values["h1"][row, unit] > 0
    other = (-1.0 if on else 1.0) * values["dh1"][row, unit]
    gradients = {name: entries.copy() for name, entries in by_blocks.gradients.items()}
    gradients["w1"][:, unit] += x[row] * other
    gradients["b1"][unit] += other
    with small_blocks():
        held = check.hold(by_blocks, by_blocks.loss, gradients)
    assert held.agrees
    assert held.slopes.rows[1].tolist() == [row] and held.slopes.units[1].tolist() == [unit]


def test_a_reported_loss_is_allowed_the_same_by_blocks() -> None:
    parameters, x, targets = network((20, 40, 5), ROWS)
    reference = Reference((20, 40, 5))
    check = SamePoint(reference, Arithmetic.of(x.dtype), "relu", "mean")
    loss, accuracy = reference.evaluate(parameters, x, targets)
    whole = check.reported(parameters, x, targets, loss, accuracy)
    with small_blocks():
        by_blocks = check.reported(parameters, x, targets, loss, accuracy)
    assert by_blocks.loss.worst.allowance == pytest.approx(whole.loss.worst.allowance)
    assert by_blocks.accuracy.worst.allowance == whole.accuracy.worst.allowance


def test_a_wrong_gradient_of_a_large_batch_is_named_by_its_stage() -> None:
    drawn = network((20, 40, 5), ROWS)
    check, _, by_blocks = both_ways(drawn, "relu")
    gradients = dict(by_blocks.gradients)
    gradients["b1"] = gradients["b1"] * (1 + 1e-9)
    with small_blocks():
        held = check.hold(by_blocks, by_blocks.loss, gradients)
        assert not held.gradients["b1"].agrees and held.gradients["w2"].agrees
        assert held.reference_values["dz1"].shape == (ROWS, 40)
        assert held.allowances.intermediate("dz1") is not None


def test_no_intermediates_are_kept_or_allowed_for_where_none_are_shown() -> None:
    check, _, by_blocks = both_ways(network((20, 40, 5), ROWS), "relu")
    with small_blocks(), mock.patch.object(Swept, "whole", side_effect=AssertionError):
        held = check.hold(by_blocks, by_blocks.loss, dict(by_blocks.gradients))
        assert first_wrong_stage(held, {}, 2) is None
        assert not_compared(held, {}, 2) == []
        with pytest.raises(AssertionError):
            first_wrong_stage(held, {"z1": np.zeros((ROWS, 40))}, 2)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_row_that_decides_a_deep_gradient_is_learnt_from_wherever_it_lies(seed: int) -> None:
    """One row of 1,200 is wrong and has steep slopes; layers of rank one share its errors."""
    draw, row = np.random.default_rng(seed), 789
    sizes = (10, *[16] * 11, 3)
    parameters: dict[str, Array] = {}
    along = draw.normal(size=16)
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes), 1):
        w = draw.normal(size=(fan_in, fan_out)) / np.sqrt(fan_in)
        if 1 < i < len(sizes) - 1:
            before, along = along, draw.normal(size=16)
            w = np.outer(before, along) / np.linalg.norm(before) / np.linalg.norm(along)
        parameters[f"w{i}"], parameters[f"b{i}"] = w, np.zeros(fan_out)
    parameters["b12"][0] = 30.0
    x, targets = draw.normal(size=(1_200, 10)) * 5, np.zeros((1_200, 3))
    x[row] *= 2e-3
    targets[:, 0] = 1
    targets[row] = [0, 1, 0]
    check, whole, by_blocks = both_ways((parameters, x, targets), "tanh")
    batch = check._batches[-1]
    assert row not in looked_at(Batch(x, targets))[:MANY]
    assert batch.decisive.tolist() == [row]
    assert row in looked_at(batch)[learnt_from(batch)]
    answer = manual_mlp.loss_and_gradients(parameters, x, targets, activation="tanh")
    with small_blocks():
        assert check.hold(by_blocks, *answer).worst_ratio <= 0.5
    for name, entries in whole.point.allowances.gradients.items():
        assert (by_blocks.point.allowances.gradients[name] >= 0.7 * entries).all(), name


def test_decisive_rows_are_looked_for_in_deep_networks_only() -> None:
    """In shallow ones no error is shared before it is multiplied by weights."""
    parameters, x, targets = network((20, 40, 5), ROWS)
    x[1_234] *= 100
    check, _, _ = both_ways((parameters, x, targets), "relu")
    assert not len(check._batches[-1].decisive)


def test_a_usual_batch_passes_by_once_in_either_format() -> None:
    for dtype in DTYPES:
        with mock.patch.object(Swept, "each", side_effect=AssertionError):
            both_ways(network((20, 40, 5), ROWS, dtype=dtype), "relu")


def kinked(dtype: str) -> tuple[Expected, Stacked]:
    """A batch by blocks, of which some units are within rounding of 0."""
    parameters, x, targets = network((20, 40, 30, 5), ROWS, dtype=dtype)
    x[5:ROWS:400] = 0  # z1 is the bias
    parameters["b1"][3] = 0
    _, _, by_blocks = both_ways((parameters, x, targets), "relu")
    spread = by_blocks.point.allowances.forward.z[1]
    assert isinstance(spread, Stacked)
    return by_blocks, spread


def test_units_at_kinks_are_noted_as_the_blocks_pass_by_in_float32() -> None:
    by_blocks, spread = kinked("float32")
    assert spread.near is not None and len(spread.near[0]) >= 4
    point = by_blocks.point
    with mock.patch.object(Swept, "block", side_effect=AssertionError):  # nothing is looked for
        noted = candidates(point)
        rows = np.unique(noted[1][0])
        kept = {name: point.values[name][rows] for name in ("z1", "h1", "dz1", "dlogits")}
        assert point.taken(1)[noted[1]].shape == noted[1][0].shape
    looked_for = replace(spread, near=None).reaching((0.0,), point.taken(1))
    for found, expected in zip(noted[1], looked_for, strict=True):
        np.testing.assert_array_equal(found, expected)
    values = point.values
    assert isinstance(values, Swept)
    whole = values.whole()
    for name, stage in kept.items():
        np.testing.assert_array_equal(stage, whole[name][rows])


@pytest.mark.parametrize(("dtype", "most"), [("float32", 3), ("float64", at_kinks.MOST)])
def test_units_at_kinks_that_are_too_many_or_of_float64_are_looked_for_when_they_are_asked_for(
    dtype: str, most: int
) -> None:
    with mock.patch.object(at_kinks, "MOST", most):
        by_blocks, spread = kinked(dtype)
    assert spread.near is None
    rows, units = candidates(by_blocks.point)[1]
    assert {(row, 3) for row in range(5, ROWS, 400)} <= {*zip(rows, units, strict=True)}


def test_what_blocks_carry_does_not_grow_with_their_number() -> None:
    draw = np.random.default_rng(0)
    for shape in ((7, 30), (30, 7)):
        blocks = [LowRankCarried(draw.random((5, shape[0])), draw.random((5, shape[1])), np.ones(3))
                  for _ in range(9)]  # fmt: skip
        carried = blocks[0].plus(blocks[1:4]).plus([blocks[4], blocks[5].plus(blocks[6:])])
        assert carried.whole is not None and carried.whole.shape == shape
        assert carried.left.size == carried.right.size == 0
        product = sum(one.left.T @ one.right for one in blocks)
        np.testing.assert_allclose(carried.multiplied(), product)


@pytest.mark.parametrize("many", [1, 9])
@pytest.mark.parametrize("bias", [None, 3.0])
def test_what_is_gathered_is_the_product_with_what_the_sums_round(
    many: int, bias: float | None
) -> None:
    """Whether the factors are kept or were multiplied out; the last row is that of the bias."""
    draw = np.random.default_rng(1)
    blocks = [LowRankCarried(draw.random((2, 7)), draw.random((2, 6)), draw.random(7))
              for _ in range(many)]  # fmt: skip
    carried = blocks[0].plus(blocks[1:])
    assert (carried.whole is None) is (many == 1)
    product = np.add.reduce([one.left.T @ one.right for one in blocks])
    columns = np.add.reduce([one.columns for one in blocks])
    dz = draw.random(6)
    found = carried.gathered(dz, 0.5, None if bias is None else np.full(6, bias))
    own = np.multiply.outer(0.5 * columns, dz)
    if bias is not None:
        own[-1] = bias
    np.testing.assert_allclose(found.square, product + own)
    np.testing.assert_allclose(found.terms(slice(2, None)), own[2:])
    np.testing.assert_allclose(
        (found.shared, found.bias_shared), (product[:-1].sum(), product[-1].sum())
    )

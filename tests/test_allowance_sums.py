"""What a sum rounds, tested piece by piece: partial sums, near-duplicate terms, equal rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compare.allowance import Arithmetic
from compare.allowance.alike import multiplicities, near_rows, row_identities, row_weights
from compare.allowance.dense import UNEQUAL, Dense
from compare.allowance.inner import usual
from compare.allowance.near_duplicates import near_duplicates
from compare.allowance.operands import Right
from compare.allowance.partial import Blocked, followed, measured, measured_totals
from compare.allowance.squares import (
    column_squares,
    height_of,
    length,
    row_squares,
    squared_products,
)
from compare.allowance.sums import (
    OF_SUM,
    OF_TERMS,
    of_alike_terms,
    over_batch,
)
from compare.allowance.totals import rounding_of_losses, rounding_of_total

pytestmark = pytest.mark.rounding

Array = NDArray[Any]
DTYPES = ("float64", "float32")


@given(
    signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=2, max_size=300),
    sort=st.booleans(),
)
def test_the_worst_order_bounds_the_partial_sums_of_terms_of_one_size(
    signs: list[float], sort: bool
) -> None:
    terms = np.sort(signs) if sort else np.array(signs)
    assumed = OF_TERMS * np.abs(terms).sum() ** 2 + OF_SUM * terms.sum() ** 2
    edge = 1 + 3 / len(terms)  # the closed form is that of many terms
    assert np.mean(np.cumsum(terms) ** 2) <= edge * assumed


@given(terms=st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=50), sort=st.booleans())
def test_terms_of_any_sizes_make_no_larger_partial_sums_than_a_dense_network_is_allowed(
    terms: list[float], sort: bool
) -> None:
    drawn = np.sort(terms) if sort else np.array(terms)
    assumed = UNEQUAL * OF_TERMS * np.abs(drawn).sum() ** 2 + OF_SUM * drawn.sum() ** 2
    assert np.mean(np.cumsum(drawn) ** 2) <= assumed * (1 + 1e-12)


@pytest.mark.parametrize(("count", "most"), [(70, 20), (333, 8), (2000, 6)])
def test_measured_partial_sums_are_never_below_and_the_nearer_the_more_there_are(
    count: int, most: float
) -> None:
    generator = np.random.default_rng(count)
    left, right = generator.normal(size=(count, 3)), generator.normal(size=(count, 4))
    true = np.mean(np.cumsum(left[:, :, None] * right[:, None, :], axis=0) ** 2, axis=0)
    found = measured(Blocked.of(left), Blocked.of(right))
    assert (found >= 2 * true).all()
    assert (found <= most * true).all()


def sequential_ratio(column: NDArray[np.float32]) -> float:
    """How far off a sum is, one term after the other, in units of what it may round."""
    total = np.float32(0)
    for term in column:
        total += term
    exact = column.astype(np.float64)
    rounding = rounding_of_total(exact[:, None], Arithmetic.of(np.float32))
    return float(abs(float(total) - exact.sum()) / rounding[0])


@pytest.mark.parametrize("terms", ["equal", "of one sign", "of random signs", "in two groups"])
@pytest.mark.parametrize("count", [5, 100, 5000])
def test_sums_one_term_after_the_other_stay_within_half_of_what_a_sum_may_round(
    terms: str, count: int
) -> None:
    generator = np.random.default_rng(count)
    column = {
        "equal": np.full(count, 0.3),
        "of one sign": generator.random(count),
        "of random signs": generator.normal(size=count),
        "in two groups": np.repeat([0.7, 1.3], [count // 2, count - count // 2]),
    }[terms].astype(np.float32)
    assert sequential_ratio(column) <= 0.5


def test_the_rounding_of_a_sum_of_huge_terms_is_finite() -> None:
    terms = np.full((100, 1), 1e200)
    assert np.isfinite(rounding_of_total(terms, Arithmetic.of(np.float64))).all()


def test_equal_terms_count_like_the_square_of_their_number() -> None:
    assert over_batch(10) == 14 + of_alike_terms(10, 10) / 2
    assert over_batch(1000) == 1004


def test_near_duplicates_count_by_the_chance_that_two_terms_are_nearly_equal() -> None:
    column = np.repeat(np.arange(1.0, 6.0), 200)  # five groups
    found = near_duplicates(np.random.default_rng(0).permutation(column)[:, None], np.array([0.1]))
    assert found is not None
    assert found.share[0] == pytest.approx(1 / 5, abs=0.06)


def test_zeros_between_equal_terms_hide_none_of_them_and_count_for_nothing() -> None:
    """Half of all terms at one number, of both signs, the rest at 0, as where units are off."""
    column = np.repeat([-1.0, 0.0, 1.0], [16, 32, 16])[:, None]
    found = near_duplicates(column, np.array([0.1]), 64)
    assert found is not None
    np.testing.assert_allclose(found.share, 2 * 16 * 15 / (64 * 63))


def test_terms_spread_over_many_digits_are_no_near_duplicates() -> None:
    column = np.random.default_rng(0).random((1000, 1))
    assert near_duplicates(column, np.array([1e-6])) is None


def test_terms_far_below_the_digit_lose_nothing_and_are_no_near_duplicates() -> None:
    assert near_duplicates(np.full((1000, 1), 1e-3), np.array([1.0])) is None


def test_multiplicities_count_equal_keys() -> None:
    found = multiplicities(np.array([3, 1, 3, 3]))
    assert found is not None
    assert found.tolist() == [3, 1, 3, 3]
    assert multiplicities(np.array([1, 2, 3])) is None


def test_rows_that_differ_in_the_last_digits_are_near_and_others_are_not() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 30))
    logits[:, 7] = logits[:, 20] + 1e-12
    found = near_rows(logits, 1e-11)
    assert found is not None
    assert np.flatnonzero(found == 2).tolist() == [7, 20]
    assert near_rows(logits, 1e-13) is None


def test_a_row_weighs_as_often_as_its_input_or_its_logits_occur() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 6))
    identities = np.array([0, 0, 1, 2, 3, 4])
    logits[:, 4] = logits[:, 5]
    found = row_weights(multiplicities(identities), logits, 3.0, 1e-16)
    assert found is not None
    assert found.tolist() == [2, 2, 1, 1, 2, 2]


@pytest.mark.parametrize("period", [2, 32, 64])
def test_a_period_in_the_terms_does_not_hide_that_they_are_equal(period: int) -> None:
    column = np.full(2048, 0.3, np.float32)
    column[::period] = np.random.default_rng(0).random(len(column[::period]))
    assert sequential_ratio(column) <= 0.5


def test_a_column_of_zeros_beside_another_raises_no_warning() -> None:
    terms = np.column_stack([np.zeros(50), np.full(50, 0.3)])
    assert rounding_of_total(terms, Arithmetic.of("float32"))[0] == 0


@pytest.mark.parametrize("count", [70, 333, 2000])
def test_partial_sums_of_totals_are_never_below_and_near(count: int) -> None:
    terms = np.random.default_rng(count).normal(size=(count, 4))
    true = np.mean(np.cumsum(terms, axis=0) ** 2, axis=0)
    found = measured_totals(terms)
    assert (found >= 2 * true).all()
    assert (found <= 20 * true).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_partial_sums_are_those_that_adding_up_one_by_one_gives(dtype: str) -> None:
    sums = np.random.default_rng(0).normal(size=(9, 3, 4)).astype(dtype)
    ends = np.cumsum(sums, axis=0, dtype=np.float64)
    expected = 2 * np.mean(ends**2, axis=0)
    assert followed(sums, np.zeros((3, 4))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
@pytest.mark.parametrize("rows", [39, 127, 128, 129, 784])
def test_the_columns_of_weights_have_one_sum_of_squares_whether_cut_or_not(
    rows: int, scale: float
) -> None:
    w = (np.random.default_rng(rows).normal(size=(rows, 70)) * scale).astype(np.float32)
    expected = np.square(w, dtype=np.float64).sum(axis=0)
    assert Right(w).columns == pytest.approx(expected, rel=1e-5, abs=0.0)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e25])
@pytest.mark.parametrize("dtype", DTYPES)
def test_squares_are_right_at_every_scale_that_the_format_holds(dtype: str, scale: float) -> None:
    generator = np.random.default_rng(0)
    array = generator.normal(size=(700, 60)) * 10.0 ** generator.uniform(-6, 0, size=60)
    array[:, 7], array[5] = 0.0, 0.0
    narrow = (array * scale).astype(dtype)
    square = np.square(narrow, dtype=np.float64)
    assert row_squares(narrow) == pytest.approx(square.sum(axis=1), rel=1e-5, abs=0.0)
    assert column_squares(narrow) == pytest.approx(square.sum(axis=0), rel=1e-5, abs=0.0)
    assert length(narrow) == pytest.approx(np.sqrt(square.sum()), rel=1e-12)


@pytest.mark.parametrize("rows", [1, 266, 267, 268, 900])
def test_products_with_squares_do_not_depend_on_where_blocks_end(rows: int) -> None:
    generator = np.random.default_rng(rows)
    left, across = generator.normal(size=(rows, 60)), generator.random((3, rows))
    assert height_of(left) == 266
    found = squared_products(left, row_squares(left), across)
    np.testing.assert_allclose(found, across @ (left * left), rtol=1e-12)


def test_rows_are_told_apart_by_their_numbers_and_not_by_the_sign_of_a_zero() -> None:
    rows = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    numbers = row_identities(rows)
    np.testing.assert_array_equal(numbers == numbers[0], [True, True, False, True])


def test_losses_whose_squares_vanish_round_all_the_same() -> None:
    assert rounding_of_losses(np.full(4, 1e-170), Arithmetic.of("float64")) > 0


def test_units_are_alike_if_their_weights_are_and_not_if_only_their_norms_are() -> None:
    w = np.random.default_rng(0).normal(size=(60, 9)).astype(np.float32)
    w[:, 4] = w[:, 1]
    found = Right(w).often
    assert found is not None
    assert found.tolist() == [1, 2, 1, 1, 2, 1, 1, 1, 1]
    w[0, 4] *= np.float32(1 + 2**-22)  # too little for a sum in float32
    assert Right(w).often is None


@pytest.mark.parametrize("size", [1e-158, 1.0, 1e150])
def test_what_sums_over_units_round_does_not_depend_on_the_size_of_the_inputs(size: float) -> None:
    generator = np.random.default_rng(0)
    x, w = generator.normal(size=(30, 50)), generator.normal(size=(50, 3))
    u = 2.0**-53
    found = usual(Dense.read(x * size), Right(w), x * size @ w, 0.0, u)
    assert found == pytest.approx(usual(Dense.read(x), Right(w), x @ w, 0.0, u), rel=1e-3)

"""The one inequality: |manual - reference| <= 1 x allowance for every entry, and nothing else."""

from __future__ import annotations

from unittest import mock

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compare.allowance.squares import length
from compare.checks.comparison import (
    BLOCK,
    Comparison,
    EmptyComparison,
    compare_entries,
    compare_projection,
)
from compare.checks.drift import between
from compare.checks.weak import smallest_scale_error
from tests.kinked import kinked

Float = NDArray[np.float64]
ONE_ULP = np.nextafter(1.0, 2.0)


def test_the_allowance_itself_still_agrees_and_one_unit_more_does_not() -> None:
    assert compare_entries("dw1", [3.0], [2.0], [1.0]).agrees
    assert not compare_entries("dw1", [2.0 + ONE_ULP], [2.0], [1.0 / ONE_ULP]).agrees


def test_the_worst_entry_is_the_one_with_the_largest_ratio_not_the_largest_error() -> None:
    manual = np.array([[1.0, 2.0], [3.0, 4.5]])
    reference = np.array([[1.0, 2.1], [3.0, 4.0]])
    allowance = np.array([[1.0, 0.01], [1.0, 1.0]])
    worst = compare_entries("dw1", manual, reference, allowance).worst
    assert worst.index == (0, 1)
    assert (worst.manual, worst.reference, worst.allowance) == (2.0, 2.1, 0.01)
    assert worst.error == pytest.approx(0.1) and worst.ratio == pytest.approx(10)


def test_numbers_are_compared_in_float64_whatever_their_dtype() -> None:
    manual = np.array([1.0], np.float32)
    compared = compare_entries("b1", manual, np.nextafter(manual, np.float32(2)), 1e-9)
    assert compared.worst.error == pytest.approx(2.0**-23)


def test_a_scalar_is_compared_as_it_is() -> None:
    compared = compare_entries("loss", 0.75, 0.5, 0.5)
    assert compared.agrees and compared.worst.index == () and compared.worst.ratio == 0.5


@pytest.mark.parametrize(
    ("manual", "reference", "manual_finite", "reference_finite"),
    [
        (np.nan, 1.0, False, True),
        (1.0, np.nan, True, False),
        (np.nan, np.nan, False, False),
        (np.inf, 1.0, False, True),
        (np.inf, np.inf, False, False),
        (np.inf, -np.inf, False, False),
    ],
)
def test_what_is_no_number_agrees_with_nothing(
    manual: float, reference: float, manual_finite: bool, reference_finite: bool
) -> None:
    found = compare_entries("dw1", [0.0, manual, 9.0], [0.0, reference, 0.0], [1.0, 1.0, 10.0])
    assert not found.agrees and found.worst.ratio == np.inf
    assert found.worst.index == (1,)
    assert (found.manual_finite, found.reference_finite) == (manual_finite, reference_finite)
    assert found.decidable is reference_finite


def test_nan_is_shown_before_any_large_error() -> None:
    assert compare_entries("b1", [1e300, np.nan], [0.0, 0.0], 1.0).worst.index == (1,)


def test_what_is_equal_throughout_is_judged_without_asking_what_every_entry_may_be() -> None:
    """A side that is replayed by the code that made it; only the entry that is shown is allowed."""
    asked: list[slice] = []

    def allowing(part: slice) -> Float:
        asked.append(part)
        return np.ones(BLOCK)[: part.stop - part.start]

    numbers = np.arange(3 * BLOCK, dtype=np.float64)
    found = compare_entries("x", numbers, numbers.copy(), allowing)
    assert (found.worst.ratio, found.worst.index, found.worst.allowance) == (0.0, (0,), 1.0)
    assert asked == [slice(0, 1)]


def test_equal_numbers_agree_where_nothing_is_allowed() -> None:
    assert compare_entries("b1", [0.0, -0.0], [0.0, 0.0], [0.0, 0.0]).agrees


def test_a_difference_where_nothing_is_allowed_disagrees() -> None:
    found = compare_entries("b1", [5e-324], [0.0], [0.0])
    assert not found.agrees and found.worst.ratio == np.inf


def test_an_allowance_that_is_infinite_or_unknown_allows_any_number() -> None:
    allowance = [np.inf, np.nan]
    assert compare_entries("b1", [1e300, 1.0], [0.0, 0.0], allowance).agrees
    assert not compare_entries("b1", [np.inf, 1.0], [0.0, 0.0], allowance).agrees


def test_an_unknown_allowance_hides_no_other_entry() -> None:
    found = compare_entries("b1", [1.0, 1.0], [0.0, 0.0], [np.nan, 0.5])
    assert not found.agrees and found.worst.index == (1,)


def test_a_difference_too_large_for_float64_disagrees() -> None:
    found = compare_entries("b1", [1.7e308], [-1.7e308], 1.0)
    assert not found.agrees
    assert found.manual_finite and found.reference_finite


def test_shapes_are_compared_before_anything_can_broadcast() -> None:
    with pytest.raises(ValueError, match=r"db1: manual is \(3, 1\) and reference is \(3,\)"):
        compare_entries("db1", np.ones((3, 1)), np.ones(3), 1.0)


def test_comparing_nothing_is_an_error() -> None:
    with pytest.raises(EmptyComparison, match="db1 has no entries, so nothing was compared"):
        compare_entries("db1", np.ones((0, 3)), np.ones((0, 3)), 1.0)


def projected(manual: Float, reference: Float, allowance: float) -> Comparison:
    found = compare_projection("dw1 projection", manual, reference, allowance)
    assert found is not None
    return found


def test_the_projection_sees_a_scale_that_every_entry_hides() -> None:
    reference = np.random.default_rng(0).normal(size=(30, 20))
    manual = reference * (1 + 1e-3)
    assert compare_entries("dw1", manual, reference, 0.1).agrees
    found = projected(manual, reference, 1e-4)
    assert not found.agrees
    assert found.worst.ratio == pytest.approx(10)
    assert found.worst.manual == pytest.approx(1 + 1e-3) and found.worst.reference == 1


def test_the_projection_sees_nothing_at_right_angles() -> None:
    found = projected(np.array([1.0, 5.0]), np.array([1.0, 0.0]), 1e-12)
    assert found.agrees and found.worst.error == 0.0


def test_there_is_no_projection_on_zero_or_without_an_allowance() -> None:
    ones = np.ones(3)
    assert compare_projection("db1 projection", ones, np.zeros(3), 1.0) is None
    assert compare_projection("db1 projection", ones, ones, np.inf) is None
    assert compare_projection("db1 projection", ones, np.full(3, np.inf), 1.0) is None


def test_a_projection_of_nan_disagrees() -> None:
    found = projected(np.array([np.nan, 1.0]), np.ones(2), 1.0)
    assert not found.agrees and not found.manual_finite


FINITE = st.floats(-1e6, 1e6)
ARRAYS = npst.arrays(np.float64, npst.array_shapes(max_dims=2, max_side=5), elements=FINITE)


@given(ARRAYS, st.floats(1e-6, 10), st.data())
def test_one_entry_beyond_its_allowance_is_always_found(
    reference: Float, allowance: float, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, reference.size - 1))
    manual = reference.copy()
    manual.flat[place] += 3 * allowance + 1e-6
    found = compare_entries("dw1", manual, reference, allowance)
    assert not found.agrees
    assert found.worst.index == np.unravel_index(place, reference.shape)


@given(ARRAYS, st.floats(-1, 1))
def test_everything_within_the_allowance_agrees(reference: Float, part: float) -> None:
    allowance = 1e-3 + 1e-9 * np.abs(reference)
    assert compare_entries("dw1", reference + 0.99 * part * allowance, reference, allowance).agrees


@given(
    dtype=st.sampled_from(["float64", "float32"]),
    sizes=st.lists(st.integers(2, 12), min_size=2, max_size=5).map(tuple),
    rows=st.integers(2, 40),
    sign=st.sampled_from([1.0, -1.0]),
    seed=st.integers(0, 10_000),
)
def test_the_smallest_scale_error_that_weak_points_state_is_never_missed(
    dtype: str, sizes: tuple[int, ...], rows: int, sign: float, seed: int
) -> None:
    point = kinked([], sizes, rows=rows, dtype=dtype, seed=seed)
    loss, gradients = point.gradients({})
    examined = point.judged(loss, gradients)
    assert examined.agrees
    for name, gradient in gradients.items():
        size = smallest_scale_error(name, examined.reference_gradients[name], examined.allowances)
        if size > 0.3:
            continue
        scaled = (gradient.astype(np.float64) * (1 + 1.01 * sign * size)).astype(dtype)
        assert not point.judged(loss, gradients | {name: scaled}).agrees


@pytest.mark.parametrize("at", [0, BLOCK - 1, BLOCK, 3 * BLOCK + 7])
@pytest.mark.parametrize("value", [3.0, np.inf, np.nan])
def test_the_worst_entry_is_found_in_every_block(at: int, value: float) -> None:
    reference = np.zeros(4 * BLOCK)
    manual = np.full(4 * BLOCK, 0.5)
    manual[at] = value
    found = compare_entries("w1", manual, reference, np.ones(4 * BLOCK))
    assert found.worst.index == (at,) and not found.agrees
    np.testing.assert_equal(found.worst.manual, value)


def test_allowances_are_made_where_entries_differ_and_nowhere_else() -> None:
    reference, asked = np.zeros(4 * BLOCK), []
    manual = reference.copy()
    manual[2 * BLOCK + 1] = 0.25

    def allow(part: slice) -> Float:
        asked.append(part.start)
        return np.full(len(reference[part]), 0.5)

    found = compare_entries("w1", manual, reference, allow)
    assert found.agrees and found.worst.ratio == 0.5 and found.worst.index == (2 * BLOCK + 1,)
    assert asked == [0, 2 * BLOCK]


def test_infinities_and_nan_are_not_equal_to_themselves_in_any_block() -> None:
    for value in (np.inf, np.nan):
        array = np.zeros(4 * BLOCK)
        array[3 * BLOCK] = value
        found = compare_entries("w1", array, array.copy(), 1.0)
        assert not found.agrees and found.worst.index == (3 * BLOCK,)
        assert not found.manual_finite and not found.reference_finite


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_a_length_neither_overflows_nor_vanishes(scale: float) -> None:
    array = np.array([[3.0, 0.0], [0.0, -4.0]]) * scale
    assert length(array) == pytest.approx(5 * scale, rel=1e-12)


@pytest.mark.parametrize("at", [0, BLOCK, 3 * BLOCK + 7])
def test_a_shift_and_a_distance_are_seen_in_every_block(at: int) -> None:
    reference = np.zeros(4 * BLOCK)
    reference[at] = 2.0
    manual = reference * 1.5
    found = compare_projection("dw1 projection", manual, reference, 1.0)
    assert found is not None and found.worst.error == 0.5
    assert between(manual, reference) == 1.0


@pytest.mark.parametrize("at", [0, BLOCK, 3 * BLOCK + 7])
def test_the_entry_that_tells_most_is_found_in_every_block(at: int) -> None:
    allowed, reference = np.ones((4, BLOCK)), np.ones((4, BLOCK))
    allowed.flat[at] = 1e-3
    allowances = mock.Mock(gradients={"w1": allowed}, projections={"w1": np.inf})
    assert smallest_scale_error("w1", reference, allowances) == pytest.approx(1.5e-3)


@pytest.mark.parametrize("shape", [(3, 2), (6,), (2, 4), (1, 3), (1,)])
def test_an_allowance_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="their allowance is"):
        compare_entries("dw1", np.ones((2, 3)), np.zeros((2, 3)), np.ones(shape))


def test_a_projection_of_numbers_that_overflow_says_nothing_and_warns_of_nothing() -> None:
    for manual, reference in (([np.inf, 1.0], [np.inf, 1.0]), ([1e308, 1.0], [-1e308, 1.0])):
        found = compare_projection("p", np.array(manual), np.array(reference), 1.0)
        assert found is None

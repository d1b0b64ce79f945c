"""What kinks are resolved with: choices by branch and bound, and units that no rounding moves."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.checks.discrete import choose
from compare.checks.exact import lowest_digit, never_rounded
from compare.contracts.arrays import Float


def brute_force(
    columns: Float, target: Float, choices: tuple[float, ...], tolerance: float
) -> list[tuple[float, ...]]:
    """Every combination of choices that explains the target."""
    every = product(choices, repeat=columns.shape[1])
    return [one for one in every if np.linalg.norm(target - columns @ np.array(one)) <= tolerance]


@given(
    seed=st.integers(0, 10_000),
    equations=st.integers(1, 5),
    unknowns=st.integers(1, 7),
    choices=st.sampled_from([(0.0, 1.0), (0.0, 0.3, 1.0)]),
    explained=st.booleans(),
)
def test_a_choice_is_found_exactly_where_there_is_one(
    seed: int, equations: int, unknowns: int, choices: tuple[float, ...], explained: bool
) -> None:
    generator = np.random.default_rng(seed)
    columns = generator.normal(size=(equations, unknowns)) * 1e6
    target = generator.normal(size=equations) * 1e6
    if explained:
        target = columns @ generator.choice(choices, size=unknowns)
    chosen = choose(columns, target, np.zeros(unknowns), choices, 0.5)
    right = brute_force(columns, target, choices, 0.5)
    if chosen.values is not None:
        assert tuple(chosen.values) in right
    elif chosen.searched:
        assert not right


def test_one_of_two_equal_rows_is_chosen() -> None:
    columns = np.array([[3.0, 3.0], [-1.0, -1.0]])
    chosen = choose(columns, columns[:, 0], np.zeros(2), (0.0, 1.0), 1e-9)
    assert chosen.values is not None and sorted(chosen.values) == [0.0, 1.0]


def test_a_search_that_is_given_up_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compare.checks.discrete.MOST_BOXES", 1)
    columns = np.array([[3.0, 3.0, 3.1]])
    chosen = choose(columns, np.array([4.0]), np.zeros(3), (0.0, 1.0), 1e-9)
    assert chosen.values is None and not chosen.searched


def test_as_few_unknowns_as_possible_leave_their_start() -> None:
    columns = np.random.default_rng(0).normal(size=(2, 30)) * 1e6
    chosen = choose(columns, columns[:, 7], np.zeros(30), (0.0, 1.0), 1.0)
    assert chosen.values is not None and np.flatnonzero(chosen.values).tolist() == [7]


@pytest.mark.parametrize(
    ("number", "lowest"),
    [(1.0, 0), (6.0, 1), (0.375, -3), (-40.0, 3), (5e-324, -1074), (2.0**-1030, -1030), (0.1, -55)],
)
def test_the_lowest_digit_of_a_number(number: float, lowest: int) -> None:
    assert lowest_digit(np.array([number]))[0] == lowest
    assert Fraction(number) % Fraction(2) ** lowest == 0
    assert Fraction(number) % Fraction(2) ** (lowest + 1) != 0


def test_zero_is_a_multiple_of_everything() -> None:
    assert lowest_digit(np.zeros(1))[0] == np.inf


NUMBERS = st.sampled_from([0.0, 1.0, -2.0, 0.5, 3.0, 255.0, 0.1, -0.7, 1e8, 2.0**30 + 1])


@given(
    rows=st.lists(NUMBERS, min_size=3, max_size=3),
    weights=st.lists(NUMBERS, min_size=3, max_size=3),
    bias=NUMBERS,
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_what_is_never_rounded_is_exact_in_every_order(
    rows: list[float], weights: list[float], bias: float, dtype: str
) -> None:
    h, w, b = (np.array(one, dtype=dtype) for one in (rows, weights, [bias]))
    if not never_rounded(h[None], w[:, None], b)[0, 0]:
        return
    exact = sum(
        (Fraction(float(p)) * Fraction(float(q)) for p, q in zip(h, w, strict=True)), Fraction(0)
    )
    exact += Fraction(float(b[0]))
    terms = np.append(h * w, b)
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]):
        total = terms.dtype.type(0)
        for term in terms[order]:
            total += term
        assert Fraction(float(total)) == exact


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_whole_numbers_and_blank_rows_are_never_rounded_and_tenths_are(dtype: str) -> None:
    x = np.array([[2, 0, 1], [0, 0, 0], [255, 254, 3]], dtype=dtype)
    whole, tenths = np.array([[3.0], [-2.0], [1.5]], dtype=dtype), np.full((3, 1), 0.1, dtype)
    none, some = np.zeros(1, dtype), np.full(1, 0.1, dtype)
    assert never_rounded(x, whole, none).all()
    assert never_rounded(x, tenths, none).ravel().tolist() == [False, True, False]
    assert never_rounded(x, tenths, some)[1, 0]

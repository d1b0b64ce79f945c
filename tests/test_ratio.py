"""The rules of |manual - reference| / allowance, the same wherever something is judged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.checks.comparison import compare_entries
from compare.checks.ratio import ratio
from compare.diagnosis.match import ratios
from compare.textbook import Pair

RULES = {
    "a quotient": (3.0, 2.0, 1.5),
    "equal, and nothing allowed": (0.0, 0.0, 0.0),
    "equal, and NaN allowed": (0.0, np.nan, 0.0),
    "different, and nothing allowed": (1e-300, 0.0, np.inf),
    "different, and anything allowed": (1.0, np.inf, 0.0),
    "different, and NaN allowed": (1.0, np.nan, 0.0),
    "NaN": (np.nan, 1.0, np.inf),
    "NaN, and anything allowed": (np.nan, np.inf, np.inf),
    "infinite": (np.inf, 1.0, np.inf),
    "infinite, and anything allowed": (np.inf, np.inf, np.inf),
    "too small to divide": (5e-324, 1e300, 0.0),
}


@pytest.mark.parametrize(("error", "allowance", "expected"), RULES.values(), ids=RULES)
def test_the_ratio_of_one_entry(error: float, allowance: float, expected: float) -> None:
    assert float(ratio(error, allowance)) == expected
    assert ratio([error], allowance).tolist() == [expected]
    assert ratio([0.0, error, 1.0], [1.0, allowance, 2.0]).tolist() == [0.0, expected, 0.5]


@given(st.lists(st.tuples(st.floats(min_value=0), st.floats(min_value=0)), min_size=1))
def test_a_ratio_is_never_nan_and_never_negative(pairs: list[tuple[float, float]]) -> None:
    found = ratio(*np.array(pairs).T)
    assert (found >= 0).all()


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300), st.floats(0, 1e300))
def test_the_comparison_and_the_diagnosis_agree_on_numbers(
    seen: float, expected: float, allowance: float
) -> None:
    by_rule = ratio(abs(seen - expected), allowance)
    pair = Pair(np.array([expected]), np.array([allowance]), np.dtype(np.float64))
    assert ratios(np.array([seen]), pair)[0] == by_rule
    assert compare_entries("w1", [seen], [expected], allowance).worst.ratio == by_rule


def test_a_mistake_whose_allowance_is_no_number_reproduces_nothing() -> None:
    pair = Pair(np.array([1.0, 2.0]), np.array([np.nan, np.nan]), np.dtype(np.float64))
    assert ratios(np.array([1.0, 3.0]), pair).tolist() == [0.0, np.inf]

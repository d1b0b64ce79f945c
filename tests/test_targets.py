"""Rows of targets that do not sum to 1 are refused, with their row and sum; rounding is not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compare import BadInput, check
from compare.contracts.targets import require_classes, require_probabilities
from compare.examine.dump.dump import check_dump
from manual_mlp import loss_and_gradients, softmax
from tests.kinked import kinked

Array = NDArray[Any]


@given(
    rows=st.integers(1, 50), classes=st.integers(2, 2000), seed=st.integers(0, 999),
    dtype=st.sampled_from(["float32", "float64"]), stored=st.sampled_from(["float32", "float64"]),
)  # fmt: skip
def test_probabilities_of_either_format_are_taken(
    rows: int, classes: int, seed: int, dtype: str, stored: str
) -> None:
    logits = np.random.default_rng(seed).normal(scale=3, size=(rows, classes)).astype(dtype)
    if stored == "float64" or dtype == "float32":
        require_probabilities("", softmax(logits).astype(stored))


def test_smoothed_and_one_hot_rows_are_taken() -> None:
    for dtype in ("float32", "float64"):
        one_hot = np.eye(10, dtype=dtype)
        require_probabilities("", one_hot)
        require_probabilities("", one_hot * np.dtype(dtype).type(0.9) + np.dtype(dtype).type(0.01))


@pytest.mark.parametrize("total", [0.0, 1.5, 0.999, 1 + 1e-5, 1 - 1e-9])
def test_rows_that_miss_1_by_more_than_rounding_are_refused_with_row_and_sum(total: float) -> None:
    targets = np.eye(4)[[0, 3, 2, 1, 1]]
    targets[3] = total * np.array([0.1, 0.2, 0.3, 0.4])
    with pytest.raises(BadInput, match=r"step 7: row 3 of targets sums to .*every row must sum to"):
        require_probabilities("step 7: ", targets)


def test_not_a_number_is_no_sum() -> None:
    with pytest.raises(BadInput, match="row 1 of targets sums to nan"):
        require_probabilities("", np.array([[0.5, 0.5], [np.nan, 1.0]]))


@pytest.mark.parametrize("number", [4, -100, -1])
def test_a_class_out_of_range_is_said(number: int) -> None:
    with pytest.raises(BadInput, match=f"found {number}; classes count from 0"):
        require_classes("", np.array([0, 3, number, 2]), 4)


def test_check_refuses_rounded_probabilities() -> None:
    point = kinked([], dtype="float64")
    with pytest.raises(BadInput, match=r"row 0 of targets sums to 0\.999"):
        check(
            loss_and_gradients,
            parameters=point.parameters,
            x=point.x,
            targets=np.full_like(point.targets, 0.333),
        )


def weighted(targets: Array) -> None:
    targets[0] *= 1.5


def without_label(targets: Array) -> None:
    targets[2] = 0


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (weighted, "step_00001.npz: row 0 of targets sums to 1.5"),
        (without_label, "step_00001.npz: row 2 of targets sums to 0"),
    ],
)
def test_a_dump_with_a_weighted_row_or_one_without_a_label_is_refused(
    tmp_path: Path, spoil: Callable[[Array], None], words: str
) -> None:
    for step in range(2):
        point = kinked([], dtype="float64", seed=step)
        if step:
            spoil(point.targets)
        loss, gradients = point.gradients({})
        arrays: dict[str, Any] = {"loss": loss, "x": point.x, "targets": point.targets}
        arrays |= point.parameters | {f"d{name}": one for name, one in gradients.items()}
        np.savez(tmp_path / f"step_{step:05d}.npz", **arrays)
    with pytest.raises(BadInput) as caught:
        check_dump(tmp_path)
    assert words in str(caught.value) and "\n" not in str(caught.value)

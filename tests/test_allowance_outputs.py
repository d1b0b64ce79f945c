"""What all rows of a batch tell of their softmax is the same however they are cut into blocks."""

from __future__ import annotations

import numpy as np
import pytest

from compare.allowance import Arithmetic
from compare.allowance.batch import Batch
from compare.allowance.dense import Dense
from compare.allowance.head import head_allowances
from compare.allowance.outputs import Outputs
from compare.allowance.shelf import ALIGNED, BOARD, Shelf
from tests.allowed import DTYPES, Array

ROWS, CLASSES = 900, 5
CUTS = [slice(0, 100), slice(100, 101), slice(101, 650), slice(650, ROWS)]


def drawn(dtype: str, scale: float) -> tuple[Batch, Array, Array]:
    """A batch, its logits, and their squared allowances."""
    draw = np.random.default_rng(0)
    logits = (scale * draw.normal(size=(ROWS, CLASSES))).astype(dtype)
    targets = np.eye(CLASSES, dtype=dtype)[draw.integers(0, CLASSES, ROWS)]
    unit = Arithmetic.of(dtype).unit
    square = np.square(unit * draw.random((ROWS, CLASSES)))
    return Batch(draw.random((ROWS, 3)).astype(dtype), targets), logits, square


def in_blocks(batch: Batch, logits: Array, square: Array) -> Outputs:
    arithmetic = Arithmetic.of(logits.dtype)
    spreads = [(rows, Dense(square[rows])) for rows in CUTS]
    return Outputs(arithmetic, batch, Dense, [logits[rows] for rows in CUTS], spreads)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 40.0])
def test_heads_of_blocks_are_that_of_the_whole_batch(scale: float, dtype: str) -> None:
    batch, logits, square = drawn(dtype, scale)
    whole = head_allowances(Arithmetic.of(logits.dtype), logits, batch, square.T)
    outputs = in_blocks(batch, logits, square)
    told = outputs.told()
    heads, losses = zip(*outputs.heads(told), strict=True)
    assert outputs.loss(losses, told) == pytest.approx(whole.loss, rel=1e-9)
    found = np.concatenate([head.dlogits for head in heads], axis=1)
    np.testing.assert_allclose(found, whole.dlogits, rtol=1e-9)


def test_alike_rows_count_whatever_their_block() -> None:
    batch, logits, square = drawn("float64", 1.0)
    logits[[7, 300, 800]] = logits[7]
    weights = in_blocks(batch, logits, square).told().weights
    assert weights is not None and np.flatnonzero(weights == 3).tolist() == [7, 300, 800]


def test_the_output_of_blocks_is_that_of_their_rows() -> None:
    batch, logits, square = drawn("float64", 1.0)
    found = list(in_blocks(batch, logits, square).rows())
    assert np.array_equal(np.concatenate([one.logits for one in found]), logits)
    np.testing.assert_allclose(np.concatenate([one.p for one in found]).sum(axis=1), 1.0)


def test_a_shelf_gives_each_array_a_copy_that_no_other_touches() -> None:
    shelf = Shelf()
    arrays = [np.full((3, n), n, dtype) for n in (1, 50, 7) for dtype in (np.float32, np.float64)]
    kept = [shelf.put(array) for array in [*arrays, arrays[1].T]]
    for array, copy in zip([*arrays, arrays[1].T], kept, strict=True):
        assert np.array_equal(copy, array) and copy.dtype == array.dtype
        assert copy.ctypes.data % ALIGNED == 0 and not np.shares_memory(copy, array)
    assert len(shelf.boards) == 1


def test_an_array_that_does_not_fit_begins_another_board() -> None:
    shelf = Shelf()
    shelf.put(np.zeros(16))
    large = shelf.put(np.ones(BOARD // 4))
    assert len(shelf.boards) == 2 and large.sum() == BOARD // 4

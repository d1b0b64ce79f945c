"""From read pairs to the three splits, by rules that never change.

One pair is shuffled as the assignment does it, one `arange` under seed 521, and cut: more than
16,000 rows into 10,000 / 6,000 / the rest, fewer into 60 / 20 / 20 per cent. Of a training and
a test pair the test pair stays whole, and one sixth of the shuffled training pair validates
(MNIST: 50,000 / 10,000 / 10,000).
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput
from compare.data.dataset import DataSet, Split
from compare.data.features import as_rows
from compare.data.labels import as_numbers, count_classes
from compare.data.raw import Labelled
from compare.data.stored import StoredRows

SEED = 521
LARGE = 16_000


def assemble(name: str, source: str, pairs: list[Labelled]) -> DataSet:
    """Convert, check and split one pair, or a training and a test pair."""
    whole = convert(pairs[0])
    where = pairs[0].labels.where
    classes = count_classes(whole.labels, where)
    count = len(whole.labels)
    if len(pairs) == 1:
        return DataSet(name, source, classes, *cut(whole, split_sizes(count, source)))
    test = convert(pairs[1])
    check_test(test, whole.x.shape[1], classes, pairs[1])
    if count < 6:
        raise BadInput(
            f"{where} has {count} training samples: at least 6 are needed,"
            " since one sixth of them becomes the validation set"
        )
    train, validation = cut(whole, (count - count // 6, count // 6))
    return DataSet(name, source, classes, train, validation, test)


def convert(pair: Labelled) -> Split:
    """Turn a pair into rows and class numbers of equal length."""
    labels, rows = as_numbers(pair.labels), as_rows(pair.images)
    if len(rows) != len(labels):
        raise BadInput(
            f"{pair.images.where} has {len(rows):,} samples and {pair.labels.where} has"
            f" {len(labels):,}: each sample needs exactly one label"
        )
    return Split(rows, labels)


def check_test(test: Split, features: int, classes: int, pair: Labelled) -> None:
    """Hold a given test set against the width and the classes of its training set."""
    if test.x.shape[1] != features:
        raise BadInput(
            f"{pair.images.where} has {test.x.shape[1]} values per sample and the training images"
            f" have {features}: both must have the same size"
        )
    row = np.argmax(test.labels)
    if test.labels[row] >= classes:
        raise BadInput(
            f"{pair.labels.where} has the label {test.labels[row]} at row {row}, counted from 0,"
            f" and the training labels end at {classes - 1}: leave out classes that are not trained"
        )


def split_sizes(count: int, source: str) -> tuple[int, int, int]:
    """Return how many rows train, validate and test."""
    if count < 5:
        raise BadInput(
            f"{source} has {count} samples: at least 5 are needed, three to train, one to validate"
            " and one to test"
        )
    if count > LARGE:
        return 10_000, 6_000, count - LARGE
    return count - 2 * (count // 5), count // 5, count // 5


def shuffled(count: int) -> NDArray[np.int64]:
    """Return the assignment's order of `count` rows."""
    order = np.arange(count)
    # The old generator on purpose: it is the one the assignment shuffles with.
    np.random.RandomState(SEED).shuffle(order)
    return order


def cut(whole: Split, sizes: tuple[int, ...]) -> list[Split]:
    """Shuffle and cut into consecutive splits of the given sizes, which cover all rows."""
    order = np.split(shuffled(len(whole.labels)), np.cumsum(sizes)[:-1])
    numbers = whole.numbers
    return [
        Split(chosen(whole.x, rows), whole.labels[rows], None if numbers is None else numbers[rows])
        for rows in order
    ]


def chosen(x: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return some rows; of those that stay in their file only which they are."""
    if isinstance(x, StoredRows):
        return cast("NDArray[np.float64]", x.of(rows))  # for those who only index it
    return x[rows]

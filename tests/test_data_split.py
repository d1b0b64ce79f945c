"""Which rows train, validate and test: the assignment's shuffle and the sizes of each case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compare.data import DataSet, load
from tests.data_files import classes, pixels, refusal, write_mnist, write_npz


def sizes(data: DataSet) -> list[int]:
    return [len(split.labels) for split in (data.train, data.validation, data.test)]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (5, [3, 1, 1]),
        (9, [7, 1, 1]),
        (100, [60, 20, 20]),
        (10_000, [6_000, 2_000, 2_000]),
        (16_000, [9_600, 3_200, 3_200]),
        (16_001, [10_000, 6_000, 1]),
        (18_724, [10_000, 6_000, 2_724]),
    ],
)
def test_sizes_of_the_three_splits(tmp_path: Path, count: int, expected: list[int]) -> None:
    path = write_npz(tmp_path, images=pixels(count, 1, 1), labels=classes(count))
    assert sizes(load(str(path))) == expected


def test_rows_are_shuffled_as_the_assignment_does_it(tmp_path: Path) -> None:
    """The handout's own lines, with its global generator replaced by its equal."""
    images, labels = pixels(50), classes(50)
    order = np.arange(len(images))
    np.random.RandomState(521).shuffle(order)
    expected = (images[order] / 255.0).reshape(50, -1)
    data = load(str(write_npz(tmp_path, images=images, labels=labels)))
    np.testing.assert_array_equal(data.train.x, expected[:30])
    np.testing.assert_array_equal(data.validation.x, expected[30:40])
    np.testing.assert_array_equal(data.test.x, expected[40:])
    np.testing.assert_array_equal(data.test.labels, labels[order][40:])


def test_two_loads_give_the_same_splits(tmp_path: Path) -> None:
    path = str(write_npz(tmp_path, images=pixels(40), labels=classes(40)))
    np.testing.assert_array_equal(load(path).train.x, load(path).train.x)


def test_a_given_test_set_stays_whole_and_in_order(tmp_path: Path) -> None:
    images, labels = pixels(60), classes(60)
    path = write_npz(
        tmp_path, x_train=images, y_train=labels, x_test=images[7:20], y_test=labels[7:20]
    )
    data = load(str(path))
    assert sizes(data) == [50, 10, 13]
    np.testing.assert_array_equal(data.test.x, images[7:20].reshape(13, -1) / 255)
    np.testing.assert_array_equal(data.test.labels, labels[7:20])


def test_training_and_validation_rows_share_none_and_lose_none(tmp_path: Path) -> None:
    write_mnist(tmp_path, "train", 60)
    write_mnist(tmp_path, "t10k", 12)
    data = load(str(tmp_path))
    together = np.concatenate([data.train.x, data.validation.x])[:, 0] * 255
    assert sorted(np.rint(together).astype(int)) == list(range(60))


def test_too_few_samples_for_three_splits_are_refused(tmp_path: Path) -> None:
    path = write_npz(tmp_path, images=pixels(4), labels=classes(4))
    assert refusal(path) == (
        f"{path} has 4 samples: at least 5 are needed, three to train, one to validate and one"
        " to test"
    )


def test_too_few_training_samples_beside_a_test_set_are_refused(tmp_path: Path) -> None:
    path = write_npz(
        tmp_path, x_train=pixels(5), y_train=classes(5), x_test=pixels(4), y_test=classes(4)
    )
    assert "'y_train'" in refusal(path)
    assert "has 5 training samples: at least 6 are needed" in refusal(path)


def test_a_test_set_of_another_width_is_refused(tmp_path: Path) -> None:
    path = write_npz(
        tmp_path, x_train=pixels(9), y_train=classes(9), x_test=pixels(8, 4), y_test=classes(8)
    )
    assert "has 8 values per sample and the training images have 6" in refusal(path)


def test_a_test_label_that_was_never_trained_is_refused(tmp_path: Path) -> None:
    path = write_npz(
        tmp_path, x_train=pixels(9), y_train=classes(9), x_test=pixels(8), y_test=classes(8, 6)
    )
    assert "array 'y_test'" in refusal(path)
    assert "has the label 5 at row 5, counted from 0, and the training labels end at 3" in refusal(
        path
    )

"""The embedded digits: real, complete, attributed, and split once and for all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import compare.data
from compare.data import load

FOLDER = Path(compare.data.__file__).parent


def test_the_default_is_the_digits_in_their_fixed_split() -> None:
    data = load()
    assert (data.name, data.classes) == ("digits", 10)
    assert [split.x.shape for split in (data.train, data.validation, data.test)] == [
        (1437, 64),
        (180, 64),
        (180, 64),
    ]


def test_every_class_is_in_every_split() -> None:
    data = load("digits")
    for split in (data.train, data.validation, data.test):
        assert set(split.labels.tolist()) == set(range(10))


def test_rows_are_float64_sixteenths_and_labels_int64() -> None:
    for split in (load().train, load().validation, load().test):
        assert split.x.dtype == np.float64
        assert split.labels.dtype == np.int64
        assert split.x.flags.c_contiguous
        assert set(np.unique(split.x * 16)) == set(range(17))


def test_the_splits_hold_the_published_images_once_each() -> None:
    """Totals and class counts of the test part as UCI publishes them; all images differ."""
    data = load()
    x = np.concatenate([data.train.x, data.validation.x, data.test.x])
    labels = np.concatenate([data.train.labels, data.validation.labels, data.test.labels])
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (x * 16).sum() == 561_718
    assert len(np.unique(x, axis=0)) == 1_797


def test_the_split_is_the_documented_shuffle() -> None:
    stored = np.load(FOLDER / "digits.npz")
    order = np.arange(1_797)
    np.random.RandomState(521).shuffle(order)
    expected = stored["images"].reshape(1_797, 64)[order] / 16
    data = load()
    np.testing.assert_array_equal(data.train.x, expected[:1437])
    np.testing.assert_array_equal(data.validation.x, expected[1437:1617])
    np.testing.assert_array_equal(data.test.x, expected[1617:])
    np.testing.assert_array_equal(data.test.labels, stored["labels"][order][1617:])


def test_two_loads_share_no_memory() -> None:
    first, second = load(), load()
    first.train.x[:] = -1
    assert second.train.x.min() == 0


def test_the_attribution_travels_with_the_data() -> None:
    text = (FOLDER / "digits.txt").read_text()
    for words in ("E. Alpaydin", "C. Kaynak", "CC BY 4.0", "https://doi.org/10.24432/C50P49"):
        assert words in load().source
        assert words in text


def test_loading_needs_numpy_only() -> None:
    code = (
        "import sys, compare.data; compare.data.load();"
        "sys.exit(bool({'torch', 'matplotlib', 'rich', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

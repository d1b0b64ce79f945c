"""What images and labels may contain: the accepted forms, and each refusal by its words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare.data import load
from tests.data_files import classes, pixels, refusal, write_npz

N = 20
PLAIN = classes(N).astype(np.int64)


def labels_of(folder: Path, labels: Any) -> NDArray[np.int64]:
    """Load `labels` and return them in the order they were written."""
    data = load(str(write_npz(folder, x=np.arange(float(N))[:, None], y=labels)))
    rows = np.concatenate([split.x[:, 0] for split in (data.train, data.validation, data.test)])
    found = np.concatenate([s.labels for s in (data.train, data.validation, data.test)])
    ordered: NDArray[np.int64] = found[np.argsort(rows)]
    return ordered


@pytest.mark.parametrize(
    "labels",
    [
        PLAIN,
        PLAIN.astype(np.uint8),
        PLAIN.astype(">i2"),
        PLAIN.astype(np.float32),
        PLAIN[:, None],
        np.eye(4)[PLAIN],
        np.eye(4, dtype=np.uint8)[PLAIN],
        np.eye(4, dtype=bool)[PLAIN],
        np.array(list("ABCD"))[PLAIN],
        np.array(list("ABCD"))[PLAIN][:, None],
        np.array([b"A", b"B", b"C", b"D"])[PLAIN],
        np.array(list("ABCD"), dtype="U7")[PLAIN],
    ],
    ids=lambda labels: f"{labels.dtype}{labels.shape[1:]}",
)
def test_one_set_of_labels_in_every_accepted_form(tmp_path: Path, labels: NDArray[Any]) -> None:
    np.testing.assert_array_equal(labels_of(tmp_path, labels), PLAIN)


def test_truth_values_are_two_classes(tmp_path: Path) -> None:
    np.testing.assert_array_equal(labels_of(tmp_path, PLAIN % 2 == 1), PLAIN % 2)


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "int16", ">i4", "int64", "float16", ">f4", "float64", "longdouble"]
)
def test_numbers_other_than_uint8_are_taken_as_they_are(tmp_path: Path, dtype: str) -> None:
    x = (np.arange(N * 3).reshape(N, 3) % 2).astype(dtype)
    data = load(str(write_npz(tmp_path, x=x, y=PLAIN)))
    assert data.train.x.dtype == np.float64
    assert data.train.x.max() == 1


def test_uint8_is_divided_by_255_and_flattened_in_c_order(tmp_path: Path) -> None:
    images = np.asfortranarray(pixels(N, 3, 2))
    data = load(str(write_npz(tmp_path, images=images, labels=PLAIN)))
    whole = np.concatenate([data.train.x, data.validation.x, data.test.x])
    expected = pixels(N, 3, 2).reshape(N, 6) / 255
    np.testing.assert_array_equal(whole[np.argsort(whole[:, 0])], expected)
    assert data.train.x.flags.c_contiguous


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.array(3), "has shape (): labels need shape (samples,), or (samples, classes)"),
        (np.zeros((N, 2, 2)), "has shape (20, 2, 2): labels need shape (samples,)"),
        (np.zeros(0), "has shape (0,): labels need shape"),
        (np.zeros((N, 0)), "has shape (20, 0): labels need shape"),
        (np.ones((N, 3)), "has shape (20, 3) and is not one-hot at row 0, counted from 0: each"),
        (np.eye(4)[PLAIN] * 0.5, "has shape (20, 4) and is not one-hot at row 0"),
        (np.eye(4)[PLAIN] - np.eye(4)[2], "has shape (20, 4) and is not one-hot at row 0"),
        (np.where(np.arange(N) == 7, -1, PLAIN), "has the label -1 at row 7, counted from 0"),
        (np.where(np.arange(N) == 5, 2.5, PLAIN), "has the label 2.5 at row 5"),
        (np.where(np.arange(N) == 5, np.nan, PLAIN), "has the label nan at row 5"),
        (np.where(np.arange(N) == 5, np.inf, PLAIN), "has the label inf at row 5"),
        (np.where(np.arange(N) == 9, 2**40, PLAIN), "has the label 1099511627776 at row 9"),
        (PLAIN.astype(np.uint64) + np.uint64(2**63), "has the label 9223372036854775808 at row 0"),
        (np.full(N, np.finfo(np.longdouble).max), "has the label "),
        (PLAIN + 1, "has labels up to 4 but none is 0: number the K classes from 0 to K-1"),
        (np.where(PLAIN == 2, 5, PLAIN), "has labels up to 5 but none is 2"),
        (np.where(PLAIN < 2, 3, 7), "has labels up to 7 but none is 0"),
        (np.full(N, 3), "has one class only (every label is 3)"),
        (np.array(["A"] * N), "has one class only (every label is 0)"),
        (np.array(["cat", "dog"] * 10), "has something else than a single capital letter at row 0"),
        (np.array(["A", "b"] * 10), "has something else than a single capital letter at row 1"),
        (np.array(["A", ""] * 10), "has something else than a single capital letter at row 1"),
        (np.array([["A", "B"]] * N), "has values of type <U1: labels must be whole numbers"),
        (PLAIN.astype(complex), "has values of type complex128: labels must be whole numbers"),
        (PLAIN.astype("M8[s]"), "has values of type datetime64[s]: labels must be"),
    ],
)
def test_labels_are_refused_by_name_and_reason(tmp_path: Path, labels: Any, words: str) -> None:
    path = write_npz(tmp_path, images=pixels(N), labels=labels)
    sentence = refusal(path)
    assert sentence.startswith(f"array 'labels' of {path} {words}")


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.array(3.0), "has shape (): images need one non-empty row for each sample"),
        (np.ones(N), "has shape (20,): images need one non-empty row for each sample"),
        (np.ones((0, 5)), "has shape (0, 5): images need one non-empty row"),
        (np.ones((N, 0)), "has shape (20, 0): images need one non-empty row"),
        (np.ones((N, 2), complex), "has values of type complex128: images must be real numbers"),
        (np.full((N, 2), "a"), "has values of type <U1: images must be real numbers"),
        (np.zeros((N, 2), "m8[s]"), "has values of type timedelta64[s]: images must be real"),
        (np.zeros((N, 2), "i4,f8"), "has values of type [('f0', '<i4'), ('f1', '<f8')]: images"),
        (np.full((N, 2), np.nan), "holds nan at row 0, value 0, counted from 0 (40 such in all)"),
    ],
)
def test_images_are_refused_by_name_and_reason(tmp_path: Path, images: Any, words: str) -> None:
    path = write_npz(tmp_path, images=images, labels=PLAIN)
    sentence = refusal(path)
    assert sentence.startswith(f"array 'images' of {path} {words}")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_found_where_it_is(tmp_path: Path, value: float) -> None:
    images = np.zeros((N, 3, 2))
    images[13, 2, 1] = value
    sentence = refusal(write_npz(tmp_path, images=images, labels=PLAIN))
    assert f"holds {value} at row 13, value 5, counted from 0 (1 such in all): remove" in sentence


@pytest.mark.skipif(
    np.finfo(np.longdouble).max == np.finfo(np.float64).max,
    reason="long double is no wider than float64 on this machine",
)
def test_a_long_double_beyond_float64_is_refused(tmp_path: Path) -> None:
    images = np.full((N, 2), np.finfo(np.longdouble).max)
    path = write_npz(tmp_path, images=images, labels=PLAIN)
    assert f"array 'images' of {path} holds inf at row 0, value 0" in refusal(path)


def test_unequal_lengths_are_refused_with_both_numbers(tmp_path: Path) -> None:
    path = write_npz(tmp_path, images=pixels(N), labels=PLAIN[:-1])
    assert refusal(path) == (
        f"array 'images' of {path} has 20 samples and array 'labels' of {path} has 19:"
        " each sample needs exactly one label"
    )

"""Reading MNIST's IDX files and folders of them, and what is said when they are not right."""

from __future__ import annotations

import gzip
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from compare.data import load
from tests.data_files import classes, idx_bytes, pixels, refusal, write_idx, write_mnist

N = 20
IMAGES = "t10k-images-idx3-ubyte"
LABELS = "t10k-labels-idx1-ubyte"


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_an_images_file_finds_its_labels(tmp_path: Path, ending: str) -> None:
    path = write_mnist(tmp_path, "t10k", N, ending)
    data = load(str(path))
    assert (data.name, data.source, data.classes) == (path.name, str(path), 4)
    assert [s.x.shape for s in (data.train, data.validation, data.test)] == [
        (12, 6),
        (4, 6),
        (4, 6),
    ]
    assert data.train.x.max() <= 1


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_folder_with_one_pair_equals_the_file(tmp_path: Path, ending: str) -> None:
    path = write_mnist(tmp_path, "t10k", N, ending)
    np.testing.assert_array_equal(load(str(tmp_path)).train.x, load(str(path)).train.x)
    assert load(str(tmp_path)).name == tmp_path.name


@pytest.mark.parametrize("test", ["t10k", "test"])
def test_a_folder_with_both_parts_keeps_the_test_set(tmp_path: Path, test: str) -> None:
    write_mnist(tmp_path, "train", 60, ".gz")
    write_mnist(tmp_path, test, N, ".gz")
    (tmp_path / "README.md").write_text("beside the data")
    data = load(str(tmp_path))
    assert [len(s.labels) for s in (data.train, data.validation, data.test)] == [50, 10, N]


def test_of_packed_and_unpacked_copies_the_unpacked_is_read(tmp_path: Path) -> None:
    write_mnist(tmp_path, "t10k", N + 10, ".gz")
    write_mnist(tmp_path, "t10k", N)
    assert load(str(tmp_path)).train.x.shape == (12, 6)


def test_packed_labels_beside_unpacked_images_are_found(tmp_path: Path) -> None:
    write_idx(tmp_path / f"{LABELS}.gz", classes(N))
    path = write_idx(tmp_path / IMAGES, pixels(N))
    assert load(str(path)).classes == 4


def test_the_dotted_names_of_some_mirrors_are_understood(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-labels.idx1-ubyte", classes(N))
    write_idx(tmp_path / "train-images.idx3-ubyte", pixels(N))
    assert load(str(tmp_path)).classes == 4


def test_a_gzip_file_is_known_by_its_content(tmp_path: Path) -> None:
    write_mnist(tmp_path, "t10k", N, ".gz").rename(tmp_path / IMAGES)
    assert load(str(tmp_path / IMAGES)).classes == 4


@pytest.mark.parametrize("kind", ["i1", ">i2", ">i4", ">f4", ">f8"])
def test_every_type_of_the_format_is_read_as_it_is(tmp_path: Path, kind: str) -> None:
    values = np.arange(N * 6).reshape(N, 6)
    write_idx(tmp_path / LABELS, classes(N), ">i4")
    data = load(str(write_idx(tmp_path / IMAGES, values, kind)))
    whole = np.concatenate([data.train.x, data.validation.x, data.test.x])
    np.testing.assert_array_equal(np.sort(whole, axis=0), values)


def test_a_missing_path_is_named() -> None:
    assert refusal("no/such/file.npz") == (
        "no/such/file.npz cannot be read (No such file or directory):"
        " check the path and its permissions"
    )


def test_a_path_beyond_the_systems_limits_is_refused() -> None:
    assert "cannot be read (File name too long)" in refusal("x" * 5000)


@pytest.mark.parametrize("method", ["open", "stat", "iterdir"])
def test_missing_permission_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """By force, since permissions do not bind a superuser running the tests."""
    path = write_mnist(tmp_path, "t10k", N)

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, method, refuse)
    path = tmp_path if method == "iterdir" else path
    assert refusal(path) == (
        f"{path} cannot be read (Permission denied): check the path and its permissions"
    )


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert refusal(path) == f"{path} is neither a file nor a folder: give one of the two"


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (
        f"{tmp_path} holds no files: give a folder of MNIST's files, or an .npz file"
    )


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "A.png").write_bytes(b"\x89PNG")
    assert f"{tmp_path} holds no images file in MNIST's format" in refusal(tmp_path)


def test_a_folder_with_several_sets_is_ambiguous(tmp_path: Path) -> None:
    for part in ("letters-train", "letters-test", "digits-train"):
        write_mnist(tmp_path, part, N)
    assert "not one training and one test file (digits-train-images-idx3-ubyte, " in (
        refusal(tmp_path)
    )


def test_missing_labels_are_named(tmp_path: Path) -> None:
    path = write_idx(tmp_path / f"{IMAGES}.gz", pixels(N))
    assert refusal(path) == (
        f"{path} has no labels file beside it: put {LABELS} or {LABELS}.gz into the same folder"
    )


def test_a_labels_file_given_for_the_images_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, "t10k", N)
    sentence = refusal(tmp_path / LABELS)
    assert "has no 'images' in its name, so its labels cannot be found: give the images" in sentence


def test_labels_stored_as_images_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / LABELS, classes(N))
    path = write_idx(tmp_path / IMAGES, classes(N))
    assert refusal(path).startswith(f"{path} has shape (20,): images need one non-empty row")


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_an_empty_file_is_called_empty(tmp_path: Path, name: str) -> None:
    write_mnist(tmp_path, "t10k", N)
    (tmp_path / name).write_bytes(b"")
    assert refusal(tmp_path / IMAGES) == (
        f"{tmp_path / name} is an empty file: copy or download it again"
    )


@pytest.mark.parametrize(
    ("content", "magic"),
    [
        (b"hello, world", "68 65 6c 6c"),
        (b"\x00\x00\x07\x03" + bytes(20), "00 00 07 03"),
        (b"\x00\x00\x08\x00" + bytes(20), "00 00 08 00"),
        (b"\x93NUMPY", "93 4e 55 4d"),
        (b"a", "61"),
    ],
)
def test_another_format_is_refused_with_its_first_bytes(
    tmp_path: Path, content: bytes, magic: str
) -> None:
    path = tmp_path / IMAGES
    path.write_bytes(content)
    assert refusal(path) == (
        f"{path} is neither an .npz file nor in MNIST's IDX format (it begins with the bytes"
        f" {magic}): give an .npz file, an images file or a folder"
    )


def test_gzip_by_name_only_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, "t10k", N)
    path = (tmp_path / IMAGES).rename(tmp_path / f"{IMAGES}.gz")
    assert refusal(path).startswith(f"{path} is not gzip although its name ends in .gz: take .gz")


def test_truncated_gzip_is_called_cut_short(tmp_path: Path) -> None:
    path = write_mnist(tmp_path, "t10k", N, ".gz")
    path.write_bytes(path.read_bytes()[:-20])
    assert refusal(path) == f"{path} is damaged or cut short: copy or download it again"


def test_a_header_cut_short_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / IMAGES
    path.write_bytes(idx_bytes(pixels(N))[:10])
    assert refusal(path) == f"{path} is cut short inside its header: copy or download it again"


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_fewer_values_than_promised_are_counted(tmp_path: Path, ending: str) -> None:
    path = write_mnist(tmp_path, "t10k", N, ending)
    content = idx_bytes(pixels(N))[:-9]
    path.write_bytes(gzip.compress(content) if ending else content)
    assert refusal(path) == (
        f"{path} is damaged or cut short: its header promises 120 bytes of values"
        " and only 111 follow; copy or download it again"
    )


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_more_values_than_promised_are_refused(tmp_path: Path, ending: str) -> None:
    path = write_mnist(tmp_path, "t10k", N, ending)
    content = idx_bytes(pixels(N)) + b"\0"
    path.write_bytes(gzip.compress(content) if ending else content)
    assert "its header promises 120 bytes of values and more follow" in refusal(path)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("shape", [(2**31, 28, 28), (2**32 - 1,) * 255])
def test_a_header_that_promises_billions_allocates_nothing(
    tmp_path: Path, ending: str, shape: tuple[int, ...]
) -> None:
    path = write_mnist(tmp_path, "t10k", N, ending)
    content = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes() + bytes(100)
    path.write_bytes(gzip.compress(content) if ending else content)
    assert "is damaged or cut short: its header promises" in refusal(path)
    assert "can be there; copy or download it again" in refusal(path)


def test_more_dimensions_than_numpy_has_are_damage(tmp_path: Path) -> None:
    path = write_mnist(tmp_path, "t10k", N)
    path.write_bytes(bytes([0, 0, 8, 70]) + np.ones(70, ">u4").tobytes() + b"\0")
    assert refusal(path) == f"{path} is damaged or cut short: copy or download it again"


def test_more_values_than_fit_into_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.data.raw.LARGEST", 100)
    path = write_mnist(tmp_path, "t10k", N)
    assert refusal(path).startswith(f"{path} holds 120 values and at most 100 are read")


def test_unequal_lengths_name_both_files(tmp_path: Path) -> None:
    path = write_mnist(tmp_path, "t10k", N)
    labels = write_idx(tmp_path / LABELS, classes(N - 1))
    assert refusal(path).startswith(f"{path} has 20 samples and {labels} has 19: each sample")


def test_a_label_out_of_range_names_the_labels_file(tmp_path: Path) -> None:
    path = write_mnist(tmp_path, "t10k", N)
    labels = write_idx(tmp_path / LABELS, np.where(np.arange(N) == 3, 200, classes(N)))
    assert refusal(path).startswith(f"{labels} has labels up to 200 but none is 4: number the K")

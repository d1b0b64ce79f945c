"""Reading .npz files: the keys that are understood, and files that are not what they claim."""

from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest

from compare.data import load
from tests.data_files import classes, pixels, refusal, write_idx, write_mnist, write_npz

N = 20


class Trap:
    """An object that leaves a trace when it is unpickled."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.trace, "w")


def write_member(path: Path, header: str, body: bytes = b"") -> Path:
    """Write an archive whose `images` begin with a header of our own making."""
    text = header.encode("latin1")
    magic = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little")
    labels = io.BytesIO()
    np.save(labels, classes(N))
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", magic + text + body)
        archive.writestr("labels.npy", labels.getvalue())
    return path


def header(shape: str, descr: str = "|u1") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"


@pytest.mark.parametrize("images", ["images", "IMAGES", "Images", "x", "X", "features", "data"])
@pytest.mark.parametrize("labels", ["labels", "LABELS", "y", "Y", "targets", "target"])
def test_keys_are_understood_in_any_case(tmp_path: Path, images: str, labels: str) -> None:
    path = write_npz(tmp_path, **{images: pixels(N), labels: classes(N)})
    data = load(str(path))
    assert (data.name, data.source, data.classes) == ("data.npz", str(path), 4)
    assert data.train.x.shape == (12, 6)


@pytest.mark.parametrize(
    "keys",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_train_and_test_keys_keep_the_test_set(tmp_path: Path, keys: tuple[str, ...]) -> None:
    arrays = (pixels(N), classes(N), pixels(8), classes(8))
    data = load(str(write_npz(tmp_path, **dict(zip(keys, arrays, strict=True)))))
    assert [len(s.labels) for s in (data.train, data.validation, data.test)] == [17, 3, 8]


def test_only_a_training_pair_is_split_in_three(tmp_path: Path) -> None:
    data = load(str(write_npz(tmp_path, x_train=pixels(N), y_train=classes(N))))
    assert [len(s.labels) for s in (data.train, data.validation, data.test)] == [12, 4, 4]


def test_other_keys_are_ignored_even_if_they_need_pickle(tmp_path: Path) -> None:
    names = np.array([{"A": 1}], dtype=object)
    path = write_npz(tmp_path, images=pixels(N), labels=classes(N), class_names=names)
    assert load(str(path)).train.x.shape == (12, 6)


def test_compressed_files_and_files_without_the_suffix_load(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, images=pixels(N), labels=classes(N))
    renamed = path.rename(tmp_path / "notMNIST")
    assert load(str(renamed)).train.x.shape == (12, 6)


def test_a_header_written_by_python_2_loads_without_a_warning(tmp_path: Path) -> None:
    path = write_member(tmp_path / "old.npz", header("(20L, 3L, 2L)"), pixels(N).tobytes())
    assert load(str(path)).train.x.shape == (12, 6)


def test_missing_labels_are_named_with_the_keys_there_are(tmp_path: Path) -> None:
    path = write_npz(tmp_path, images=pixels(N), classes=classes(N))
    assert refusal(path) == (
        f"{path} holds no array of labels (its keys: images, classes):"
        " save exactly one under the key labels or y or targets or target"
    )


def test_missing_images_are_named_with_the_keys_there_are(tmp_path: Path) -> None:
    path = write_npz(tmp_path, pictures=pixels(N), y=classes(N))
    assert f"{path} holds no array of images (its keys: pictures, y)" in refusal(path)


def test_missing_test_labels_are_named(tmp_path: Path) -> None:
    path = write_npz(tmp_path, x_train=pixels(N), y_train=classes(N), x_test=pixels(N))
    assert "no array of labels" in refusal(path)
    assert "under the key labels_test or y_test" in refusal(path)


def test_an_archive_without_arrays_has_no_keys(tmp_path: Path) -> None:
    path = tmp_path / "empty.npz"
    with ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "holds no array of images (its keys: none)" in refusal(path)


@pytest.mark.parametrize(("first", "second"), [("images", "IMAGES"), ("x", "images")])
def test_two_candidates_for_the_images_are_ambiguous(
    tmp_path: Path, first: str, second: str
) -> None:
    path = write_npz(tmp_path, **{first: pixels(N), second: pixels(N), "y": classes(N)})
    assert f"more than one array of images (its keys: {first}, {second}, y)" in refusal(path)


def test_two_candidates_for_the_labels_are_ambiguous(tmp_path: Path) -> None:
    path = write_npz(tmp_path, x=pixels(N), y=classes(N), target=classes(N))
    assert "more than one array of labels (its keys: x, y, target)" in refusal(path)


def test_whole_and_training_arrays_side_by_side_are_ambiguous(tmp_path: Path) -> None:
    path = write_npz(tmp_path, x=pixels(N), y=classes(N), x_train=pixels(N), y_train=classes(N))
    assert "both with and without 'train' or 'test' in their keys (x, y, x_train" in refusal(path)


@pytest.mark.parametrize("key", ["images", "labels"])
def test_object_arrays_are_refused_and_never_unpickled(tmp_path: Path, key: str) -> None:
    trace = tmp_path / "trace"
    trap = np.array([Trap(str(trace))] * N, dtype=object)
    path = write_npz(tmp_path, **{"images": pixels(N), "labels": classes(N), key: trap})
    assert f"array '{key}' of {path} is an array of Python objects, which could run code" in (
        refusal(path)
    )
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"hello, world", b"\x1f\x8b\x08\x00", pickle.dumps([1, 2])])
def test_what_is_no_zip_is_no_npz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fake.npz"
    path.write_bytes(content)
    assert refusal(path) == (
        f"{path} is not an .npz file although its name ends in .npz:"
        " save it with numpy.savez(path, images=..., labels=...)"
    )


def test_an_empty_npz_is_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "nothing.npz"
    path.touch()
    assert refusal(path) == f"{path} is an empty file: copy or download it again"


def test_a_truncated_npz_is_called_cut_short(tmp_path: Path) -> None:
    path = write_npz(tmp_path, images=pixels(N), labels=classes(N))
    path.write_bytes(path.read_bytes()[:-30])
    assert refusal(path) == f"{path} is damaged or cut short: copy or download it again"


def test_a_flipped_byte_in_the_values_is_noticed(tmp_path: Path) -> None:
    path = write_npz(tmp_path, images=pixels(N), labels=classes(N))
    content = path.read_bytes()
    where = content.index(pixels(N).tobytes())
    path.write_bytes(content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :])
    assert refusal(path).startswith(f"array 'images' of {path} is damaged or cut short")


def test_a_member_that_is_no_array_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "text.npz"
    with ZipFile(path, "w") as archive:
        archive.writestr("images.npy", "hello")
        archive.writestr("labels.npy", "hello")
    assert refusal(path).startswith(f"array 'images' of {path} is damaged or cut short")


@pytest.mark.parametrize("shape", ["(100000000000, 784)", "(21, 3, 2)", "(4294967296, 4294967296)"])
def test_a_header_that_promises_more_than_there_is_allocates_nothing(
    tmp_path: Path, shape: str
) -> None:
    path = write_member(tmp_path / "bomb.npz", header(shape), bytes(120))
    assert "array 'images'" in refusal(path)
    assert "is damaged or cut short: its header promises" in refusal(path)
    assert "at most 120 can be there" in refusal(path)


def test_an_archive_cannot_lie_about_its_own_size(tmp_path: Path) -> None:
    """The zip directory repeats the header's lie; the size of the file does not."""
    path = write_member(tmp_path / "bomb.npz", header("(2000000000,)"), bytes(120))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + 20 : entry + 28] = (2_000_000_200).to_bytes(4, "little") * 2
    path.write_bytes(content)
    said = refusal(path)
    assert "is damaged or cut short" in said
    if sys.version_info < (3, 13):  # later ones see that the member would reach into the directory
        assert "promises 2,000,000,000 bytes of values" in said


@pytest.mark.parametrize("shape", ["(-1, 6)", "(-20, -6)", "(20.0, 6)", "20", "(20, 6"])
def test_impossible_shapes_are_damage(tmp_path: Path, shape: str) -> None:
    path = write_member(tmp_path / "odd.npz", header(shape), bytes(120))
    assert refusal(path).startswith(f"array 'images' of {path} is damaged or cut short")


def test_more_values_than_fit_into_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.data.raw.LARGEST", 100)
    path = write_npz(tmp_path, images=pixels(N), labels=classes(N))
    assert "holds 120 values and at most 100 are read: save a part of it" in refusal(path)


@pytest.mark.parametrize("packed", ["npz", "gz"])
def test_what_was_made_to_fill_the_memory_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: str
) -> None:
    images, labels = np.zeros((4000, 20, 20), np.uint8), classes(4000)
    if packed == "npz":
        path = tmp_path / "data.npz"
        np.savez_compressed(path, images=images, labels=labels)
    else:
        path = write_mnist(tmp_path, "train", 4000, ".gz")
        write_idx(path, images)
    assert load(str(path)).classes == 4
    monkeypatch.setattr("compare.data.raw.MODEST", 1_000_000)
    assert "would unpack to 1,600,000 bytes from" in refusal(path)

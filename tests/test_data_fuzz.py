"""Whatever bytes a data file holds, loading ends in data or in one `BadInput`, nothing else."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compare.contracts.errors import BadInput
from compare.data import load
from tests.data_files import classes, idx_bytes, pixels, refusal

N = 12
IMAGES = "t10k-images-idx3-ubyte"
LABELS = "t10k-labels-idx1-ubyte"
STARTS = [b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08\0", b"\0\0\x08\x03", b"\0\0\x0d\x02"]
NAMES = ["data.npz", IMAGES, f"{IMAGES}.gz"]


def npz_bytes(compressed: bool) -> bytes:
    stream = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(stream, images=pixels(N), labels=classes(N))
    return stream.getvalue()


VALID = {
    "plain.npz": npz_bytes(compressed=False),
    "deflated.npz": npz_bytes(compressed=True),
    IMAGES: idx_bytes(pixels(N)),
    f"{IMAGES}.gz": gzip.compress(idx_bytes(pixels(N)), mtime=0),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the labels of the images files are already there, and valid."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / LABELS).write_bytes(idx_bytes(classes(N)))
    return folder


def loads(path: Path, content: bytes) -> bool:
    """Say whether `content` loads as finite rows or ends in `BadInput`."""
    path.write_bytes(content)
    try:
        data = load(str(path))
    except BadInput as error:
        assert str(error)
        return False
    assert np.isfinite(data.train.x).all()
    assert len(data.train.labels)
    return True


@pytest.mark.parametrize("name", VALID)
def test_the_undamaged_files_load(folder: Path, name: str) -> None:
    assert loads(folder / name, VALID[name])


@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=200), name=st.sampled_from(NAMES))
def test_random_bytes_are_data_or_bad_input(
    folder: Path, start: bytes, rest: bytes, name: str
) -> None:
    loads(folder / name, start + rest)


@pytest.mark.parametrize("name", VALID)
def test_no_truncation_loads(folder: Path, name: str) -> None:
    path = folder / name
    for length in range(len(VALID[name])):
        path.write_bytes(VALID[name][:length])
        refusal(path)


@pytest.mark.parametrize("name", VALID)
@given(draw=st.data())
def test_changed_bytes_are_data_or_bad_input(folder: Path, name: str, draw: st.DataObject) -> None:
    content = bytearray(VALID[name])
    places = st.integers(0, len(content) - 1)
    for place, byte in draw.draw(st.dictionaries(places, st.integers(0, 255), max_size=4)).items():
        content[place] = byte
    loads(folder / name, bytes(content))


@given(changes=st.dictionaries(st.integers(0, 127), st.integers(0, 255), max_size=3))
def test_a_changed_array_header_is_data_or_bad_input(folder: Path, changes: dict[int, int]) -> None:
    """The archive around it is sound: no checksum guards the header against its writer."""
    images, labels, archive = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(images, pixels(N))
    np.save(labels, classes(N))
    content = bytearray(images.getvalue())
    for place, byte in changes.items():
        content[place] = byte
    with ZipFile(archive, "w") as members:
        members.writestr("images.npy", bytes(content))
        members.writestr("labels.npy", labels.getvalue())
    loads(folder / "header.npz", archive.getvalue())


@given(content=st.binary(max_size=60))
def test_random_labels_are_data_or_bad_input(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("labels")
    (folder / LABELS).write_bytes(b"\0\0\x08\x01\0\0\0" + content)
    loads(folder / IMAGES, VALID[IMAGES])

"""MNIST's IDX format: a big-endian header, then the values; gzipped or not.

What memory has no room for is left in its file and read as it is needed, unless it is gzipped.

Layout: two zero bytes, a type code, the number of dimensions, each dimension as four bytes,
then the values in C order (http://yann.lecun.com/exdb/mnist/). Images and labels are two
files, tied by their names: train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz.
"""

from __future__ import annotations

import gzip
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput
from compare.data.memory import fits
from compare.data.raw import (
    DEFLATE_LIMIT,
    Labelled,
    Raw,
    check_memory,
    check_not_empty,
    check_packing,
    check_promise,
    mapped,
    reading,
)

GZIP = b"\x1f\x8b"
TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}


def read_idx_pair(images: Path) -> Labelled:
    """Read an images file and the labels file beside it."""
    values = read_idx(images)
    labels = labels_beside(images)
    return Labelled(Raw(values, str(images)), Raw(read_idx(labels), str(labels)))


def labels_beside(images: Path) -> Path:
    """Find the labels of an images file by name, packed or not."""
    plain = images.name.removesuffix(".gz")
    if "images" not in plain:
        raise BadInput(
            f"{images} has no 'images' in its name, so its labels cannot be found: give the images"
            " file of a pair named like train-images-idx3-ubyte and train-labels-idx1-ubyte"
        )
    name = plain.replace("images", "labels").replace("idx3", "idx1")
    for beside in (images.with_name(name), images.with_name(name + ".gz")):
        if beside.is_file():
            return beside
    raise BadInput(
        f"{images} has no labels file beside it: put {name} or {name}.gz into the same folder"
    )


def read_idx(path: Path) -> NDArray[Any]:
    """Read one IDX file; raises `BadInput` where size and header do not agree."""
    where = str(path)
    with reading(where), path.open("rb") as file:
        check_not_empty(path)
        packed = is_packed(file, where)
        stream: BufferedIOBase = gzip.GzipFile(fileobj=file) if packed else file
        dtype, shape = read_header(stream, where)
        size = prod(shape) * dtype.itemsize
        room = path.stat().st_size * (DEFLATE_LIMIT if packed else 1)
        stays = not packed and not fits(2 * size)
        check_promise(prod(shape), size, room, where, mapped=stays)
        if packed:
            check_packing(size, path.stat().st_size, where)
            check_memory(size, where, f"gunzip --keep {path.name}")
        start = stream.tell()
        length = path.stat().st_size - start if stays else len(body := stream.read(size + 1))
        if length != size:
            found = f"only {length:,} follow" if length < size else "more follow"
            raise BadInput(
                f"{where} is damaged or cut short: its header promises {size:,} bytes of values"
                f" and {found}; copy or download it again"
            )
        return (
            mapped(path, dtype, shape, start)
            if stays
            else np.frombuffer(body, dtype).reshape(shape)
        )


def is_packed(file: BufferedIOBase, where: str) -> bool:
    """Say whether the file is gzip; one that only its name says is gzip is refused."""
    start = file.read(2)
    file.seek(0)
    if where.endswith(".gz") and start != GZIP:
        raise BadInput(
            f"{where} is not gzip although its name ends in .gz: take .gz off its name if it is"
            " unpacked already, or download it again"
        )
    return start == GZIP


def read_header(stream: BufferedIOBase, where: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the type and the shape that the header promises."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or magic[3] == 0:
        raise BadInput(
            f"{where} is neither an .npz file nor in MNIST's IDX format (it begins with the bytes"
            f" {magic.hex(' ')}): give an .npz file, an images file or a folder"
        )
    dimensions = stream.read(4 * magic[3])
    if len(dimensions) < 4 * magic[3]:
        raise BadInput(f"{where} is cut short inside its header: copy or download it again")
    return TYPES[magic[2]], tuple(np.frombuffer(dimensions, ">u4").tolist())

"""NumPy's .npz: a zip archive of arrays, images and labels found by their keys.

Keys count in any case: `images` and `labels` (the assignment's notMNIST.npz), `X` and `y`,
`x_train`, `y_train`, `x_test`, `y_test`, ... Other keys are ignored. Nothing is unpickled, and
nothing is allocated before the header has been held against the size of the file. Arrays that
memory has no room for are left in the file, unless they are compressed.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from struct import Struct
from typing import Any
from warnings import catch_warnings, simplefilter
from zipfile import ZIP_STORED, ZipFile, ZipInfo

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

IMAGES = ("images", "x", "features", "data", "inputs")
LABELS = ("labels", "y", "targets", "target")
PARTS = ("train", "test")
ZIP = b"PK"
LOCAL = Struct("<26xHH")
"""The header before every member: it ends in the lengths of the name and of the extra field."""
PIECE = 2**20
UNPACK = "unzip {0} -d unpacked && cd unpacked && zip -0 ../stored.npz *.npy"
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    # 3.0 differs only in the names of structured fields, and those are no plain numbers.
    (3, 0): np.lib.format.read_array_header_2_0,
}


def read_npz(path: Path) -> list[Labelled]:
    """Return one pair, to be split, or two: training and test."""
    with reading(str(path)), path.open("rb") as file:
        check_not_empty(path)
        if file.read(2) != ZIP:
            raise BadInput(
                f"{path} is not an .npz file although its name ends in .npz:"
                " save it with numpy.savez(path, images=..., labels=...)"
            )
        with ZipFile(file) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            return [read_pair(archive, members, part, path) for part in parts(members, path)]


def parts(members: list[ZipInfo], path: Path) -> list[str]:
    """Say which parts the keys name: the whole (""), "train", "test" or these two."""
    named = {part_and_role(info)[0] for info in members if part_and_role(info)[1]}
    if named == set(PARTS):
        return list(PARTS)
    if len(named) > 1:
        raise BadInput(
            f"{path} holds images or labels both with and without 'train' or 'test' in their keys"
            f" ({keys(members)}): save the wanted pair as images and labels in a file of its own"
        )
    return list(named or {""})


def part_and_role(info: ZipInfo) -> tuple[str, str]:
    """Read a key: ("train", "images") for X_train, ("", "labels") for Y, role "" for others."""
    words = key(info).lower().split("_")
    part = next((word for word in words if word in PARTS), "")
    name = "_".join(word for word in words if word != part)
    return part, "images" if name in IMAGES else "labels" if name in LABELS else ""


def read_pair(archive: ZipFile, members: list[ZipInfo], part: str, path: Path) -> Labelled:
    """Read the images and labels of one part."""

    def find(role: str, names: tuple[str, ...]) -> Raw:
        found = [info for info in members if part_and_role(info) == (part, role)]
        if len(found) == 1:
            return read_member(archive, found[0], path)
        wanted = " or ".join(f"{name}_{part}" if part else name for name in names)
        problem = f"more than one array of {role}" if found else f"no array of {role}"
        raise BadInput(
            f"{path} holds {problem} (its keys: {keys(members)}):"
            f" save exactly one under the key {wanted}"
        )

    return Labelled(find("images", IMAGES), find("labels", LABELS))


def read_member(archive: ZipFile, info: ZipInfo, path: Path) -> Raw:
    """Read one array, once its header has proved modest, plain and true to the size."""
    where = f"array '{key(info)}' of {path}"
    with reading(where), catch_warnings():
        # Headers written by Python 2 make NumPy warn about the time they take, twice.
        simplefilter("ignore")
        with archive.open(info) as stream:
            shape, by_columns, dtype = HEADERS[np.lib.format.read_magic(stream)](stream)
            start = stream.tell()
        if dtype.hasobject:
            raise BadInput(
                f"{where} is an array of Python objects, which could run code when it is read:"
                " convert it to plain numbers before saving it"
            )
        room = min(info.file_size, DEFLATE_LIMIT * path.stat().st_size) - start
        size = prod(shape) * dtype.itemsize
        stays = info.compress_type == ZIP_STORED and not fits(2 * size)
        check_promise(prod(shape), size, room, where, mapped=stays)
        check_packing(size, min(info.compress_size, path.stat().st_size), where)
        if stays:
            start += checked(archive, info, path)
            return Raw(mapped(path, dtype, shape, start, by_columns=by_columns), where)
        if info.compress_type != ZIP_STORED:
            check_memory(size, where, UNPACK.format(path.name))
        with archive.open(info) as stream:
            values: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        return Raw(values, where)


def checked(archive: ZipFile, info: ZipInfo, path: Path) -> int:
    """Return where a member begins in its file, after its check sum has been found right."""
    with archive.open(info) as stream:
        while stream.read(PIECE):
            pass
    with path.open("rb") as file:
        file.seek(info.header_offset)
        *_, name, extra = LOCAL.unpack(file.read(LOCAL.size))
    return info.header_offset + LOCAL.size + int(name) + int(extra)


def key(info: ZipInfo) -> str:
    """Name a member as `numpy.load` does."""
    return info.filename.removesuffix(".npy")


def keys(members: list[ZipInfo]) -> str:
    """Name all members, for a message."""
    return ", ".join(key(info) for info in members) or "none"

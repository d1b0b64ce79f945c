"""NumPy's .npy and .npz as another program may have written them: plain numbers, or a sentence.

The headers are held against the size of the file before anything is allocated, as for data sets.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter
from zipfile import ZipFile

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import BadInput
from compare.contracts.limits import shown
from compare.data.npz import HEADERS, key, read_member
from compare.data.raw import check_not_empty, check_promise, reading


def read_npy(path: Path) -> Array:
    """Read one plain array from a .npy file; raises `BadInput`."""
    check_not_empty(path)
    with reading(str(path)), path.open("rb") as file, catch_warnings():
        simplefilter("ignore")  # about the time that old headers take
        shape, _, dtype = HEADERS[np.lib.format.read_magic(file)](file)
        require_numbers(dtype, str(path))
        room = path.stat().st_size - file.tell()
        check_promise(prod(shape), prod(shape) * dtype.itemsize, room, str(path))
        file.seek(0)
        return native(np.lib.format.read_array(file, allow_pickle=False))


def read_npz(path: Path, wanted: Callable[[str], bool]) -> tuple[dict[str, Array], list[str]]:
    """Read the wanted arrays of an .npz file; return them and all keys. Raises `BadInput`."""
    check_not_empty(path)
    arrays: dict[str, Array] = {}
    with reading(str(path)), ZipFile(path) as archive:
        members = archive.infolist()
        names = [key(info) for info in members]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise BadInput(f"{path} holds {shown(twice)} twice: store every array once")
        for info in members:
            if wanted(key(info)):
                raw = read_member(archive, info, path)
                require_numbers(raw.values.dtype, raw.where)
                arrays[key(info)] = native(raw.values)
    return arrays, names


def require_numbers(dtype: np.dtype[Any], where: str) -> None:
    """Refuse whatever is no real number."""
    if dtype.kind not in "fiu":
        raise BadInput(f"{where} holds values of type {dtype}: store real numbers, such as float64")


def native(array: Array) -> Array:
    """Return the array in this machine's byte order, C-contiguous, of the same shape."""
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")

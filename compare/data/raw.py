"""Arrays as they lay on disk, and the sentences for files that cannot be trusted.

The readers (npz, idx) hand over `Labelled`s of `Raw` arrays, which still carry where they came
from, so that whatever is found wrong with them later can say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput
from compare.data.memory import left

LARGEST = 2**29
"""Most values of one array that is read as a whole: 4 GiB as float64, ten times MNIST."""

DEFLATE_LIMIT = 1032
"""Deflate cannot pack better than 1032:1 (zlib's technical notes)."""


PLAUSIBLE, MODEST = 128, 2**28
"""Pictures, text and one-hot rows pack to no less than a hundredth; what unpacks to more than this
many times its bytes, beyond 256 MiB, was made to fill the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """`values` as they were stored, and `where`, in words that can begin a sentence."""

    values: NDArray[Any]
    where: str


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Images of any shape (n, ...) and the labels that go with them."""

    images: Raw
    labels: Raw


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn whatever a library raises while it reads `where` into one `BadInput`."""
    try:
        yield
    except BadInput:
        raise
    # On damaged bytes gzip, zipfile, zlib and NumPy raise a dozen types between them.
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise BadInput(
                f"{where} cannot be read ({error.strerror}): check the path and its permissions"
            ) from error
        raise BadInput(f"{where} is damaged or cut short: copy or download it again") from error


def check_not_empty(path: Path) -> None:
    """Refuse a file of no bytes, which would otherwise only count as the wrong format."""
    with reading(str(path)):
        empty = path.stat().st_size == 0
    if empty:
        raise BadInput(f"{path} is an empty file: copy or download it again")


def check_promise(values: int, size: int, room: int, where: str, *, mapped: bool = False) -> None:
    """Refuse a header before anything of its size is allocated.

    The header promises `values` values in `size` bytes; the file has room for at most `room`. What
    is `mapped` stays in the file and may be of any size.
    """
    if size > room:
        raise BadInput(
            f"{where} is damaged or cut short: its header promises {size:,} bytes of values and"
            f" at most {room:,} can be there; copy or download it again"
        )
    if not mapped and max(values, size // 8) > LARGEST:
        raise BadInput(
            f"{where} holds {values:,} values and at most {LARGEST:,} are read:"
            " save a part of it to a file of its own"
        )


def check_packing(size: int, packed: int, where: str) -> None:
    """Refuse to unpack `size` bytes from `packed` ones that can hardly be data."""
    if size > max(MODEST, PLAUSIBLE * packed):
        raise BadInput(
            f"{where} would unpack to {size:,} bytes from {packed:,}: save it unpacked"
            " (numpy.savez, or the IDX file without gzip) if it is data"
        )


def check_memory(size: int, where: str, unpack: str) -> None:
    """Refuse to unpack `size` bytes that memory has no room for; `unpack` is a command."""
    if size > left() // 2:
        raise BadInput(
            f"{where} is compressed and needs {size:,} bytes of memory, more than half of what is"
            f" left: unpacked, its rows are read as they are needed ({unpack})"
        )


def mapped(
    path: Path,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    start: int,
    *,
    by_columns: bool = False,
) -> NDArray[Any]:
    """Return an array that lies in a file from byte `start` on, left there."""
    return np.memmap(path, dtype, "r", start, shape, "F" if by_columns else "C")

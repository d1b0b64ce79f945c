"""Small data files for the tests of compare.data: valid ones to start from, and one way to refuse.

Every test damages one thing in a file that loads; `refusal` returns the sentence it gets.
"""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare.contracts.errors import BadInput
from compare.data import load

IDX_TYPES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def pixels(count: int, height: int = 3, width: int = 2) -> NDArray[np.uint8]:
    """Return `count` different images."""
    values = np.random.default_rng(0).integers(0, 256, (count, height, width), np.uint8)
    values[:, 0, 0] = np.arange(count) % 256
    return values


def classes(count: int, k: int = 4) -> NDArray[np.uint8]:
    """Return `count` labels that run through the classes 0 to `k` - 1."""
    return (np.arange(count) % k).astype(np.uint8)


def idx_bytes(values: NDArray[Any], kind: str = "u1") -> bytes:
    """Return `values` in the IDX format."""
    header = bytes([0, 0, IDX_TYPES[kind], values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return header + values.astype(kind).tobytes()


def write_idx(path: Path, values: NDArray[Any], kind: str = "u1") -> Path:
    """Write `values` in the IDX format, gzipped when the name says so."""
    body = idx_bytes(values, kind)
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def write_mnist(folder: Path, part: str, count: int, ending: str = "") -> Path:
    """Write a pair of MNIST's files and return the path of the images."""
    write_idx(folder / f"{part}-labels-idx1-ubyte{ending}", classes(count))
    return write_idx(folder / f"{part}-images-idx3-ubyte{ending}", pixels(count))


def write_npz(folder: Path, **arrays: Any) -> Path:
    """Write the arrays into an .npz file."""
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


def refusal(path: Path | str) -> str:
    """Return the one line with which `load` refuses `path`."""
    with pytest.raises(BadInput) as caught:
        tracemalloc.start()
        try:
            load(str(path))
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    assert peak < 10 * 2**20, "these files are small, whatever their headers promise"
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence

"""Where the numbers come from: the embedded data, or whatever file the user names.

raw.py says how files fail, npz.py, idx.py and folder.py read them, features.py and labels.py
make rows and class numbers of them, splitting.py cuts; this file only chooses the reader.
"""

from __future__ import annotations

from pathlib import Path
from stat import S_ISDIR, S_ISREG

from compare.contracts.errors import BadInput
from compare.data.dataset import DataSet, Split
from compare.data.diabetes import load_diabetes
from compare.data.digits import load_digits
from compare.data.folder import read_folder
from compare.data.idx import read_idx_pair
from compare.data.npz import ZIP, read_npz
from compare.data.raw import Labelled, reading
from compare.data.splitting import assemble

__all__ = ["DataSet", "Split", "load"]


def load(path: str | None = None) -> DataSet:
    """Load the embedded digits (None or "digits"), the embedded regression data ("diabetes") or
    the data at `path`, split in three.

    `path` is an .npz file with images and labels, an images file in MNIST's IDX format with its
    labels beside it, or a folder of such files; gzipped or not. uint8 is divided by 255, other
    numbers are taken as they are. The same path always gives the same splits.

    Raises `BadInput` with one sentence on anything that cannot be used.
    """
    if path is None or path == "digits":
        return load_digits()
    if path == "diabetes":
        return load_diabetes()
    return assemble(Path(path).absolute().name, path, read_pairs(Path(path)))


def read_pairs(path: Path) -> list[Labelled]:
    """Choose the reader by what lies at the path."""
    with reading(str(path)):
        mode = path.stat().st_mode
    if S_ISDIR(mode):
        return read_folder(path)
    # Opening a pipe or a terminal would wait for someone to write into it.
    if not S_ISREG(mode):
        raise BadInput(f"{path} is neither a file nor a folder: give one of the two")
    with reading(str(path)), path.open("rb") as file:
        start = file.read(2)
    if start == ZIP or path.suffix.lower() == ".npz":
        return read_npz(path)
    return [read_idx_pair(path)]

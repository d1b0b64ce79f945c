"""A folder in MNIST's layout: one pair of IDX files, or a training pair and a test pair.

Files that are there both packed and unpacked count once, and the unpacked one is read.
"""

from __future__ import annotations

from pathlib import Path

from compare.contracts.errors import BadInput
from compare.data.idx import read_idx_pair
from compare.data.raw import Labelled, reading


def read_folder(folder: Path) -> list[Labelled]:
    """Return one pair, to be split, or two: training and test."""
    images = images_files(folder)
    if len(images) == 1:
        return [read_idx_pair(images[0])]
    train = [path for path in images if "train" in path.name]
    test = [path for path in images if "t10k" in path.name or "test" in path.name]
    if len(images) == 2 and len(train) == 1 and len(test) == 1:
        return [read_idx_pair(train[0]), read_idx_pair(test[0])]
    names = ", ".join(path.name for path in images)
    raise BadInput(
        f"{folder} holds images files that are not one training and one test file ({names}):"
        " give the path of one of them"
    )


def images_files(folder: Path) -> list[Path]:
    """List the folder's images files by name."""
    with reading(str(folder)):
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    if not names:
        raise BadInput(f"{folder} holds no files: give a folder of MNIST's files, or an .npz file")
    # Reversed, so that the unpacked name, which sorts first, is the one that stays.
    found = {name.removesuffix(".gz"): name for name in reversed(names) if is_images(name)}
    if not found:
        raise BadInput(
            f"{folder} holds no images file in MNIST's format (named like"
            " train-images-idx3-ubyte.gz): give its folder, or the path of an .npz file"
        )
    return [folder / found[plain] for plain in sorted(found)]


def is_images(name: str) -> bool:
    """Recognise MNIST's names and their relatives: train-images.idx3-ubyte, ..."""
    return "images" in name and "idx" in name

"""A layer of any language or notebook: numbers that were written down, in a folder of arrays.

    FOLDER/inputs/x.npy ...      what the layer was called with
    FOLDER/dy/y.npy ...          the gradient that came from above, by output; absent for a loss
    FOLDER/outputs/y.npy ...     what it returned
    FOLDER/gradients/x.npy ...   its gradients, by the input's name
Each of the four may be an `.npz` file of the same name instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput


@dataclass(frozen=True)
class Recorded:
    """The four groups of arrays; `dy` is None for a loss."""

    inputs: Arrays
    dy: Arrays | None
    outputs: Arrays
    gradients: Arrays

    def __call__(self, inputs: Any, dy: Any) -> tuple[Any, Arrays]:
        """Return what was written down, as a function of contract 8 would."""
        one = len(self.outputs) == 1
        return next(iter(self.outputs.values())) if one else self.outputs, self.gradients


def read_recorded(folder: Path) -> Recorded:
    """Read a folder. Errors: `BadInput` naming what is missing or cannot be read."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder")
    groups = {name: group(folder, name) for name in ("inputs", "dy", "outputs", "gradients")}
    for name in ("inputs", "outputs", "gradients"):
        if not groups[name]:
            raise BadInput(f"{folder}: it has no {name}; write {name}/NAME.npy or {name}.npz")
    return Recorded(groups["inputs"], groups["dy"] or None, groups["outputs"], groups["gradients"])


def group(folder: Path, name: str) -> Arrays:
    """Return the arrays of one group, none if it is not there."""
    packed = folder / f"{name}.npz"
    try:
        if packed.is_file():
            with np.load(packed, allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
        paths = sorted((folder / name).glob("*.npy"))
        return {path.stem: np.load(path, allow_pickle=False) for path in paths}
    except (OSError, ValueError) as problem:
        raise BadInput(f"{folder / name}: it cannot be read ({problem})") from problem

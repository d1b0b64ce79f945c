"""The dump of contract 4: a folder that any language can write, read without trusting it.

run.json                  how it was trained; optional, and so is every key but `format`
x.npy, targets.npy        the batch, if it is the same at every step
step_00000.npz, ...       or folders step_00000/ with one KEY.npy per array

loss                      a number
w1, b1, ..., wL, bL       the parameters before the update
dw1, db1, ...             the gradients there
v_w1, v_b1, ...           the optimiser's state before the update; optional
x, targets                this step's batch, if it is not at the top
z1, h1, logits, dz1, ...  whatever else is to be compared; optional
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from compare.contracts.errors import BadInput
from compare.contracts.experiment import ACTIVATION_NAMES, DTYPES, MOMENTUM_FORMS
from compare.contracts.objective import REDUCTIONS
from compare.examine.dump.npy import read_npy, read_npz

Array = NDArray[Any]
Arrays = dict[str, Array]
FORMAT = 1
RUN = "run.json"
STEP = re.compile(r"step_(\d+)(\.npz)?")

CHOICES = {
    "activation": ACTIVATION_NAMES,
    "reduction": REDUCTIONS,
    "form": MOMENTUM_FORMS,
    "dtype": DTYPES,
}


@dataclass(frozen=True, slots=True)
class RunFile:
    """What run.json says; None where it says nothing."""

    activation: str | None = None
    reduction: str | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    form: str | None = None
    dtype: str | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RawStep:
    """The arrays of one step as they lie in the folder; `where` is what messages call it."""

    number: int
    where: str
    arrays: Arrays


def read_run(folder: Path) -> RunFile | None:
    """Return what run.json says, None if there is none; raises `BadInput` for what it may not."""
    path = folder / RUN
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise BadInput(f"{path} is not JSON: {problem}") from problem
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadInput(f'{path} has to say "format": {FORMAT}')
    known = {field.name for field in fields(RunFile)}
    if unknown := sorted(set(content) - known - {"format"}):
        raise BadInput(f"{path} has the unknown key {unknown[0]!r}; known are {', '.join(known)}")
    for key, choices in CHOICES.items():
        if key in content and content[key] not in choices:
            raise BadInput(f"{path}: {key} is {content[key]!r}; choose from {', '.join(choices)}")
    for key in ("learning_rate", "momentum"):
        if key in content and type(content[key]) not in (int, float):
            raise BadInput(f"{path}: {key} is {content[key]!r}; it has to be a number")
    names = content.get("names")
    if names is not None and not all(isinstance(name, str) for name in names):
        raise BadInput(f"{path}: names has to be the list of the parameters' names")
    values = {key: content[key] for key in known & set(content)}
    return RunFile(**values | ({"names": tuple(names)} if names is not None else {}))


def step_paths(folder: Path) -> dict[int, Path]:
    """Return the steps by number, in order; raises `BadInput` if there are none, or one twice."""
    if not folder.is_dir():
        raise BadInput(
            f"{folder} is not a folder; a dump is a folder with step_00000.npz and so on"
        )
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        match = STEP.fullmatch(path.name)
        if match is None or path.is_dir() == bool(match[2]):
            continue
        number = int(match[1])
        if number in found:
            raise BadInput(f"{folder} holds step {number} twice: {found[number].name}, {path.name}")
        found[number] = path
    if not found:
        raise BadInput(f"{folder} holds no steps: step_00000.npz, or a folder step_00000")
    return dict(sorted(found.items()))


def read_step(number: int, path: Path) -> RawStep:
    """Read all arrays of one step."""
    if path.is_dir():
        arrays = {file.stem: read_npy(file) for file in sorted(path.glob("*.npy"))}
    else:
        arrays = read_npz(path)
    return RawStep(number, path.name, arrays)


def read_top(folder: Path) -> Arrays:
    """Read the batch that all steps share, if it lies at the top."""
    paths = {name: folder / f"{name}.npy" for name in ("x", "targets")}
    return {name: read_npy(path) for name, path in paths.items() if path.is_file()}


def write_run(folder: Path, run: Mapping[str, Any]) -> None:
    """Write run.json with the format's version first."""
    text = json.dumps({"format": FORMAT, **run}, indent=2)
    (folder / RUN).write_text(text + "\n", encoding="utf-8")

"""The dump of contract 4: a folder that any language can write, read without trusting it.

run.json                  how it was trained; optional, and so is every key but `format`
x.npy, targets.npy        the batch, if it is the same at every step
step_00000.npz, ...       or folders step_00000/ with one KEY.npy per array

loss                      a number
w1, b1, ..., wL, bL       the parameters before the update
dw1, db1, ...             the gradients there
v_w1, v_b1, ...           the optimiser's state before the update (m_, s_, r_, a_, t too); optional
learning_rate             of this update, if it is not the same at every step; optional
x, targets                this step's batch, if it is not at the top
z1, h1, logits, dz1, ...  whatever else is to be compared; optional
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.keywords import settings_used_by
from compare.contracts.limits import did_you_mean, fitted, shown
from compare.contracts.records import PARAMETER
from compare.contracts.setting import DUMP, setting_of
from compare.data.json_file import read_json
from compare.data.raw import reading
from compare.examine.dump.npy import read_npy, read_npz

FORMAT = 1
RUN = "run.json"
STEP = re.compile(r"step_(\d+)(\.npz)?", re.ASCII)
STEPLIKE = re.compile(r"step[ _.-]*\d")
KNOWN_KEYS = rf"loss|x|targets|logits|p|dlogits|(d|[vmsra]_)?{PARAMETER}"
CONTEXT = r"(?:mask|running_mean|running_var)[1-9]\d*"
"""What normalisation and dropout take besides."""
KNOWN = re.compile(
    rf"{KNOWN_KEYS}|{CONTEXT}|d?[zhna][1-9]\d*|s[1-9]\d*|t|learning_rate|rows", re.ASCII
)
NEARLY = re.compile(KNOWN.pattern.replace("]_", "]").replace("g_r", "gr"), re.ASCII)
TOP = (RUN, "x.npy", "targets.npy")

SETTING_OF = {"form": "momentum_form"}
"""The settings that run.json names otherwise."""
LIMITS = {one.name: setting_of(one).limit for one in fields(Experiment)}


@dataclass(frozen=True, slots=True)
class RunFile:
    """What run.json says, None where it says nothing; `declared`: settings of loss, update."""

    activation: str | None = None
    reduction: str | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    form: str | None = None
    dtype: str | None = None
    names: tuple[str, ...] | None = None
    declared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawStep:
    """The arrays of one step as they lie in the folder; `where` is what messages call it."""

    number: int
    where: str
    arrays: Arrays
    unread: tuple[str, ...]


def read_run(folder: Path) -> RunFile | None:
    """Return what run.json says, None if there is none; raises `BadInput` for what it may not."""
    path = folder / RUN
    if not path.is_file():
        return None
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadInput(f'{path} has to say "format": {FORMAT}')
    own = {one.name for one in fields(RunFile)} - {"declared"}
    more = set(settings_used_by(DUMP)) - own
    known = own | more
    if unknown := sorted(set(content) - known - {"format"}):
        hint, listed = did_you_mean(unknown[0], sorted(known)), ", ".join(sorted(known))
        raise BadInput(f"{path} has the unknown key {shown(unknown[0])}{hint} (known are {listed})")
    said = {key: value_of(key, content[key], path) for key in known & set(content)}
    declared = {key: value for key, value in said.items() if key in more}
    return RunFile(**{key: said[key] for key in own & set(said)}, declared=declared)


def value_of(key: str, value: Any, path: Path) -> Any:
    """Return what run.json says at a key, held against the limits of that setting."""
    if key == "names":
        listed = isinstance(value, list) and value and all(isinstance(one, str) for one in value)
        if not listed or len(set(value)) < len(value):
            raise BadInput(f"{path}: names has to be the list of the parameters' names")
        return tuple(value)
    return fitted(f"{path}: {key}", LIMITS[SETTING_OF.get(key, key)], value)


def without_run(folder: Path) -> str | None:
    """Say so if there is something called run.json that is no file."""
    path = folder / RUN
    if path.is_file() or not os.path.lexists(path):
        return None
    return f"{RUN} is no file, so nothing it should say was used"


def entries(folder: Path) -> list[Path]:
    """Return what lies in a dump, by name."""
    with reading(str(folder)):
        if not folder.is_dir():
            raise BadInput(
                f"{folder} is not a folder; a dump is a folder with step_00000.npz and so on"
            )
        return sorted(folder.iterdir())


def step_number(path: Path) -> int | None:
    """Return the number of a step, None for what is none: `step_00000.npz` or `step_00000/`."""
    match = STEP.fullmatch(path.name)
    return None if match is None or path.is_dir() == bool(match[2]) else int(match[1])


def step_paths(folder: Path) -> dict[int, Path]:
    """Return the steps by number, in order; raises `BadInput` if there are none, or one twice."""
    found: dict[int, Path] = {}
    for path in entries(folder):
        number = step_number(path)
        if number is None:
            continue
        if number in found:
            raise BadInput(f"{folder} holds step {number} twice: {found[number].name}, {path.name}")
        found[number] = path
    if not found:
        odd = ", ".join(passed_over(folder)[:3])
        also = f"; it holds {odd}, which is not spelt like that" if odd else ""
        raise BadInput(f"{folder} holds no steps: step_00000.npz, or a folder step_00000{also}")
    return dict(sorted(found.items()))


def passed_over(folder: Path) -> list[str]:
    """Return the names of entries that look like a part of the dump and are spelt otherwise."""
    odd = [path.name for path in entries(folder) if looks_like_a_part(path)]
    inside = [path for path in entries(folder) if step_number(path) is not None and path.is_dir()]
    for step in inside:
        odd += [f"{step.name}/{path.name}" for path in sorted(step.iterdir()) if is_odd_array(path)]
    return odd


def looks_like_a_part(path: Path) -> bool:
    """Whether an entry at the top means to be a step, run.json, x or targets, and is none."""
    if path.name in TOP or path.name.startswith(".") or step_number(path) is not None:
        return False
    name = path.name.casefold()
    return name == RUN or name.endswith((".npz", ".npy")) or bool(STEPLIKE.match(name))


def is_odd_array(path: Path) -> bool:
    """Whether an entry of a step's folder means to be an array, and is none."""
    odd = path.suffix != ".npy" and path.suffix.casefold() in (".npy", ".npz")
    return not path.name.startswith(".") and (odd or path.is_dir())


def read_step(number: int, path: Path) -> RawStep:
    """Read the arrays of one step that mean something here; the others are only named."""
    if path.is_dir():
        files = sorted(path.glob("*.npy"))
        arrays = {file.stem: read_npy(file) for file in files if is_known(file.stem)}
        names = [file.stem for file in files]
    else:
        arrays, names = read_npz(path, is_known)
    unread = tuple(name for name in names if name not in arrays)
    return RawStep(number, path.name, arrays, unread)


def is_known(key: str) -> bool:
    """Whether a key means something in a step."""
    return bool(KNOWN.fullmatch(key))


def is_nearly_known(key: str) -> bool:
    """Whether a key would mean something if it were spelt as here: `dW1`, `z_1`."""
    return bool(NEARLY.fullmatch(key.casefold().replace("_", "")))


def read_top(folder: Path) -> Arrays:
    """Read the batch that all steps share, if it lies at the top."""
    paths = {name: folder / f"{name}.npy" for name in ("x", "targets")}
    return {name: read_npy(path) for name, path in paths.items() if path.is_file()}


def write_run(folder: Path, run: Mapping[str, Any]) -> None:
    """Write run.json with the format's version first."""
    text = json.dumps({"format": FORMAT, **run}, indent=2)
    (folder / RUN).write_text(text + "\n", encoding="utf-8")

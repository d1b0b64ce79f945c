"""What the command was given to check: which files and folders, and what each is taken for.

A file of Python may be a gradient function, a layer or a student's file; what it defines tells.
A folder is a dump, or holds what is to be checked. How a path was taken is said, with the option
that takes it otherwise.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from compare.contracts.errors import BadInput
from compare.contracts.limits import LONGEST, did_you_mean, shown

WAYS = ("starter", "manual", "dump", "layer", "curves")
NAMES = {
    "starter": "a student's file",
    "manual": "a gradient function",
    "dump": "a dump",
    "layer": "a layer",
    "curves": "logged curves",
}
CHECK = "check"
"""A first word that may stand before the paths: `manual-mlp check hand-ins/`."""
MOST_BELOW = 20_000
"""So many files and folders are looked through in search of what can be checked."""
CODE = (".py", ".ipynb")
TABLE = ".csv"
RECORDED = re.compile(r"step_\d")
"""How what is recorded of a step is called; `step_size.py` is somebody's hand-in."""
ENDINGS = {"starter": CODE, "curves": (TABLE,)}
"""What is looked for in a folder that is given to an option; `.py` files for the others."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to check: the option that checks it, and its path as it was given."""

    way: str
    path: str

    def words(self) -> str:
        """Say what the path is taken for, and how to have it taken otherwise."""
        others = [f"--{way}" for way in WAYS if way != self.way and self.fits(way)]
        otherwise = f"; {' or '.join(others)} takes it otherwise" if others else ""
        return f"{self.path}: taken for {self.taken_for}{otherwise}"

    @property
    def taken_for(self) -> str:
        """What it is checked as, with the option that says so."""
        return f"{NAMES[self.way]} (--{self.way})"

    def as_option(self) -> dict[str, str | Path]:
        """The option that checks it, with the path as that option reads it."""
        return {self.way: self.path if self.way in ("manual", "layer") else Path(self.path)}

    def fits(self, way: str) -> bool:
        """True if a path of this kind can be taken that way at all."""
        if os.path.isdir(self.path):
            return way == "dump"
        if ".py:" in self.path:
            return way in ("manual", "layer")
        ending = Path(self.path).suffix
        if way == "curves" or ending == TABLE:
            return way == "curves" and ending == TABLE
        return way == "starter" or (way != "dump" and ending == ".py")


def tasks(given: dict[str, Sequence[str]], paths: Sequence[str]) -> list[Task]:
    """Everything to check, folders opened: `given` by option, and `paths` without one.

    Raises BadInput for a path that does not exist and for a folder with nothing to check.
    """
    found = [
        Task(way, path) for way, all_ in given.items() for one in all_ for path in opened(way, one)
    ]
    for one in paths:
        found += opened_by_content(one)
    return found


def opened(way: str, path: str) -> Iterator[str]:
    """A path itself, or what a folder of such paths holds."""
    folder = Path(path)
    if not os.path.isdir(folder) or (way == "dump" and is_dump(folder)):
        yield path
        return
    if way == "dump":
        inside = sorted(str(one) for one in folder.iterdir() if one.is_dir() and is_dump(one))
    else:
        inside = [str(one) for one in files_in(folder, ENDINGS.get(way, (".py",)))]
    if not inside and way == "dump":
        yield path  # the reader of dumps says what a dump needs
    elif not inside:
        kinds = " or ".join(ENDINGS.get(way, (".py",)))
        raise BadInput(f"--{way} {path}: the folder holds no {kinds} file")
    yield from inside


def opened_by_content(path: str) -> list[Task]:
    """The tasks of a path that came without an option."""
    place = Path(path)
    file, _, name = path.rpartition(":")
    if name.isidentifier() and file.endswith(".py") and os.path.isfile(file):  # FILE.py:NAME
        return [Task("layer" if way_of(Path(file)) == "layer" else "manual", path)]
    if not os.path.exists(place):  # False also for a name no system takes, where Path.exists raises
        said = path if len(path) <= LONGEST else shown(path)
        raise BadInput(f"{said}: there is no such file or folder{meant(place)}")
    if os.path.isfile(place):
        return [Task(way_of(place), path)]
    if is_dump(place):
        return [Task("dump", path)]
    dumps = [Task("dump", str(one)) for one in sorted(below(place)) if is_dump(one)]
    found = [Task(way_of(one), str(one)) for one in files_in(place, CODE)]
    if not dumps and not found:
        raise BadInput(
            f"{path}: the folder holds no .py or .ipynb file and no dump (a folder with run.json "
            "or step_00000.npz)"
        )
    return [*found, *dumps]


def meant(place: Path) -> str:
    """Return what lies beside a path that does not exist and is spelt nearly as it."""
    if str(place) == CHECK:
        return f"; the word {CHECK} stands before all options"
    try:
        beside = [str(place.with_name(name)) for name in os.listdir(place.parent)]
    except (OSError, ValueError):
        beside = []
    return did_you_mean(str(place), [CHECK, *beside]) if len(str(place)) <= LONGEST else ""


def files_in(folder: Path, endings: Sequence[str]) -> list[Path]:
    """The files of some endings in a folder and its folders, none that is hidden."""
    return sorted(
        one
        for one in below(folder)
        if one.suffix in endings
        and os.path.isfile(one)
        and not hidden(one.relative_to(folder).parts)
        and not says_package(one)
    )


def below(folder: Path) -> Iterator[Path]:
    """Everything in a folder and its folders that is not hidden, but what vanishes or cannot be
    read meanwhile. Raises BadInput for a whole disk, or whatever else holds as much."""
    found = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not hidden((name,))]
        found += len(folders) + len(files)
        if found > MOST_BELOW:
            raise BadInput(
                f"{folder}: holds more than {MOST_BELOW:,} files and folders; give the folder of "
                "the code, or its files one by one"
            )
        for name in (*folders, *files):
            yield Path(place, name)


def hidden(parts: Iterable[str]) -> bool:
    """True if any part of a path begins with a dot or holds compiled files."""
    return any(part.startswith(".") or part == "__pycache__" for part in parts)


def says_package(file: Path) -> bool:
    """True for an `__init__.py` that defines nothing of its own: it only makes a package."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return file.name == "__init__.py" and not any(
        isinstance(node, kinds) for node in tree_of(file).body
    )


def is_dump(folder: Path) -> bool:
    """True for a folder with a run.json or with recorded steps."""
    try:
        names = os.listdir(folder)
    except OSError:  # no folder, none that can be read, or one that has just vanished
        return False
    return "run.json" in names or any(map(is_recorded, names))


def is_recorded(name: str) -> bool:
    """True for the name of a recorded step, well spelt or nearly so; code of that name is none."""
    return RECORDED.match(name) is not None and not name.endswith(CODE)


def way_of(path: Path) -> str:
    """What a file is, by what it defines at its top level."""
    if path.suffix == TABLE:
        return "curves"
    if path.suffix != ".py":
        return "starter"
    names = defined(path)
    if any(each <= names for each in LAYER):
        return "layer"
    return "manual" if "loss_and_gradients" in names or has_update(path) else "starter"


def has_update(path: Path) -> bool:
    """Whether a file has update(parameters, x, targets, *, learning_rate), written, imported or
    under another name, and no step of somebody's own under that name."""
    body = tree_of(path).body
    functions = {one.name: one.args for one in body if isinstance(one, ast.FunctionDef)}
    imported = {name for one in body for name in imported_by(one)}

    def meant(value: ast.expr) -> bool:
        if isinstance(value, ast.Lambda):
            return is_update(value.args)
        if isinstance(value, ast.Call):  # partial(step, ...)
            return ast.unparse(value.func).endswith("partial") and any(map(meant, value.args[:1]))
        if isinstance(value, ast.Attribute):
            return meant(value.value)
        if not isinstance(value, ast.Name):
            return False
        return is_update(functions[value.id]) if value.id in functions else value.id in imported

    return meant(ast.Name(UPDATE)) or any(map(meant, assigned(body, UPDATE)))


def assigned(body: Iterable[ast.stmt], name: str) -> Iterator[ast.expr]:
    """What a name is bound to at the top level of a file."""
    for one in body:
        to = one.targets if isinstance(one, ast.Assign) else []
        to = [one.target] if isinstance(one, ast.AnnAssign) else to
        value = one.value if isinstance(one, ast.Assign | ast.AnnAssign) else None
        if value is not None and any(at.id == name for target in to for at in targets(target)):
            yield value


LAYER = ({"reference", "inputs"}, {"reference", "backward"}, {"manual", "reference"},
         {"manual", "inputs"})  # fmt: skip
"""What tells a layer's file, also one that lacks something. Many tutorials have `inputs` beside a
function `backward`."""
UPDATE = "update"


def is_update(given: ast.arguments) -> bool:
    """Whether a function takes three values and, by name, a learning rate; a rate by its place is
    that of an update of ours only behind `parameters`."""
    by_place = [one.arg for one in (*given.posonlyargs, *given.args)]
    by_name = [one.arg for one in given.kwonlyargs]
    if len(by_place) < len(POSITIONS) or RATE in by_place[: len(POSITIONS)]:
        return False
    return RATE in by_name or (RATE in by_place and by_place[0] == POSITIONS[0])


POSITIONS = ("parameters", "x", "targets")
RATE = "learning_rate"


def imported_by(node: ast.stmt) -> set[str]:
    """The names that an import binds; none of another statement."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return set()
    return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}


def defined(path: Path) -> set[str]:
    """The names that a file of Python binds at its top level; none if it cannot be parsed."""
    names: set[str] = set()
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= imported_by(node)
        elif isinstance(node, ast.Assign):
            names |= {one.id for target in node.targets for one in targets(target)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def tree_of(path: Path) -> ast.Module:
    """A file of Python as a tree; an empty one if it cannot be parsed."""
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError):
        return ast.Module([], [])


def targets(node: ast.expr) -> Iterator[ast.Name]:
    """The names a target of an assignment binds."""
    return (one for one in ast.walk(node) if isinstance(one, ast.Name))

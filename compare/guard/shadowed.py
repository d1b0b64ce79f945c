"""A module of theirs that is called as one that the judge needs: in one process there is only one.

    from compare import accuracy      # their compare.py, beside their file

is ours by the time their file is executed, and their `torch_reference.py` would be ours from then
on. So such a file is refused before anything runs, with the name to change.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

from compare.contracts.errors import BadInput
from compare.guard.blame import Place

NEEDED = frozenset({
    "compare", "manual_mlp", "torch_reference", "torch", "numpy", "matplotlib", "rich", "jinja2",
    "PIL",
})  # fmt: skip


def refuse_shadows(path: Path, folders: Sequence[Path]) -> None:
    """Raise `BadInput` if a file, or one beside it that it imports, means such a module."""
    for file, name, line, theirs in shadows(path, folders, set()):
        there = f"{Place(str(file), line).quoted()}: {name} is {called(theirs)} there"
        raise BadInput(
            f"{there}, and a module that manual-mlp itself needs, too: rename {called(theirs)}"
        )


def shadows(
    path: Path, folders: Sequence[Path], seen: set[Path]
) -> Iterator[tuple[Path, str, int, Path]]:
    """Yield the file, the module's name, the line and the module's file of every such import."""
    seen.add(path.resolve())
    for name, line in imports_of(path):
        theirs = beside(name, folders)
        if theirs is None:
            continue
        if name in NEEDED and not is_ours(name, theirs):
            yield path, name, line, theirs
        elif theirs.resolve() not in seen and name not in NEEDED:
            yield from shadows(theirs, folders, seen)


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the first part of the name of every module that a file imports, with its line."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node.lineno


def beside(name: str, folders: Sequence[Path]) -> Path | None:
    """Return the file of a module or package of that name in one of the folders."""
    places = (
        place for one in folders for place in (one / name / "__init__.py", one / f"{name}.py")
    )
    return next((place for place in places if place.is_file()), None)


def is_ours(name: str, file: Path) -> bool:
    """Whether this is the file that the judge uses, or that of a checkout it was installed from."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return False
    return file.samefile(spec.origin) or file.read_bytes() == Path(spec.origin).read_bytes()


def called(file: Path) -> str:
    """Return a module's file as it is called in its folder, of a package the folder."""
    return f"{file.parent.name}/" if file.name == "__init__.py" else file.name

"""The line on which what was judged is written: in the file that was given, or beside it.

    from kernels import Linear        kernels.py: class Linear:
    manual = Linear(4, 3)                             def backward(self, dy):    this line

An import is followed into files of the same project only; of another module its own line is said.
Nothing is executed: the files are read as trees.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
BACKWARD = "backward"
MOST = 8
"""So many names are followed from one to the next: two files may import from each other."""
At = tuple[Path, int]


def written_at(path: Path, names: Iterable[str]) -> At | None:
    """Return the file and line of the first of these names that a file binds, None for none."""
    return next(filter(None, (line_of(path, name) for name in names if name)), None)


def line_of(path: Path, name: str, left: int = MOST) -> At | None:
    """Return where a name of a file is written: a function, a class, or what is given that name."""
    tree = tree_of(path)
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, FUNCTION) and node.name == name:
            return path, node.lineno
    for node in nodes if left else ():
        if isinstance(node, ast.ClassDef) and node.name == name:
            return path, node.lineno
        given = node.targets if isinstance(node, ast.Assign) and node in tree.body else []
        if isinstance(node, ast.Assign) and any(named(one, name) for one in given):
            return value_at(path, node.value, left - 1) or (path, node.lineno)
        if isinstance(node, ast.Import | ast.ImportFrom) and name in bound(node):
            return imported_from(path, node, name, left - 1) or (path, node.lineno)
    return None


def value_at(path: Path, value: ast.expr, left: int) -> At | None:
    """Return where the code behind a value is written: of a pair that of the second, of an object
    the backward pass of its class."""
    if isinstance(value, ast.Tuple | ast.List) and value.elts:
        return value_at(path, value.elts[-1], left)
    if isinstance(value, ast.Call):
        found = value_at(path, value.func, left)
        return found and method_at(*found)
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
        home = module_of(path, value.value.id)
        return line_of(home, value.attr, left) if home else line_of(path, value.value.id, left)
    return line_of(path, value.id, left) if isinstance(value, ast.Name) else None


def method_at(path: Path, line: int) -> At:
    """Return the backward pass of the class that begins on a line, else the line itself."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ClassDef) and node.lineno == line:
            methods = (one for one in node.body if isinstance(one, FUNCTION))
            line = next((one.lineno for one in methods if one.name == BACKWARD), line)
    return path, line


def imported_from(path: Path, node: ast.Import | ast.ImportFrom, name: str, left: int) -> At | None:
    """Return where a name is written that is imported from a file beside this one."""
    if isinstance(node, ast.Import):
        return None
    home = file_of(path, node.module or "", node.level)
    original = next(one.name for one in node.names if (one.asname or one.name) == name)
    return line_of(home, original, left) if home else None


def module_of(path: Path, name: str) -> Path | None:
    """Return the file beside this one that is imported as a module of this name."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for one in node.names:
                if (one.asname or one.name) == name:
                    return file_of(path, one.name, 0)
    return None


def file_of(path: Path, module: str, level: int) -> Path | None:
    """Return the file of a module, looked for from the folder of a file, or where we are."""
    above = path.parent.joinpath(*[".."] * max(level - 1, 0))
    parts = module.split(".")
    places = (folder.joinpath(*parts) for folder in ((above,) if level else (above, Path())))
    tried = (one for place in places for one in (place.with_suffix(".py"), place / "__init__.py"))
    return next(filter(Path.is_file, tried), None)


def bound(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield the names that an import binds."""
    yield from (one.asname or one.name for one in node.names)


def named(target: ast.expr, name: str) -> bool:
    """Whether an assignment's target is this name."""
    return isinstance(target, ast.Name) and target.id == name


def tree_of(path: Path) -> ast.Module:
    """Return a file as a tree; an empty one if there is none to be read."""
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])

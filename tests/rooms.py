"""The rooms of `compare`, top to bottom, and the imports between them as arrows.

Read off the syntax tree, so that an import inside a function or for a type checker is an arrow too.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "compare"

ORDER = (
    "__init__",
    "__main__",
    "run",
    "command",
    "handbook",
    "layers",
    "report",
    "examine",
    "judge",
    "diagnosis",
    "checks",
    "mistakes",
    "points",
    "textbook",
    "guard",
    "data",
    "allowance",
    "contracts",
)
"""From what a user touches down to what everything is written against."""

Arrow = tuple[str, str]


def modules() -> dict[str, Path]:
    """Every module of `compare` by its dotted name."""
    paths = HOME.rglob("*.py")
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


def imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of `compare` that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in known else str(node.module)


def at_once(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of `compare` that are imported together with a file, not first in a function."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module in known:
            yield str(node.module)
            yield from (w for a in node.names if (w := f"{node.module}.{a.name}") in known)


def room(module: str) -> str:
    """The folder or loose module at the top of `compare` in which a module stands."""
    return module.split(".")[1] if "." in module else "__init__"


def arrows() -> dict[Arrow, set[str]]:
    """Pairs of rooms of which the first imports from the second, with the modules that do."""
    known, drawn = modules(), defaultdict[Arrow, set[str]](set)
    for name, path in known.items():
        for target in imported(path, known):
            if room(name) != room(target):
                drawn[room(name), room(target)].add(name)
    return dict(drawn)


def upward(drawn: Mapping[Arrow, set[str]]) -> set[Arrow]:
    """The arrows whose end stands above their start."""
    return {(start, end) for start, end in drawn if ORDER.index(end) < ORDER.index(start)}


def circles() -> list[set[str]]:
    """Sets of modules that import each other in a circle (strongly connected, more than one)."""
    known = modules()
    edges = {name: set(imported(path, known)) - {name} for name, path in known.items()}
    reached = {name: reach(name, edges) for name in edges}
    found = {frozenset({a, *(b for b in reached[a] if a in reached[b])}) for a in edges}
    return [set(circle) for circle in found if len(circle) > 1]


def reach(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    """Every module that can be reached from one, along imports."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for target in edges[waiting.pop()] - seen:
            seen.add(target)
            waiting.append(target)
    return seen

"""The text of a student's file: a .py in any encoding, or the code cells of a notebook.

Everything after this file works on cells of numbered lines; a .py file is one cell. Nothing is
executed and nothing is interpreted, except the commands of IPython, which are blanked out.
"""

from __future__ import annotations

import io
import json
import linecache
import re
import textwrap
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare.contracts.errors import BadInput
from compare.guard.effects import Notes

PYTHON_CELL = re.compile(r"%%(time|timeit|capture|writefile\s+\S+\.py|prun)\b")
MOST_LINES, WIDTH = 50_000, 100
"""Of source that somebody wrote; reading takes a tenth of a millisecond a line."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Lines of source with the file name that messages and tracebacks show for them."""

    file: str
    lines: tuple[str, ...]


def read_cells(path: Path, notes: Notes) -> list[Cell]:
    """Return the cells of a .py or .ipynb file; raises `BadInput` if there is no source in it."""
    if path.suffix.lower() not in (".py", ".ipynb"):
        raise BadInput(f"{path}: give a Python file (.py) or a notebook (.ipynb)")
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise BadInput(f"{path} cannot be read: {problem.strerror}") from problem
    if path.suffix.lower() == ".py":
        sources = [(str(path), decoded(content, notes))]
    else:
        sources = [
            (f"{path}, cell {number}", source)
            for number, source in enumerate(notebook_sources(content, path), start=1)
        ]
    lines = sum(source.count("\n") for _, source in sources)
    if lines > MOST_LINES or sum(len(source) for _, source in sources) > MOST_LINES * WIDTH:
        raise BadInput(
            f"{path} holds {lines:,} lines of source; at most {MOST_LINES:,} of some"
            f" {WIDTH} characters are read: give the file with the functions alone"
        )
    cells = [Cell(file, tuple(tidied(source, notes))) for file, source in sources]
    if not any(line.strip() for cell in cells for line in cell.lines):
        raise BadInput(f"{path} holds no source code")
    for cell in cells:  # what is quoted in messages, and shown in their tracebacks
        text = [f"{line}\n" for line in cell.lines]
        linecache.cache[cell.file] = (sum(map(len, text)), None, text, cell.file)
    return cells


def decoded(content: bytes, notes: Notes) -> str:
    """Return the text of a .py file: in the encoding it declares, or as Latin-1."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        notes.add("the file is not in the encoding it declares; it was read as Latin-1")
        return content.decode("latin-1")


def notebook_sources(content: bytes, path: Path) -> Iterator[str]:
    """Yield the source of every code cell, of notebook format 4 or 3."""
    try:
        book = json.loads(content)
        sheets = book.get("worksheets", [book])
        cells = [cell for sheet in sheets for cell in sheet["cells"]]
        language = kernel_language(book.get("metadata", {}))
        sources = [
            "".join(cell.get("source", cell.get("input", ""))) for cell in cells if is_code(cell)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise BadInput(f"{path} is not a Jupyter notebook") from problem
    if not language.startswith("python"):
        raise BadInput(f"{path} is a notebook in {language}, not in Python")
    yield from sources


def kernel_language(metadata: dict[str, Any]) -> str:
    """Return the language a notebook declares, in lower case; `python` if it declares none."""
    kernel = metadata.get("kernelspec", {}).get("language")
    language = kernel or metadata.get("language_info", {}).get("name") or "python"
    return str(language).lower()


def is_code(cell: dict[str, Any]) -> bool:
    """True for a cell of code."""
    return cell.get("cell_type") == "code"


def tidied(source: str, notes: Notes) -> list[str]:
    """Return the lines without a common indent and without the commands of IPython."""
    lines = textwrap.dedent(source.replace("\f", "").replace("\0", "")).splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%") and not PYTHON_CELL.match(first):
        notes.add(f"a cell for {first.split()[0]} was left out")
        return ["" for _ in lines]
    return [blanked(line, notes) for line in lines]


def blanked(line: str, notes: Notes) -> str:
    """Return the line, or an empty one if it is a command of IPython."""
    if line.startswith(("%", "!", "?")) or (line.rstrip().endswith("?") and "#" not in line):
        notes.add(f"the IPython command `{line.strip()}` was left out", about="magic")
        return ""
    return line

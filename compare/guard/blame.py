"""Which line of *their* file a failure belongs to, and the exception that says so.

A traceback through our call, their function and NumPy ends in NumPy; what a user can change is the
last line of it that they wrote. Everything they read quotes that line.
"""

from __future__ import annotations

import ast
import dis
import functools
import inspect
import linecache
import os
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import numpy as np

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
OURS = tuple(
    f"{_CHECKOUT / package}{'/'}" for package in ("compare", "manual_mlp", "torch_reference")
)
SYSTEM_PACKAGES = Path(np.__file__).parent.parent
"""Not among the folders of an environment that sees the packages of its system."""
INSTALLED = tuple(
    f"{Path(folder).resolve()}/"
    for folder in (
        *(sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(SYSTEM_PACKAGES),
    )
)
QUOTED = 80
"""Characters of a source line that a message shows."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of somebody's file; printed as `mine.py, line 12`, never with the folder it is in.

    A cell that runs in a notebook has a file of IPython's, whose name says nothing.
    """

    file: str
    line: int

    def __str__(self) -> str:
        path = Path(self.file)
        name = "a cell" if path.parent.name.startswith("ipykernel_") else path.name
        return f"{name}, line {self.line}"

    def quoted(self) -> str:
        """Return the place with the text of its line, where that can be read."""
        return self.with_text(str(self))

    def line_quoted(self) -> str:
        """Return the line with its text, beside something that names the file; in a notebook the
        cell as well."""
        cell = self.file.partition(", ")[2]
        return self.with_text(", ".join(filter(None, (cell, f"line {self.line}"))))

    def with_text(self, words: str) -> str:
        """Return the words with the text of the line, where that can be read."""
        text = linecache.getline(self.file, self.line).strip()
        if len(text) > QUOTED:
            text = text[: QUOTED - 3] + "..."
        return f"{words} (`{text}`)" if text else words


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the code object behind a function, method, partial, wrapper or callable object."""
    while isinstance(function, functools.partial):
        function = function.func
    with suppress(ValueError):  # wrapped in itself
        function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None and not inspect.isclass(function):
        code = getattr(vars(type(function)).get("__call__"), "__code__", None)
    return code if isinstance(code, CodeType) else None


def home_of(function: Callable[..., Any]) -> Place | None:
    """Return where a function is defined, None for one that was not written in Python."""
    code = code_of(function)
    return None if code is None else Place(code.co_filename, code.co_firstlineno)


def tree_of(file: str) -> ast.Module | None:
    """Return the parsed text of a file, None where it cannot be had or read."""
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return None


def return_of(function: Callable[..., Any]) -> Place | None:
    """Return the line of a function's only `return`, or where it is defined if it has several."""
    code = code_of(function)
    if code is None:
        return None
    returns = {
        instruction.positions.lineno
        for instruction in dis.get_instructions(code)
        if instruction.opname.startswith("RETURN_") and instruction.positions
    } - {None}
    line = returns.pop() if len(returns) == 1 else None
    return Place(code.co_filename, line or code.co_firstlineno)


def name_of(function: Callable[..., Any]) -> str:
    """Return what a user calls the function."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def last_place(stack: Iterator[Place], home: Place | None) -> Place | None:
    """Return the last of the places that lies in the user's code.

    That is any file outside our packages, the standard library and what is installed; a function
    that itself lives in one of those counts by its own file.
    """
    best = home
    for place in stack:
        in_home = home is not None and place.file == home.file
        if in_home or not is_foreign(place.file):
            best = place
    return best


def is_foreign(file: str) -> bool:
    """True for code no user wrote: ours, the interpreter's, what was installed."""
    if file.startswith(("<frozen", "<__array_function__", "<string>")):
        return True
    return is_below_foreign(os.path.abspath(file))


@functools.lru_cache(maxsize=4096)
def is_below_foreign(file: str) -> bool:
    """True for a file in our packages, the standard library or what is installed.

    Asked of every line of a stack at every call that fails: links are followed once.
    """
    return str(Path(file).resolve()).replace("\\", "/").startswith(OURS + INSTALLED)


def places_of_traceback(traceback: TracebackType | None) -> Iterator[Place]:
    """Yield the lines of a traceback, outermost first."""
    while traceback is not None:
        yield at_line(traceback.tb_frame.f_code, traceback.tb_lineno)
        traceback = traceback.tb_next


def places_of_frame(frame: FrameType | None) -> Iterator[Place]:
    """Yield the lines of a running stack, outermost first."""
    frames: list[FrameType] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    yield from (at_line(f.f_code, f.f_lineno) for f in reversed(frames))


def first_line(error: BaseException) -> str:
    """Return `ValueError: its first line`, also for an exception that cannot print itself."""
    try:
        text = str(error).strip().partition("\n")[0]
    except Exception:
        text = ""
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def at_line(code: CodeType, line: int | None) -> Place:
    """Return the place of an instruction; one that belongs to no line is at its function's."""
    return Place(code.co_filename, line or code.co_firstlineno)

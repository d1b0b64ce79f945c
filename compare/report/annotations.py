"""What GitHub shows beside the line of code: `::error file=mine.py,line=7,title=...::sentence`.

Printed where GITHUB_ACTIONS is set, for whatever did not end in agreement. The line is that of the
function that was judged, also where the file only imports it, or the one that raised.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from compare.contracts.records import PARAMETER
from compare.contracts.result import ExitCode, Result, Verdict
from compare.guard.blame import home_of
from compare.report import words
from compare.report.written_at import written_at

VARIABLE = "GITHUB_ACTIONS"
TITLES = {
    Verdict.AGREES: "could not be finished",
    Verdict.DISAGREES: "wrong gradient",
    Verdict.UNDECIDABLE: "not decided",
}
UNCHECKED = "could not be checked"
BASELINE = "moved against the baseline"
BLAMED = re.compile(r"([^\s/(]+\.py), line (\d+)")
FUNCTIONS = ("loss_and_gradients", "update", "manual", "backward")
"""What is judged in a file where no finding names a function, the first that is there."""


def wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a GitHub workflow reads what is printed."""
    return environ.get(VARIABLE) == "true"


def lines(result: Result, file: str, more: Iterable[str] = ()) -> Iterator[str]:
    """Yield a command for a result that does not agree, and one for each sentence besides."""
    if result.exit_code != ExitCode.AGREES:
        yield annotation(result, file)
    for sentence in more:
        path, function = without_name(file)
        yield error(sentence, *place_of(path, [function, *FUNCTIONS]), BASELINE)


def annotation(result: Result, file: str) -> str:
    """Return the command for one result about a file, at the line of the function judged."""
    path, function = without_name(file)
    sentence = result.failure or words.verdict_line(result)
    found = [finding.parameter or "" for finding in result.findings]
    names = [function, *(one for one in found if not re.fullmatch(PARAMETER, one)), *FUNCTIONS]
    raised = blamed(sentence, path) if result.failure else None
    return error(sentence, *(raised or place_of(path, names)), TITLES[result.verdict])


def without_name(file: str) -> tuple[str, str]:
    """Return the file and the function of `mine.py:gradient`; no function where none is named."""
    path, _, function = file.partition(":") if ".py:" in file else (file, "", "")
    return path, function


def of_code(result: Result, code: Any) -> str:
    """Return the command for a result about code in hand: a function, a layer's two, an object."""
    sentence = result.failure or words.verdict_line(result)
    return at_code(sentence, code, TITLES[result.verdict])


def at_code(sentence: str, code: Any, title: str = "") -> str:
    """Return the command for a sentence about code in hand, at the line where it is written."""
    last: Any = code[-1] if isinstance(code, tuple | list) and code else code
    place = home_of(getattr(last, "backward", last))
    if place is None:
        return error(sentence, title=title)
    with suppress(ValueError):  # on another drive
        return error(sentence, os.path.relpath(place.file), place.line, title)
    return error(sentence, place.file, place.line, title)


def of_row(file: str, functions: str, sentence: str, verdict: str = "") -> str:
    """Return the command for one file of many, at the first of the functions at fault."""
    title = TITLES[Verdict(verdict)] if verdict in list(Verdict) else UNCHECKED
    at = blamed(sentence, file) or place_of(file, [*functions.split(", "), *FUNCTIONS])
    return error(sentence, *at, title)


def place_of(file: str, names: Sequence[str]) -> tuple[str, int | None]:
    """Return the file and the line on which the first of these names is written, if known."""
    found = written_at(Path(file), names) if file.endswith(".py") else None
    return (file, None) if found is None else (str(found[0]), found[1])


def of_sentence(sentence: str, given: Sequence[str]) -> str:
    """Return the command for a sentence that may name a file and a line: `mine.py, line 12`.

    `given` are the words of the command; the path among them is that of the file, with or without
    a line.
    """
    found = BLAMED.search(sentence)
    paths = [re.sub(r":\w+$", "", word.rpartition("=")[2]) for word in given]
    if found is None:
        codes = (
            path for path in paths if path.endswith((".py", ".ipynb")) and os.path.isfile(path)
        )
        return error(sentence, next(codes, ""), title=UNCHECKED)
    path = next((path for path in paths if Path(path).name == found[1]), found[1])
    return error(sentence, path, int(found[2]), UNCHECKED)


def error(sentence: str, file: str = "", line: int | None = None, title: str = "") -> str:
    """Return a workflow command; what would end it, or a property of it, is escaped."""
    given = {"file": file, "line": str(line or ""), "title": title}
    said = ",".join(f"{name}={escaped(value, ':,')}" for name, value in given.items() if value)
    return f"::error {said}::{escaped(sentence)}" if said else f"::error::{escaped(sentence)}"


def escaped(text: str, more: str = "") -> str:
    """Return text with `%`, ends of lines and `more` written as their codes."""
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + more else c for c in text)


def blamed(sentence: str, file: str) -> tuple[str, int] | None:
    """Return the line that a sentence names, of this file or of one beside it."""
    for found in BLAMED.finditer(sentence):
        beside = Path(file).with_name(found[1])
        if beside == Path(file) or beside.is_file():
            return str(beside), int(found[2])
    return None

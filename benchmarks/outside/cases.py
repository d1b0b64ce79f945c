"""Run the cases of a folder as their headers say, and hold what comes out against them.

A case is right if its exit code is one of those it expects. Its cause is right if every pattern
of `answers` is found in what was named, or, where there is no name for it, in the facts.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import runpy
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.outside.answers import ANSWERS, NOTHING
from benchmarks.outside.header import Header, read

FOLDERS = ("manual", "dump", "starter", "api")
REFUSED, CRASHED = 2, 4
"""A script that ends with a sentence about its input, and one that ends with a traceback."""


@dataclass(frozen=True)
class Outcome:
    """One run of a case: its exit code, the names given, and everything that was said."""

    case: str
    command: str
    code: int
    named: str
    words: str
    seconds: float
    verdict: bool
    cause: bool | None

    @property
    def line(self) -> str:
        """Return one line of the table."""
        cause = {True: "cause", False: "CAUSE?", None: ""}[self.cause]
        verdict = "verdict" if self.verdict else "VERDICT?"
        named = self.named or "-"
        return f"{self.case:44} {self.code} {verdict:9}{cause:7}{self.seconds:5.1f} s  {named}"


def found(folder: Path, only: str = "") -> list[Path]:
    """Return the cases of a folder that have a header, in order."""
    paths = [path for name in FOLDERS for path in sorted((folder / name).glob("*.py"))]
    return [path for path in paths if read(path) is not None and re.search(only, str(path))]


def outcomes(path: Path) -> list[Outcome]:
    """Run one case in every way its header names."""
    header = read(path)
    assert header is not None
    answers = []
    for command in commands(path, header):
        with tempfile.TemporaryDirectory() as folder:
            start = perf_counter()
            code, report, words = run(path, header, command, Path(folder))
            seconds = perf_counter() - start
        answers.append(judged(path, header, command, code, report, words, seconds))
    return answers


def commands(path: Path, header: Header) -> tuple[str, ...]:
    """Return the ways to run a case: as a call, as a dump, by its command lines, as a script."""
    if header.call is not None and path.parent.name == "manual":
        return ("check",)
    if path.parent.name == "dump":
        return ("dump",)
    return header.commands or ("script",)


def run(path: Path, header: Header, command: str, folder: Path) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, the report and everything that was printed."""
    said = io.StringIO()
    here = os.getcwd()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            os.chdir(folder)
            code, report = done(path, header, command, folder)
        except Exception:  # a crash is an answer too, and the wrong one
            code, report = CRASHED, {}
            traceback.print_exc()
        finally:
            os.chdir(here)
    return code, report, said.getvalue()


def done(path: Path, header: Header, command: str, folder: Path) -> tuple[int, dict[str, Any]]:
    """Do what the command asks for, in `folder`."""
    from compare.command.main import main

    if command == "check":
        return checked(path, header)
    if command == "script":
        return scripted(path, []), {}
    words = command.replace("FILE", str(path)).split()
    if command == "dump":
        scripted(path, ["d"])
        words = ["--dump", "d"]
    options = [*words, *(["--no-plots"] if "--no-plots" not in words else []), "--out", "out"]
    code = main(options)
    report = folder / "out" / "report.json"
    return int(code), json.loads(report.read_text("utf-8")) if report.exists() else {}


def checked(path: Path, header: Header) -> tuple[int, dict[str, Any]]:
    """Call `compare.check` on the function of a case."""
    import compare
    from compare.report.report_json import to_json

    module = runpy.run_path(str(path))
    result = compare.check(module["loss_and_gradients"], **(header.call or {}))
    return int(result.exit_code), to_json(result)


def scripted(path: Path, arguments: list[str]) -> int:
    """Run a case as a script; input that is refused ends it as it ends the command."""
    from compare.contracts.errors import BadInput

    before = sys.argv
    sys.argv = [str(path), *arguments]
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except BadInput as problem:
        print(f"error: {problem}")
        return REFUSED
    finally:
        sys.argv = before
    return 0


def judged(
    path: Path,
    header: Header,
    command: str,
    code: int,
    report: dict[str, Any],
    words: str,
    seconds: float,
) -> Outcome:
    """Hold one run against what its header expects."""
    named = "; ".join(one["mistake"] for one in report.get("diagnosis", []))
    everything = "\n".join([words, *told(report)])
    script = command == "script"
    verdict = code == 0 if script and code != REFUSED else not header.codes or code in header.codes
    patterns = ANSWERS.get(path.stem)
    cause: bool | None = None
    if patterns == NOTHING:
        cause = not named
    elif patterns is not None:
        cause = all(re.search(pattern, everything) for pattern in patterns)
    case = f"{path.parent.name}/{path.stem}"
    return Outcome(case, command, code, named, everything, seconds, verdict, cause)


def told(report: dict[str, Any]) -> Iterator[str]:
    """Yield every sentence of a report, uncut."""
    for one in report.get("diagnosis", []):
        yield f"{one['mistake']}: {one['sentence']} also {', '.join(one['also'])}"
    yield from (one["message"] for one in report.get("findings", []))
    yield from report.get("notes", [])
    yield str(report.get("sentence", ""))
    yield json.dumps(report.get("referee"))

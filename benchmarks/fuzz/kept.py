"""One attempt in a process of its own, forked from one that has torch loaded already.

The child may use ten seconds of CPU and a bounded memory; what it leaves is read by the parent.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CPU = 10
MEMORY = 8 << 30
WALL = 120.0
CODES = (0, 1, 2, 3, 130)
"""Exit codes that an attack may end in; 4 is the judge's own failure."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How the command ended, and what it left."""

    code: int | None
    error: str
    report: bool
    cpu: float

    @property
    def hung(self) -> bool:
        """Whether it was stopped by its limits."""
        return self.code is None


@dataclass
class Tally:
    """The figures of one part; `kept` are the inputs that broke something."""

    attempts: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, what: str, attempt: Attempt, *, wrong: bool, report_due: bool = False) -> None:
        """Count an attempt; `wrong` says that green would be false."""
        self.attempts += 1
        self.codes[str(attempt.code)] += 1
        faults = {
            "false greens": wrong and attempt.code == 0,
            "tracebacks": "Traceback" in attempt.error or attempt.code == 4,
            "hangs": attempt.hung,
            "strange exit codes": attempt.code is not None and attempt.code not in (*CODES, 4),
            "lost reports": (report_due or attempt.code in (0, 1, 3)) and not attempt.report,
        }
        for fault, happened in faults.items():
            if happened:
                self.broken[fault] += 1
                self.examples.append(f"{fault}: {what}: {attempt.error.strip()[-300:]}")


FAULTS = ("false greens", "tracebacks", "hangs", "strange exit codes", "lost reports")


def run(arguments: Sequence[str], folder: Path) -> Attempt:
    """Run the command with its output in `folder`, in a fork, under the limits."""
    return forked(lambda: command(arguments), folder)


def command(arguments: Sequence[str]) -> int:
    """Run the command as its entry point does, in this process."""
    from compare.run import main

    return int(main(list(arguments)))


def forked(call: Callable[[], int], folder: Path) -> Attempt:
    """Call in a child that works in `folder`."""
    error = folder / "stderr"
    child = os.fork()
    if child == 0:
        limit(folder, error)
        code = 99
        try:
            code = call()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        except BaseException as problem:
            os.write(2, f"Traceback: {type(problem).__name__}: {problem}".encode())
        os._exit(code)
    _, status, usage = os.wait4(child, 0)
    text = error.read_text(encoding="utf-8", errors="replace") if error.exists() else ""
    ended = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    return Attempt(
        ended, text, valid(folder / "o" / "report.json"), usage.ru_utime + usage.ru_stime
    )


def limit(folder: Path, error: Path) -> None:
    """Close the child in: its folder, its outputs, its share of the machine."""
    os.chdir(folder)
    signal.alarm(int(WALL))  # for a wait that uses no CPU
    resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(error, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)


def valid(report: Path) -> bool:
    """Whether a whole report lies there."""
    try:
        return isinstance(json.loads(report.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False


class Workplace:
    """A folder for one attempt after the other."""

    def __enter__(self) -> Workplace:
        self.top = Path(tempfile.mkdtemp(prefix="fuzz-"))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.top, ignore_errors=True)

    def fresh(self) -> Path:
        """Return an empty folder; the last attempt's goes, unless a process of it still writes."""
        for old in self.top.iterdir():
            shutil.rmtree(old, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix="attempt-", dir=self.top))


class Clock:
    """Says when the time of a part is over; it begins with the first question."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.begun: float | None = None

    def over(self) -> bool:
        """Whether no further attempt should begin."""
        now = time.monotonic()
        self.begun = now if self.begun is None else self.begun
        return self.seconds is not None and now - self.begun >= self.seconds

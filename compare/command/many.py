"""Many files in one command: each checked in a process of its own, all of them in one table.

What all of them need is loaded once; a child is forked for each file, so that one that hangs, ends
the process or crashes the interpreter stops no other. A folder per file holds its report,
`index.html` and `results.csv` hold one row for each.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from compare.command.given import WAYS, Task
from compare.command.parser import IN_A_STUDENTS_FILE
from compare.contracts.result import ExitCode

if TYPE_CHECKING:
    from compare.report.index import Row

One = Callable[[argparse.Namespace], int]
"""The command for one file: from its options to an exit code."""

RANK = (ExitCode.AGREES, ExitCode.UNDECIDABLE, ExitCode.DISAGREES, ExitCode.BAD_INPUT)
"""From the best exit code of a file to the worst, which is that of the command."""
CALLS = 4.0
"""How many calls that last as long as they may one file is given before it is stopped."""
PAUSE = 0.01
NEEDED = (
    "torch_reference",
    "compare.command.jobs",
    "compare.examine.at_points",
    "compare.examine.starter",
    "compare.diagnosis.gradients",
    "compare.mistakes.catalogue",
)
DRAWN = ("compare.report.page", "compare.report.plots.gallery")


def check_many(options: argparse.Namespace, one: One, meet: Callable[[], None]) -> int:
    """Check every task with `one(options)`, write the table, return the worst exit code.

    `meet` raises KeyboardInterrupt where Ctrl-C was pressed; the table then has the files done.
    """
    from rich.console import Console
    from rich.progress import track

    from compare.report import annotations, index

    load(drawing=bool(options.plots))
    rows: list[Row] = []
    shown = track(
        list(zip(options.tasks, names(options.tasks), folders(options.tasks), strict=True)),
        "checking",
        console=Console(stderr=True, quiet=options.quiet), transient=True,
    )  # fmt: skip
    try:
        for task, called, name in shown:
            rows.append(checked(options, task, called, name, one))
            if not options.quiet:
                print(f"{task.path}: {rows[-1].sentence}")
            meet()
    finally:
        index.write(rows, options.out)
    print(f"{len(rows)} files: {index.counted(rows)}")
    for row in rows if annotations.wanted() else ():
        if row.exit_code:
            print(annotations.of_row(row.file, row.function, row.sentence, row.verdict))
    if not options.quiet:
        print(f"written to {options.out}: {index.PAGE}, {index.TABLE} and a folder for each file")
    return worst(row.exit_code for row in rows)


def load(*, drawing: bool) -> None:
    """Import what every child would import anew: torch, ways in, catalogue, pictures."""
    for name in (*NEEDED, *(DRAWN if drawing else ())):
        import_module(name)


def worst(codes: Iterable[int]) -> int:
    """The worst of all exit codes; one that is not in the list is worse than all of them."""
    return max(codes, key=lambda code: RANK.index(code) if code in RANK else len(RANK))


def names(tasks: Sequence[Task]) -> list[str]:
    """What each task is called: its path below the folder that holds all of them."""
    files = [task.path.partition(":")[0] for task in tasks]
    above = [os.path.dirname(os.path.abspath(file)) for file in files]
    root = os.path.commonpath(above) if len({Path(one).drive for one in above}) == 1 else ""
    return [
        Path(os.path.relpath(file, root) if root else file).as_posix() + task.path[len(file) :]
        for task, file in zip(tasks, files, strict=True)
    ]


def folders(tasks: Sequence[Task]) -> list[str]:
    """A folder name for each task: that of its file, with a number where two are alike."""
    taken: set[str] = set()
    found = []
    for called in names(tasks):
        place = Path(called.partition(":")[0]).with_suffix("")
        base = "-".join(part for part in place.parts if part not in ("..", "/")) or "file"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        found.append(name)
    return found


def checked(options: argparse.Namespace, task: Task, called: str, name: str, one: One) -> Row:
    """Check one file in a child and read what it reported; one without a report has a page too."""
    from compare.report.index import Row, write_reason

    folder = options.out / name
    folder.mkdir(parents=True, exist_ok=True)
    for left in ("report.json", "report.html"):  # of an earlier command
        (folder / left).unlink(missing_ok=True)
    mine = argparse.Namespace(**vars(options))
    mine.__dict__.update(dict.fromkeys(WAYS) | task.as_option())
    if task.way == "manual" and "timeout" not in options.given:
        mine.timeout = IN_A_STUDENTS_FILE
    mine.out, mine.quiet, mine.verbose, mine.called = folder, True, False, called
    begun = time.monotonic()
    code, ended = in_child(mine, one, folder / "log.txt", CALLS * options.timeout)
    seconds = time.monotonic() - begun
    row = Row.read(task.path, name, folder, code, ended, seconds)
    row = replace(row, name=called, taken_for=task.taken_for)
    if not options.plots or (folder / "report.html").exists():
        return row
    write_reason(row, folder)
    return replace(row, link=Row.link_to(name, "report.html"))


def in_child(options: argparse.Namespace, one: One, log: Path, seconds: float) -> tuple[int, str]:
    """Run `one(options)` in a child; return its exit code and, if it did not end, why.

    What it prints goes to `log`. Where processes cannot be forked it runs here.
    """
    if not hasattr(os, "fork"):
        return in_this_process(options, one, log), ""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os._exit(in_this_process(options, one, log))
    until = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return ExitCode.BAD_INPUT, f"it did not end within {seconds:g} s and was stopped"
        time.sleep(PAUSE)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return ExitCode.BAD_INPUT, f"the code under test ended its process ({name})"
    return os.WEXITSTATUS(status), ""


def in_this_process(options: argparse.Namespace, one: One, log: Path) -> int:
    """Run `one(options)` with everything that is printed in a file; return the exit code."""
    with (
        log.open("w", encoding="utf-8", errors="replace") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        return int(one(options))

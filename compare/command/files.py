"""The paths of an invocation: resolved before foreign code runs, and no output is an input."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from compare.command.given import is_dump
from compare.contracts.errors import BadInput
from compare.contracts.limits import shown

OUTPUTS = ("out", "junit", "save_baseline", "record", "write_adapter")
SOMEBODYS = (".py", ".ipynb", ".csv", ".npz", ".npy")
"""Endings of files that no report replaces."""
NAME_BEHIND = re.compile(r"(?<=\.py):\w+$")


def check_files(options: argparse.Namespace) -> None:
    """Raise BadInput, before anything is computed, for files that would fail in the end.

    All paths of outputs become absolute: code under test may change the current folder.
    """
    from compare.report.baseline.numbers import load
    from compare.report.folder import check_file, check_folder

    check_apart(options)
    try:
        check_folder(options.out, "--out")
        for name, path in outputs(options):
            if name in ("junit", "save_baseline"):
                check_file(path, flag(name))
                check_replaced(path, flag(name))
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise BadInput(f"an output cannot be written there: {reason}") from None
    if options.baseline:
        check_sort(load(options.baseline).unit, options)
    options.said_out = options.out  # the folder as it was given is what the user reads
    for name, path in outputs(options):
        setattr(options, name, Path(os.path.abspath(path)))


def check_sort(unit: str, options: argparse.Namespace) -> None:
    """Raise BadInput for a baseline of a training beside a check at points, or the reverse."""
    trains = options.trains or options.manual is None
    if trains == (unit == "epoch"):
        return
    if not trains:
        raise BadInput(
            f"--baseline: {options.baseline} holds the curves of a training and this is a check at "
            "points: add --epochs with the options it was saved with, or name a baseline that was "
            "saved without"
        )
    way = "leave --epochs out" if options.manual else "add --manual FILE.py"
    raise BadInput(
        f"--baseline: {options.baseline} holds the points of a check and this is a training: {way},"
        " or name a baseline that was saved with --epochs"
    )


def junit_of(words: Sequence[str], home: str) -> Path | None:
    """Return where the words of a command want JUnit XML, if it may be written there.

    They may be words that nothing can be made of: this is asked when they have failed.
    """
    named = [word.removeprefix("--junit=") for word in words if word.startswith("--junit=")]
    named += [after for word, after in pairwise(words) if word == "--junit"]
    if not named or not named[-1]:
        return None
    path = Path(home, named[-1])
    others = [Path(home, word.rpartition("=")[2]) for word in words]
    told = sum(same(path, Path(NAME_BEHIND.sub("", str(other)))) for other in others)
    dumps = (other for other in others if is_dump(other) or ("--dump" in words and other.is_dir()))
    held = any(inside(path, dump) for dump in dumps)
    theirs = path.suffix in SOMEBODYS or (os.path.lexists(path) and path.suffix != ".xml")
    return None if told > 1 or held or theirs or not path.parent.is_dir() else path


def check_replaced(path: Path, option: str) -> None:
    """Raise BadInput for an existing file of code or data, which no run has written."""
    if path.suffix in SOMEBODYS and os.path.exists(path):
        raise BadInput(f"{option}: {shown(str(path))} is a {path.suffix} file: name another")


def check_apart(options: argparse.Namespace) -> None:
    """Raise BadInput for an output that would overwrite an input or another output."""
    taken: list[tuple[str, Path]] = []
    for name, path in outputs(options):
        for other, at in (*inputs(options), *taken):
            both_baselines = {name, other} == {"baseline", "save_baseline"}
            if same(path, at) and not both_baselines:
                raise BadInput(
                    f"{flag(name)}: {shown(str(path))} is what {flag(other)} names: name another"
                )
        if name != "out" and options.dump and inside(path, options.dump):
            raise BadInput(f"{flag(name)}: {shown(str(path))} lies in the dump: name another")
        taken.append((name, path))
        if name == "out":
            taken.append((name, path / "report.json"))


def outputs(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Yield the outputs that were asked for."""
    for name in OUTPUTS:
        path = getattr(options, name)
        if path is not None:
            yield name, path


def inputs(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Yield the inputs that are files or folders; of a function only the file it stands in."""
    given = [("data", options.experiment.data), ("baseline", options.baseline)]
    for name, path in [*given, *((task.way, task.path) for task in options.tasks)]:
        if path is not None:
            yield name, Path(NAME_BEHIND.sub("", str(path)))


def same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, or would."""
    try:
        return one.resolve() == other.resolve() or os.path.samefile(one, other)
    except (OSError, RuntimeError, ValueError):  # not there, or a loop of links
        return False


def inside(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def flag(name: str) -> str:
    """Return the option of a path."""
    return f"--{name.replace('_', '-')}"

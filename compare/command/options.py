"""The command line of `python -m compare.run`, read: which options go together, and what they make.

`parser.py` declares them. Whatever is wrong is said in one sentence, before anything heavy is
imported.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from itertools import takewhile

from compare.command.given import CHECK, WAYS, tasks
from compare.command.parser import EXPLAINED, TIMEOUT, flag_of, parser
from compare.command.presets import PRESETS
from compare.contracts.errors import BadInput
from compare.contracts.experiment import (
    Experiment,
)
from compare.contracts.limits import did_you_mean


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options, with `experiment` built from defaults, preset and explicit options.

    An explicit option wins over the preset wherever it stands. Raises BadInput.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    asked = list(arguments[:1]) == [CHECK]
    arguments = arguments[asked:]
    check_widths(arguments)
    check_values(arguments)
    made = parser(asked)
    options, unknown = made.parse_known_args(arguments)
    if unknown:
        hint = did_you_mean(unknown[0].partition("=")[0], made.flags())
        raise BadInput(f"unrecognized arguments: {' '.join(unknown)}{hint} {EXPLAINED}")
    given = vars(options)
    preset = PRESETS.get(options.preset, {})
    explicit = {f.name: given.pop(f.name) for f in fields(Experiment) if f.name in given}
    options.experiment = Experiment(**{**preset, **explicit})
    options.trains = "epochs" in explicit
    options.trouble = []
    options.called = ""
    timed = options.timeout is not None
    options.timeout = options.timeout if timed else TIMEOUT
    options.given = (*explicit, *(["preset"] if preset else []), *(["timeout"] if timed else []))
    options.tasks = tasks({way: given.pop(way) or () for way in WAYS}, options.paths)
    if asked and not options.tasks:
        raise BadInput(f"{CHECK} what? give a file or a folder after it {EXPLAINED}")
    check_together(options)
    only = options.tasks[0] if len(options.tasks) == 1 else None
    options.__dict__.update({way: None for way in WAYS} | (only.as_option() if only else {}))
    return options


def check_widths(arguments: Sequence[str]) -> None:
    """Raise BadInput for `--hidden 20 10`: argparse would only call the 10 unrecognized."""
    words = [part for word in arguments for part in word.split("=", 1)]
    behind = words[words.index("--hidden") + 1 :] if "--hidden" in words else []
    listed = list(takewhile(re.compile("[0-9,]+").fullmatch, behind))
    if len(listed) > 1:
        joined = ",".join(re.findall("[0-9]+", " ".join(listed)))
        raise BadInput(
            f"--hidden: write commas and no spaces between the widths: --hidden {joined}"
        )


def check_values(arguments: Sequence[str]) -> None:
    """Raise BadInput for `--seed=--`, of which argparse would make no value at all."""
    for word in arguments:
        flag, _, value = word.partition("=")
        if flag.startswith("--") and value == "--":
            raise BadInput(f"{flag}: must have a value, not '--' {EXPLAINED}")


def check_together(options: argparse.Namespace) -> None:
    """Raise BadInput for options that need another one, or exclude each other."""
    ways = {task.way for task in options.tasks}
    if options.write_adapter is not None and ways != {"starter"}:
        raise BadInput("--write-adapter writes what --starter FILE could not bind: give both")
    for name in ("inputs", "classes", "per_sample"):
        if getattr(options, name) and (ways != {"manual"} or options.trains):
            raise BadInput(f"{flag_of(name)} is for --manual FILE.py at drawn points, not for this")
    if options.record is not None and ways - {"manual"}:
        raise BadInput(
            "--record writes down a training run of ours or of --manual, and nothing else"
        )
    for name in ("baseline", "save_baseline"):
        if getattr(options, name) is not None and ways - {"manual"}:
            raise BadInput(
                f"{flag_of(name)} is about a training, or the points of a gradient function: it "
                "goes with --manual, or with nothing"
            )
    if len(options.tasks) > 1:
        of_one = ("junit", "baseline", "save_baseline", "record", "write_adapter")
        named = [flag_of(name) for name in of_one if getattr(options, name) is not None]
        if named:
            raise BadInput(f"{named[0]} is about one file, and {len(options.tasks)} are given")

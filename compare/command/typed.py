"""The command as a report shows it: what decides the numbers, for whoever wants to run it again.

A report is made to be passed on, so a path is its last name, and where a result was put is left
out. A file among many is shown as if it had been given alone.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from compare.command.given import WAYS
from compare.command.parser import SCRIPT, flag_of

POINTS = ("inputs", "classes")


def command_line(options: argparse.Namespace) -> str:
    """Return the command that checks the same again, ready for a shell."""
    words = [SCRIPT]
    for way in WAYS:
        if getattr(options, way) is not None:
            words += [flag_of(way), Path(getattr(options, way)).name]
    for name in (*options.given, *(name for name in POINTS if getattr(options, name))):
        holder = options if hasattr(options, name) else options.experiment
        words += [flag_of(name), typed(name, getattr(holder, name))]
    return shlex.join([*words, *(["--per-sample"] if options.per_sample else [])])


def typed(name: str, value: Any) -> str:
    """Return the value of an option as it is typed."""
    if name == "data":
        return Path(value).name
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)

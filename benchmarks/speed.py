"""How fast the manual side is, and what checking costs: `python -m benchmarks.speed`.

Three sections, each in a process of its own: *gradients* beside torch and the floor, *checks*
beside the gradients they need, *memory*. Prints tables and, with `--json`, writes every number.
Ratios are taken within one run, where all contenders had the same minutes of the same machine;
ratios of minima stand beside those of medians, because other programs disturb them least.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

from compare.command.idle_threads import SHORT_WAITS

SECTIONS = ("gradients", "checks", "memory")
Row = dict[str, Any]


def parse() -> argparse.Namespace:
    """The options; `--quick` is a smoke test, its numbers mean little."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--section", choices=SECTIONS, help="only this one (default: all three)")
    parser.add_argument("--quick", action="store_true", help="few shapes, few repetitions")
    parser.add_argument("--threads", type=int, default=2, help="for both sides (default: 2)")
    parser.add_argument(
        "--clock", choices=("wall", "processor"), default="wall",
        help="count what anybody waits (default), or what this process's processor is busy for, "
        "which other programs disturb least",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=9, help="of turns (default: 9)")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    parser.add_argument("--json", type=Path, help="write every number to this file")
    arguments = parser.parse_args()
    left_out = arguments.quick or arguments.no_compile
    arguments.compile = which("c++") is not None and not left_out
    return arguments


def main() -> None:
    """Measure one section here, or each in a process of its own."""
    arguments = parse()
    if arguments.section:
        from benchmarks import sections

        found: Row = sections.measure(arguments)
    else:
        found = {}
        for section in SECTIONS:
            found |= in_a_process(section)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def in_a_process(section: str) -> Row:
    """Run this program again for one section.

    The checks alternate between two libraries and wait briefly, as the command lets them; the
    gradients are timed one library at a time, each waiting as long as it likes best.
    """
    waits = SHORT_WAITS if section == "checks" else {}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "numbers.json"
        command = [sys.executable, "-m", "benchmarks.speed", *sys.argv[1:]]
        subprocess.run(
            [*command, "--section", section, "--json", str(file)],
            env=os.environ | waits,
            check=True,
        )
        numbers: Row = json.loads(file.read_text())
        return numbers


if __name__ == "__main__":
    main()

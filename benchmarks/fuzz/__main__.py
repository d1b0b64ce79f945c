"""`python -m benchmarks.fuzz`: the figures of the attempts to break the product."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import torch

from benchmarks.fuzz import hostile, inputs, lines, signals
from benchmarks.fuzz.kept import FAULTS, Clock, Tally

Part = Callable[[int, int, Clock], Tally]
PARTS: dict[str, tuple[Part, int, float]] = {
    "dumps": (inputs.dumps, 13_000, 1.0),
    "files": (inputs.data_files, 11_300, 1.0),
    "dumps end to end": (inputs.end_to_end, 800, 1.0),
    "command lines": (lines.command_lines, 1_000, 2.0),
    "hostile files": (hostile.files, 200, 1.0),
    "signals": (signals.interruptions, 80, 1.0),
}
"""Each part, how many attempts it makes in full, and for how many seconds with --quick."""


def main(arguments: list[str] | None = None) -> int:
    """Attack, print one line a part and every input that broke something; 1 if any did."""
    wanted = options().parse_args(arguments)
    torch.set_num_threads(1)  # a forked child has no threads of its parent's pool
    broken = 0
    print(f"{'part':18}{'attempts':>9}  {'exit codes':34}" + "".join(f"{f:>20}" for f in FAULTS))
    for name, (part, count, seconds) in PARTS.items():
        if wanted.part and name not in wanted.part:
            continue
        clock = Clock(seconds if wanted.quick else wanted.seconds)
        tally = part(wanted.count or count, wanted.seed, clock)
        codes = ", ".join(f"{code}: {times}" for code, times in sorted(tally.codes.items()))
        figures = "".join(f"{tally.broken[fault]:>20}" for fault in FAULTS)
        print(f"{name:18}{tally.attempts:>9}  {codes:34}{figures}", flush=True)
        for example in tally.examples[:20]:
            print(f"    {example}")
        broken += sum(tally.broken.values())
    return 1 if broken else 0


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    made.add_argument("--quick", action="store_true", help="a few seconds of each part")
    made.add_argument("--part", action="append", choices=PARTS, help="only this part (repeatable)")
    made.add_argument("--count", type=int, help="attempts of each part")
    made.add_argument("--seconds", type=float, help="at most so long for each part")
    made.add_argument("--seed", type=int, default=0)
    return made


if __name__ == "__main__":
    sys.exit(main())

"""What the commands people type cost: processor time and peak memory, each in a process of its own.

    python -m benchmarks.everyday

Processor time is that of all threads and children, so another load on the machine changes it
little; time on the clock depends on what else runs, and is printed for comparison only. The thirty
hand-ins are those of `benchmarks.outside`, drawn in thirty styles, every second one with a mistake.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.machine import machine
from benchmarks.outside.handins import MISTAKES, drawn_style, source

ROOT = Path(__file__).resolve().parent.parent
HAND_INS = 30
MIB = 2**20
ASSERTED = """
from time import process_time
from compare import assert_gradients_match
from manual_mlp import loss_and_gradients
for _ in range(3):
    begun = process_time()
    assert_gradients_match(loss_and_gradients, hidden=(12, 9))
    print(process_time() - begun)
"""


@dataclass(frozen=True)
class Cost:
    """What one command took."""

    clock: float
    processor: float
    peak: float
    """MiB of the largest of its processes."""


def cost(*arguments: str, folder: Path) -> Cost:
    """Run Python with these arguments in a folder, its output thrown away, and measure it."""
    begun = perf_counter()
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, *arguments],
        {**os.environ, "PYTHONPATH": str(ROOT), "PWD": str(folder)},
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, used = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise RuntimeError(f"{arguments} ended with status {status}")
    clock = perf_counter() - begun
    return Cost(clock, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / MIB)


def hand_ins(folder: Path, count: int = HAND_INS) -> Path:
    """Write hand-ins in random styles, every second one with a planted mistake."""
    generator = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        style = drawn_style(generator) | {"activation": "relu"}
        planted = (MISTAKES[number // 2 % len(MISTAKES)],) if number % 2 else ()
        (folder / f"hand_in_{number:02d}.py").write_text(source(style, planted))
    return folder


def commands(folder: Path) -> dict[str, list[str]]:
    """What is measured, by name."""
    run, out = ["-m", "compare.run"], ["--quiet", "--out", str(folder / "out")]
    wrapped = str(ROOT / "examples" / "wrapped_class.py")
    starter = str(ROOT / "examples" / "starter_five_mistakes.py")
    every = str(hand_ins(folder / "hand-ins"))
    return {
        "the default run, 200 epochs": [*run, *out],
        "--manual, one file": [*run, "--manual", wrapped, "--activation", "tanh", *out],
        "--starter, one file": [*run, "--starter", starter, *out],
        f"{HAND_INS} hand-ins": [*run, "check", every, *out],
        "assert_gradients_match, three times": ["-c", ASSERTED],
    }


def main() -> None:
    """Measure and print a table, and the machine it is true of."""
    print(json.dumps(machine(os.cpu_count() or 1)))
    with tempfile.TemporaryDirectory() as name:
        print("| command | processor time | on the clock | peak memory |\n|---|---|---|---|")
        for said, arguments in commands(Path(name)).items():
            found = cost(*arguments, folder=Path(name))
            figures = f"{found.processor:.1f} s | {found.clock:.1f} s | {found.peak:.0f} MiB"
            print(f"| {said} | {figures} |", flush=True)
    os.execv(sys.executable, [sys.executable, "-c", ASSERTED])


if __name__ == "__main__":
    main()

"""Command lines: options with strange values, doubled, cut, glued together, of every kind."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.fuzz.inputs import write_dump
from benchmarks.fuzz.kept import Clock, Tally, Workplace, run
from compare.command.parser import parser

VALUES = (
    "", "0", "1", "-1", "2", "3.5", "nan", "inf", "-inf", "1e400", "1e-400", "2147483647", "--",
    "9" * 400, "none", "relu", "float32", "f4", "sum", "x" * 300, "\x1b[31m", "é", "..", ".", "/",
    "/dev/null", "m.py", "m.py:right", "m.py:nothing", "d", "d/run.json", "a,b", "1,2", "True",
)  # fmt: skip
SMALL = ("--hidden=3", "--epochs=1", "--no-plots", "--quiet", "--out=o")


def command_lines(count: int, seed: int, clock: Clock) -> Tally:
    """Draw command lines and run each in a fork; only a traceback or a hang is wrong."""
    tally, rng = Tally(), random.Random(seed)
    told = {"--help", "--version"}  # they only print
    flags = sorted({flag for flag in parser().flags() if flag.startswith("--")} - told)
    with Workplace() as place:
        for _ in range(count):
            if clock.over():
                break
            folder = place.fresh()
            (folder / "m.py").write_text("from manual_mlp import loss_and_gradients as right\n")
            write_dump(folder / "d", steps=1)
            line = drawn(rng, flags)
            tally.add(" ".join(line), run(line, folder), wrong=False)
            assert_untouched(folder)
    return tally


def drawn(rng: random.Random, flags: list[str]) -> list[str]:
    """Draw one to four options, most of them beside a small run."""
    line = list(SMALL) if rng.random() < 0.8 else ["--out=o"]
    for flag in rng.choices(flags, k=rng.randint(1, 4)):
        word = flag if rng.random() < 0.9 else flag[: rng.randint(2, len(flag))]
        value = rng.choice(VALUES)
        line += [f"{word}={value}"] if rng.random() < 0.5 else [word, value]
    return [*line, "--out=o", *(["--epochs=1"] if "--epochs=1" not in line else [])]


def assert_untouched(folder: Path) -> None:
    """No output may have overwritten the function under test."""
    assert (folder / "m.py").read_text().startswith("from manual_mlp")

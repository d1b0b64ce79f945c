"""Signals at random moments of a training: a report that is whole afterwards, and says so."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.fuzz.kept import WALL, Attempt, Clock, Tally, Workplace, valid

SENT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MINE = "from manual_mlp import loss_and_gradients\n"


def interruptions(count: int, seed: int, clock: Clock) -> Tally:
    """Interrupt trainings of our own and of a file."""
    tally, rng = Tally(), random.Random(seed)
    with Workplace() as place:
        for _ in range(count):
            if clock.over():
                break
            folder = place.fresh()
            (folder / "m.py").write_text(MINE)
            number, after = rng.choice(SENT), rng.uniform(0.0, 6.0)
            foreign = rng.random() < 0.5
            attempt = interrupted(folder, number, after, foreign=foreign)
            tally.add(f"{number.name} after {after:.2f} s", attempt, wrong=False)
    return tally


def interrupted(folder: Path, number: signal.Signals, after: float, *, foreign: bool) -> Attempt:
    """Start a training of many epochs, send the signal, and wait."""
    line = [sys.executable, "-m", "compare.run", "--hidden", "5", "--epochs", "100000"]
    line += ["--quiet", "--no-plots", "--out", "o", *(["--manual", "m.py"] if foreign else [])]
    with (folder / "stderr").open("wb") as error:
        process = subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL, stderr=error)
        time.sleep(after)
        process.send_signal(number)
        try:
            code: int | None = process.wait(WALL)
        except subprocess.TimeoutExpired:
            process.kill()
            code = None
    text = (folder / "stderr").read_text(errors="replace")
    early = code is not None and (code < 0 or "KeyboardInterrupt" in text)  # Python was starting
    whole = early or says_so(folder / "o" / "report.json")
    return Attempt(130 if early else code, "" if early else text, whole, 0.0)


def says_so(report: Path) -> bool:
    """Whether a whole report lies there that says it was interrupted."""
    return valid(report) and bool(json.loads(report.read_text())["interrupted"])

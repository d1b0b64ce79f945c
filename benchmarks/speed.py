"""How fast the manual side is, and what checking costs: `python -m benchmarks.speed`.

Prints tables and, with `--json`, writes every number. Ratios are taken within one run, where all
contenders had the same minutes of the same machine; `(fastest)` rows are ratios of minima, which
other programs on the machine disturb least.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from shutil import which
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from benchmarks import checked, footprint, numpy_contenders, torch_contenders
from benchmarks.machine import machine
from benchmarks.problem import SHAPES, Problem, draw, label
from benchmarks.timing import Timing, interleave

DTYPES = ("float32", "float64")
COMPILED = "torch compiled"
Row = dict[str, Any]


def gradients(problem: Problem, arguments: argparse.Namespace) -> Row:
    """The manual gradient and step beside torch's and the floor."""
    contenders = {"floor": numpy_contenders.floor(problem)} | numpy_contenders.manual(problem)
    eager = torch_contenders.gradients(problem)
    contenders |= {f"torch {name}": call for name, call in eager.items()}
    contenders["torch step"] = torch_contenders.step(problem)
    if arguments.compile:
        contenders[COMPILED] = torch_contenders.compiled(problem)
    timings = interleave(contenders, rounds=arguments.rounds, turn=arguments.turn)
    return {
        "timings": as_milliseconds(timings),
        "ratios": ratios({name: timing.median for name, timing in timings.items()}),
        "ratios (fastest)": ratios({name: timing.fastest for name, timing in timings.items()}),
    }


def ratios(seconds: dict[str, float]) -> dict[str, float]:
    """Manual against the floor, and against torch eager in its fastest form."""
    eager = min(value for name, value in seconds.items() if name.endswith("targets"))
    manual = seconds["manual gradient"]
    found = {
        "gradient / torch": manual / eager,
        "gradient / floor": manual / seconds["floor"],
        "floor / torch": seconds["floor"] / eager,
        "step / torch": seconds["manual step"] / seconds["torch step"],
    }
    if COMPILED in seconds:
        found["gradient / compiled"] = manual / seconds[COMPILED]
    return found


def checks(problem: Problem, arguments: argparse.Namespace) -> Row:
    """The checked epoch beside what it cannot do without, and single checks beside gradcheck."""
    needed = interleave(checked.necessary(problem), rounds=arguments.rounds, turn=arguments.turn)
    epoch = checked.checked_epochs(problem, arguments.epochs)
    single = interleave(checked.single_checks(problem), rounds=2, turn=arguments.turn)
    gradient = needed["reference gradient"].median
    two_gradients = sum(timing.median for timing in needed.values())
    return {
        "timings": as_milliseconds(needed | {"checked epoch": epoch} | single),
        "ratios": {
            "epoch / two gradients": epoch.median / two_gradients,
            "epoch / three gradients": epoch.median / (two_gradients + gradient),
        }
        | {f"{name} / gradient": timing.median / gradient for name, timing in single.items()},
    }


def as_milliseconds(timings: dict[str, Timing]) -> dict[str, dict[str, float]]:
    """Timings as plain values, for JSON."""
    return {
        name: {
            key: value if key == "calls" else 1e3 * value for key, value in asdict(timing).items()
        }
        for name, timing in timings.items()
    }


def memory(arguments: argparse.Namespace) -> Row:
    """Peak memory of a short and a longer run on the report's network, and two start-up times."""
    (rows, sizes), dtype, few = SHAPES[4], "float64", arguments.epochs
    peaks = {
        epochs: footprint.peak_memory(rows, sizes, dtype, epochs=epochs, threads=arguments.threads)
        for epochs in (few, 3 * few)
    }
    accounted = footprint.accounted_memory(draw(rows, sizes, dtype))
    return {
        "network": label(rows, sizes),
        "accounted bytes": accounted,
        "peak bytes": peaks,
        "peak / accounted": peaks[few] / accounted,
        "growth in bytes per epoch": (peaks[3 * few] - peaks[few]) / (2 * few),
        "seconds of --help": footprint.start_up("-m", "compare.run", "--help", repetitions=5),
        "seconds of a usage error": footprint.start_up("-m", "compare.run", "-?", repetitions=5),
    }


def print_rows(title: str, rows: list[Row], section: str) -> None:
    """One line per shape and dtype, one column per ratio."""
    print(f"\n{title}")
    columns = list(dict.fromkeys(name for row in rows for name in row[section]))
    print(f"{'':34}" + "".join(f"{name:>32}" for name in columns))
    for row in rows:
        cells = (format(row[section][n], ".2f") if n in row[section] else "-" for n in columns)
        print(f"{row['shape']:26}{row['dtype']:8}" + "".join(f"{cell:>32}" for cell in cells))


def measured(arguments: argparse.Namespace) -> Iterator[tuple[str, list[Row]]]:
    """Section by section: a row for every shape and dtype."""
    for name, measure in (("gradients", gradients), ("checks", checks)):
        rows: list[Row] = []
        for dtype in DTYPES:
            for count, sizes in arguments.shapes:
                row = {"shape": label(count, sizes), "dtype": dtype}
                rows.append(row | measure(draw(count, sizes, dtype), arguments))
        yield name, rows


def parse() -> argparse.Namespace:
    """The options; `--quick` is a smoke test, its numbers mean little."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small shapes, few repetitions")
    parser.add_argument("--threads", type=int, default=2, help="for both sides (default: 2)")
    parser.add_argument("--json", type=Path, help="write every number to this file")
    arguments = parser.parse_args()
    quick = arguments.quick
    arguments.shapes = SHAPES[:1] + SHAPES[2:4] if quick else SHAPES
    arguments.rounds, arguments.turn, arguments.epochs = (2, 0.01, 4) if quick else (9, 0.1, 8)
    arguments.compile = which("c++") is not None and not quick
    return arguments


def main() -> None:
    """Measure, print, and write."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):
        found: Row = {"machine": machine(arguments.threads)}
        print(json.dumps(found["machine"], indent=1))
        for section, rows in measured(arguments):
            found[section] = rows
            print_rows(f"{section}, ratios of medians", rows, "ratios")
            if section == "gradients":
                print_rows(f"{section}, ratios of minima", rows, "ratios (fastest)")
        if not arguments.quick:
            found["memory"] = memory(arguments)
            print(json.dumps(found["memory"], indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""The command: measure, print Markdown tables, write JSON if asked, fail if a figure is missed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.power import tables, timing
from benchmarks.power.measures import OURS, Point, measure
from benchmarks.workers import processes, single_threaded

QUICK, FULL = 24, 1500
"""Points; each is compared with up to 21 honest variants."""


def parse(given: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.power", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} points, small timings")
    parser.add_argument("--seed", type=int, default=0, help="of the population (default: 0)")
    parser.add_argument("--points", type=int, help=f"points to draw (default: {FULL:,})")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measures to FILE")
    return parser.parse_args(given)


def watched(points: Iterator[Point], count: int) -> list[Point]:
    """Collect the points and tell on stderr how far it is."""
    found = []
    for point in points:
        found.append(point)
        if len(found) % 100 == 0:
            print(f"{len(found):,} of {count:,} points", file=sys.stderr, flush=True)
    return found


def as_json(points: Sequence[Point], times: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return the measures per point, and the time per network."""
    return {
        "date": today(),
        "machine": machine(1),
        "time": times,
        "points": [
            {
                "case": tables.name(point),
                "honest": {
                    variant: {"worst": number(ratio), "in": where}
                    for variant, (ratio, where) in point.ratios.items()
                },
                "rejected": point.rejected,
                "gradients": {
                    name: {
                        "median allowance in u": number(tensor.median),
                        "scale error seen": number(tensor.power.scale),
                        "error of any shape seen": number(tensor.power.any_shape),
                    }
                    for name, tensor in point.tensors.items()
                },
                "largest missed": {
                    f"{found.kind} in d{found.tensor}": found.missed.get(OURS)
                    for found in point.detections
                },
                "too many kinks": any(found.widened for found in point.detections),
            }
            for point in points
        ],
    }


def number(value: float | None) -> float | str | None:
    """Return a number as JSON can hold it; infinity and NaN become strings."""
    return value if value is None or isfinite(value) else str(value)


def today() -> str:
    """Return the date."""
    return datetime.now(UTC).date().isoformat()


def show(points: Sequence[Point], times: dict[str, dict[str, float]], seed: int) -> None:
    """Print what was measured on, and the tables."""
    about = machine(1)
    undecided = sum(not point.decided for point in points)
    print(
        f"{today()}, seed {seed}: {len(points):,} points, at {undecided} of them the reference is "
        f"not finite. NumPy {about['numpy']}, torch {about['torch']}, {about['processor']}.\n"
    )
    print(tables.accusations(points))
    print(tables.honest_ratios(points))
    print(tables.by_way(points))
    print(tables.power(points))
    print(*tables.detection(points), sep="\n")
    print(tables.times(times))


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 if a figure is missed."""
    arguments = parse(given)
    count = arguments.points or (QUICK if arguments.quick else FULL)
    with processes(arguments.jobs) as mapped:
        points = watched(mapped(partial(measure, arguments.seed), range(count)), count)
    with single_threaded():
        times = timing.in_reference_gradients(quick=arguments.quick)
    show(points, times, arguments.seed)
    missed = list(tables.failures(points))
    for failure in missed:
        print(f"not reached: {failure}")
    if arguments.json:
        text = json.dumps(as_json(points, times), indent=1, allow_nan=False)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
